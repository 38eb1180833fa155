"""Rust, PHP, Ruby and .NET: what Cargo, Composer, Bundler and NuGet read and write."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.source import Span
from coai_agents.specialists.security.dependencies.located import read_json, read_toml, read_xml
from coai_agents.specialists.security.dependencies.locked_tables import read_blocks
from coai_agents.specialists.security.dependencies.packages import (
    CRATES,
    NUGET,
    PACKAGIST,
    RUBYGEMS,
    Package,
    Reading,
)
from coai_agents.specialists.security.dependencies.wanted import declared

if TYPE_CHECKING:
    from coai_agents.specialists.security.dependencies.located import Node

_CARGO: Final = re.compile(
    r"(?:workspace\.|target\..+\.)?(?:dev-|build-)?dependencies(?:\.(?P<name>[\w-]+))?"
)


def cargo_toml(text: str) -> Reading:
    """Read Cargo.toml, in which a bare version is a range."""
    reading = Reading()
    for each in read_toml(text):
        match = _CARGO.fullmatch(each.table)
        if match is None or (match["name"] and each.key != "version"):
            continue
        found = each.string() or each.member("version")
        renamed = each.member("package")
        if found is not None:
            name = match["name"] or (renamed[0] if renamed else each.key)
            package = declared(CRATES, name, found[0], found[1].start)
            if package is not None:
                reading.add(package)
    return reading


def cargo_lock(text: str) -> Reading:
    """Read Cargo.lock; packages without a source are of the workspace."""
    reading = Reading(locked=frozenset({CRATES}))
    blocks = list(read_blocks(text))
    for block in blocks:
        if block.version is not None:
            version, span = block.version
            key = block.name
            reading.add(
                Package(CRATES, block.name, version, span, key=key, needs=tuple(block.needs))
            )
    return reading


def composer_json(text: str) -> Reading:
    """Read composer.json."""
    reading = Reading()
    root = read_json(text)
    for part in ("require", "require-dev"):
        for name, version in root.at(part).items.items():
            package = declared(PACKAGIST, name, version.text, version.span.start)
            if package is not None and "/" in name:
                reading.add(package)
    return reading


def composer_lock(text: str) -> Reading:
    """Read composer.lock."""
    reading = Reading(locked=frozenset({PACKAGIST}))
    root = read_json(text)
    for part in ("packages", "packages-dev"):
        for each in root.at(part).elements:
            name, version = each.at("name").text, each.at("version")
            needs = tuple(need.lower() for need in each.at("require").items)
            reading.add(
                Package(PACKAGIST, name, version.text, version.span, key=name.lower(), needs=needs)
            )
    return reading


_GEM: Final = re.compile(
    r"""^[ \t]*gem[ (]+["'](?P<name>[\w.-]{1,200})["']\s*,\s*(?:\[\s*)?"""
    r"""["'](?P<version>[^"'\n]{1,200})["']""",
    re.MULTILINE,
)
_SPEC: Final = re.compile(r"    (?P<name>[\w.-]{1,200}) \((?P<version>[^)\s]{1,200})\)")
_NEED: Final = re.compile(r"      (?P<name>[\w.-]{1,200})")
_DIRECT: Final = re.compile(r"  (?P<name>[\w.-]{1,200})")
_PLATFORM: Final = re.compile(r"-(?:x86|x64|arm|aarch|java|universal|mingw|mswin|darwin|linux).*")


def gemfile(text: str) -> Reading:
    """Read a Gemfile, of which only the plain lines are understood: it is a program."""
    reading = Reading()
    for match in _GEM.finditer(text):
        package = declared(RUBYGEMS, match["name"], match["version"], match.start("version"))
        if package is not None:
            reading.add(package)
    return reading


def gemfile_lock(text: str) -> Reading:
    """Read Gemfile.lock."""
    reading = Reading(locked=frozenset({RUBYGEMS}))
    found: list[tuple[str, str, Span, list[str]]] = []
    roots: list[str] = []
    section = ""
    position = 0
    for line in text.splitlines(keepends=True):
        if line[:1].strip():
            section = line.strip()
        elif section == "DEPENDENCIES":
            if direct := _DIRECT.match(line):
                roots.append(direct["name"])
        elif section == "GEM":
            if spec := _SPEC.match(line):
                version = _PLATFORM.sub("", spec["version"])
                start = position + spec.start("version")
                found.append((spec["name"], version, Span(start, start + len(version)), []))
            elif found and (need := _NEED.match(line)):
                found[-1][3].append(need["name"])
        position += len(line)
    for name, version, span, needs in found:
        reading.add(Package(RUBYGEMS, name, version, span, key=name, needs=tuple(needs)))
    reading.roots = tuple(roots)
    return reading


def msbuild(text: str) -> Reading:
    """Read a project of MSBuild, or its central versions (Directory.Packages.props)."""
    reading = Reading()
    for each in read_xml(text).all():
        if each.name not in {"PackageReference", "PackageVersion", "GlobalPackageReference"}:
            continue
        name = each.attributes.get("Include") or each.attributes.get("Update") or ""
        child = each.child("Version")
        if child is not None:
            version, start = child.text, child.span.start
        else:
            attribute = "VersionOverride" if "VersionOverride" in each.attributes else "Version"
            version, start = _attribute(text, each.span, each.attributes, attribute)
        package = declared(NUGET, name, version, start)
        if package is not None:
            reading.add(package)
    return reading


def packages_config(text: str) -> Reading:
    """Read packages.config, which names every installed version."""
    reading = Reading(locked=frozenset({NUGET}))
    for each in read_xml(text).all():
        if each.name == "package":
            version, start = _attribute(text, each.span, each.attributes, "version")
            package = declared(NUGET, each.attributes.get("id", ""), version, start)
            if package is not None:
                reading.add(package)
    return reading


def _attribute(text: str, span: Span, attributes: dict[str, str], name: str) -> tuple[str, int]:
    """Return an attribute's value and where it stands in the start tag."""
    value = attributes.get(name, "")
    match = re.compile(rf"""\s{name}\s*=\s*["']""").search(text, span.start, span.end)
    return value, match.end() if match else span.start


def nuget_lock(text: str) -> Reading:
    """Read packages.lock.json; one package may be there for several frameworks."""
    reading = Reading(locked=frozenset({NUGET}))
    known: set[tuple[str, str]] = set()
    roots: list[str] = []
    frameworks = read_json(text).at("dependencies").items
    for packages in frameworks.values():
        for name, node in packages.items.items():
            _nuget_package(reading, known, roots, name, node)
    reading.roots = tuple(roots)
    return reading


def _nuget_package(
    reading: Reading, known: set[tuple[str, str]], roots: list[str], name: str, node: Node
) -> None:
    version = node.at("resolved")
    if node.at("type").text == "Direct":
        roots.append(name.lower())
    if (name, version.text) in known:
        return
    known.add((name, version.text))
    needs = tuple(each.lower() for each in node.at("dependencies").items)
    reading.add(Package(NUGET, name, version.text, version.span, key=name.lower(), needs=needs))
