"""The Java world: pom.xml, Gradle's build files, its lock files and its version catalogues."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from coai_agents.source import Span
from coai_agents.specialists.security.dependencies.located import read_toml, read_xml
from coai_agents.specialists.security.dependencies.packages import MAVEN, Package, Reading
from coai_agents.specialists.security.dependencies.wanted import declared

if TYPE_CHECKING:
    from coai_agents.specialists.security.dependencies.located import Assignment, Element

_PROPERTY: Final = re.compile(r"\$\{([\w.-]{1,200})\}")
_DEPENDENT: Final = frozenset({"dependency", "plugin", "parent", "extension"})


def pom(text: str) -> Reading:
    """Read pom.xml: properties and managed versions of this file count, a parent's are unknown."""
    root = read_xml(text)
    properties = _properties(root)
    reading = Reading()
    managed: dict[str, Element] = {}
    for part in root.children:
        if part.name == "dependencyManagement":
            for each in part.all():
                version = each.child("version")
                if each.name == "dependency" and version is not None:
                    managed[_coordinates(each)] = version
    used: set[str] = set()
    for each in root.all():
        if each.name not in _DEPENDENT:
            continue
        name, version = _coordinates(each), each.child("version")
        if version is None and name in managed and name not in used:
            used.add(name)
        elif version is not None and name.count(":") == 1:
            package = _of(name, version, properties)
            if package is not None:
                reading.add(package)
    return reading


def _coordinates(each: Element) -> str:
    group, artifact = each.child("groupId"), each.child("artifactId")
    default = "org.apache.maven.plugins" if each.name == "plugin" else ""
    return f"{group.text if group else default}:{artifact.text if artifact else ''}"


def _properties(root: Element) -> dict[str, Element]:
    known = {
        each.name: each
        for part in root.children
        if part.name == "properties"
        for each in part.children
    }
    version = root.child("version")
    return {**known, "project.version": version} if version is not None else known


def _of(name: str, version: Element, properties: dict[str, Element]) -> Package | None:
    said = version
    for _ in range(10):
        match = _PROPERTY.fullmatch(said.text)
        if match is None:
            break
        if match[1] not in properties:
            return None
        said = properties[match[1]]
    package = declared(MAVEN, name, said.text, said.span.start)
    # It is shown where the dependency is, and changed where its version is.
    return package and (package if said is version else replace(package, span=version.span))


_COORDINATES: Final = re.compile(
    r"""["'](?P<group>[\w.-]{1,200}):(?P<artifact>[\w.-]{1,200}):(?P<version>[^"'\n:@]{1,200})[^"'\n]*["']"""
)
_NAMED: Final = re.compile(
    r"""group\s*[:=]\s*["'](?P<group>[\w.-]{1,200})["']\s*,\s*name\s*[:=]\s*["'](?P<artifact>[\w.-]{1,200})["']"""
    r"""\s*,\s*version\s*[:=]\s*["'](?P<version>[^"'\n]{1,200})["']"""
)
_PLUGIN: Final = re.compile(
    r"""\bid\s*\(?\s*["'](?P<group>[\w.-]{1,200})["']\s*\)?\s*version\s*\(?\s*["'](?P<version>[^"'\n]{1,200})["']"""
)
_VARIABLE: Final = re.compile(
    r"""(?:^|[\s.{])(?:def\s+|val\s+|var\s+|ext\.|set\(["'])?(?P<name>\w{1,100})["']?\s*[=,]\s*["'](?P<value>[^"'\n$]{1,100})["']""",
    re.MULTILINE,
)
_USE: Final = re.compile(r"\$\{?(?:\w+\.)?(\w{1,100})\}?")
_COMMENT: Final = re.compile(
    r"""("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|//[^\n]*|/\*.*?(?:\*/|\Z)""", re.DOTALL
)


def gradle(text: str) -> Reading:
    """Read build.gradle or build.gradle.kts; its variables count as far as they are texts."""
    reading = Reading()
    code = _COMMENT.sub(lambda match: match[1] or " " * len(match[0]), text)
    variables = {each["name"]: each for each in _VARIABLE.finditer(code)}
    for pattern in (_COORDINATES, _NAMED, _PLUGIN):
        for match in pattern.finditer(code):
            groups = match.groupdict()
            group = groups["group"]
            name = f"{group}:{groups.get('artifact') or f'{group}.gradle.plugin'}"
            start, end = match.span("version")
            version, first = match["version"], start
            use = _USE.fullmatch(version)
            if use is not None:
                variable = variables.get(use[1])
                if variable is None:
                    continue
                version, first = variable["value"], variable.start("value")
            package = declared(MAVEN, name, version, first)
            if package is not None:
                reading.add(package if use is None else replace(package, span=Span(start, end)))
    return reading


_LOCKED: Final = re.compile(
    r"^(?P<name>[\w.-]{1,200}:[\w.-]{1,200}):(?P<version>[^=\s:]{1,200})=", re.MULTILINE
)


def gradle_lock(text: str) -> Reading:
    """Read gradle.lockfile."""
    reading = Reading(locked=frozenset({MAVEN}))
    for match in _LOCKED.finditer(text):
        reading.add(Package(MAVEN, match["name"], match["version"], Span(*match.span("version"))))
    return reading


def catalog(text: str) -> Reading:
    """Read a version catalogue of Gradle (libs.versions.toml)."""
    reading = Reading()
    rows = list(read_toml(text))
    versions = {
        each.key: found
        for each in rows
        if each.table == "versions"
        and (found := each.string() or each.member("strictly") or each.member("require"))
    }
    for each in rows:
        if each.table not in {"libraries", "plugins"}:
            continue
        written = each.string()
        if written is not None:
            name, _, version = written[0].rpartition(":")
            place = written[1].start + len(name) + 1
        else:
            name, found = _library(each), each.member("version")
            reference = each.member("version.ref") or each.member("ref")
            if found is None and reference is not None:
                found = versions.get(reference[0])
            if found is None:
                continue
            version, place = found[0], found[1].start
        if each.table == "plugins":
            name = f"{name}:{name}.gradle.plugin"
        package = declared(MAVEN, name, version, place)
        if package is not None and name.count(":") == 1:
            inside = each.start <= place <= each.start + len(each.value)
            whole = Span(each.start, each.start + len(each.value))
            reading.add(package if inside else replace(package, span=whole))
    return reading


def _library(each: Assignment) -> str:
    module = each.member("module") or each.member("id")
    if module is not None:
        return module[0]
    group, name = each.member("group"), each.member("name")
    return f"{group[0] if group else ''}:{name[0] if name else ''}"
