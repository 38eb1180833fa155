"""Python: requirements files, pyproject.toml, and the locks of uv, Poetry, PDM and Pipenv."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from coai_agents.source import Span
from coai_agents.specialists.security.dependencies.located import read_json, read_toml
from coai_agents.specialists.security.dependencies.locked_tables import read_blocks
from coai_agents.specialists.security.dependencies.packages import (
    PYPI,
    Package,
    Reading,
    normal_name,
)
from coai_agents.specialists.security.dependencies.wanted import declared

if TYPE_CHECKING:
    from coai_agents.specialists.security.dependencies.located import Assignment

_REQUIREMENT: Final = re.compile(
    r"\s*(?P<name>[A-Za-z0-9](?:[\w.-]{0,200}[A-Za-z0-9])?)\s*(?:\[[^\]\n]{0,300}\])?\s*\(?"
    r"(?P<versions>(?:[<>=!~]=?=?)[^;#\n)]{1,500})"
)
_VIA: Final = re.compile(r"#\s+(?:via\s+)?(?P<name>[A-Za-z0-9][\w.-]{0,200})(?:\[[^\]\n]*\])?\s*$")


def requirement(text: str, start: int) -> Package | None:
    """Return what a requirement of PEP 508 names, standing at an offset."""
    match = _REQUIREMENT.match(text)
    if match is None:
        return None
    return declared(PYPI, match["name"], match["versions"], start + match.start("versions"))


def requirements(text: str) -> Reading:
    """Read a requirements file; of those that tools compile also what each line is there for."""
    reading = Reading()
    needed: dict[str, list[str]] = {}
    last: Package | None = None
    compiled = "# via" in text
    position = 0
    for line in text.splitlines(keepends=True):
        stripped = line.strip()
        if stripped.startswith("#"):
            name = _VIA.match(stripped)
            if compiled and last is not None and name is not None:
                needed.setdefault(normal_name(PYPI, name["name"]), []).append(last.key)
        elif stripped and not stripped.startswith("-"):
            found = requirement(line.rstrip("\\\r\n "), position)
            last = found and replace(found, key=normal_name(PYPI, found.name))
            if last is not None:
                reading.add(last)
                inline = _VIA.search(line) if compiled else None
                if inline is not None:
                    needed.setdefault(normal_name(PYPI, inline["name"]), []).append(last.key)
        position += len(line)
    reading.packages = [
        replace(each, needs=tuple(needed.get(each.key, ()))) for each in reading.packages
    ]
    return reading


_LISTS: Final = re.compile(
    r"project|project\.optional-dependencies|dependency-groups|build-system|tool\.pdm.*|tool\.uv"
)
_POETRY: Final = re.compile(
    r"tool\.poetry\.(?:dev-)?dependencies|tool\.poetry\.group\.[^.]+\.dependencies|"
    r"packages|dev-packages"
)


def pyproject(text: str) -> Reading:
    """Read pyproject.toml, or a Pipfile, whose tables are Poetry's by other names."""
    reading = Reading()
    for each in read_toml(text):
        if _POETRY.fullmatch(each.table):
            _add(reading, _of_table(each))
        elif _LISTS.fullmatch(each.table) and (each.table != "project" or "depend" in each.key):
            for value, span in each.strings():
                _add(reading, requirement(value, span.start))
    return reading


def _of_table(each: Assignment) -> Package | None:
    if each.key.lower() == "python":
        return None
    found = each.string() or each.member("version")
    if found is None:
        return None
    value, span = found
    package = declared(PYPI, each.key, value, span.start)
    if package is None:
        return None
    # Poetry takes a bare version for exactly this one.
    return replace(package, exact=True) if value.strip() == package.version else package


def _add(reading: Reading, package: Package | None) -> None:
    if package is not None:
        reading.add(package)


def lock(text: str) -> Reading:
    """Read uv.lock, poetry.lock or pdm.lock."""
    reading = Reading(locked=frozenset({PYPI}))
    roots: list[str] = []
    for block in read_blocks(text):
        key = normal_name(PYPI, block.name)
        needs = tuple(normal_name(PYPI, each) for each in block.needs)
        if block.own:
            roots += needs
        elif block.version is not None:
            version, span = block.version
            reading.add(Package(PYPI, block.name, version, span, key=key, needs=needs))
    reading.roots = tuple(dict.fromkeys(roots))
    return reading


def pipfile_lock(text: str) -> Reading:
    """Read Pipfile.lock, which says nothing of what needs what."""
    reading = Reading(locked=frozenset({PYPI}))
    root = read_json(text)
    for part in root.items:
        if part == "_meta":
            continue
        for name, package in root.at(part).items.items():
            version = package.at("version")
            if version.text.startswith("=="):
                span = Span(version.span.start + 2, version.span.end)
                reading.add(Package(PYPI, name, version.text[2:], span))
    return reading
