"""Go: go.mod, which names all versions that are built with, and go.sum where there is no other."""

from __future__ import annotations

import re
from typing import Final

from coai_agents.source import Span
from coai_agents.specialists.security.advisories.versions import version_key
from coai_agents.specialists.security.dependencies.packages import GO, Package, Reading

_REQUIRE: Final = re.compile(
    r"\s*(?:require\s+)?(?P<module>[\w.~/-]{1,300})\s+v(?P<version>\d[\w.+-]{0,200})"
)
_REPLACE: Final = re.compile(
    r"\s*(?:replace\s+)?(?P<module>[\w.~/-]{1,300})(?:\s+v[\w.+-]+)?\s+=>\s+(?P<by>[\w.~/-]{1,300})"
    r"(?:\s+v(?P<version>\d[\w.+-]{0,200}))?"
)
_TOOLCHAIN: Final = re.compile(r"toolchain\s+go(?P<version>\d[\w.]{0,50})")
_BLOCK: Final = re.compile(r"\s*(\w+)\s*\(")
_SUM: Final = re.compile(r"(?P<module>[\w.~/-]{1,300})\s+v(?P<version>[\w.+-]{1,200})\s+h1:")


def go_mod(text: str) -> Reading:
    """Read go.mod; what is replaced by another module is that module, by a folder nothing."""
    reading = Reading(locked=frozenset({GO}))
    replaced: dict[str, Package | None] = {}
    block = ""
    position = 0
    for line in text.splitlines(keepends=True):
        code = line.partition("//")[0]
        opened = _BLOCK.match(code)
        if opened is not None:
            block = opened[1]
        elif code.strip() == ")":
            block = ""
        elif (change := _REPLACE.match(code)) is not None:
            version = change["version"]
            package = None
            if version is not None:
                start, end = (position + each for each in change.span("version"))
                package = Package(
                    GO, change["by"], version, Span(start, end), edit=Span(start, end)
                )
            replaced[change["module"]] = package
        elif block == "require" or code.lstrip().startswith("require"):
            _require(reading, code, position)
        elif (tool := _TOOLCHAIN.match(code)) is not None:
            start, end = (position + each for each in tool.span("version"))
            span = Span(start, end)
            reading.add(Package(GO, "toolchain", tool["version"], span, edit=span))
            reading.add(Package(GO, "stdlib", tool["version"], span, edit=span))
        position += len(line)
    kept = [each for each in reading.packages if each.name not in replaced]
    reading.packages = kept + [each for each in replaced.values() if each is not None]
    return reading


def _require(reading: Reading, code: str, position: int) -> None:
    match = _REQUIRE.match(code)
    if match is not None:
        start, end = (position + each for each in match.span("version"))
        span = Span(start, end)
        reading.add(Package(GO, match["module"], match["version"], span, edit=span))


def go_sum(text: str) -> Reading:
    """Read go.sum: of each module the highest version of which more than go.mod was fetched."""
    reading = Reading()
    highest: dict[str, Package] = {}
    position = 0
    for line in text.splitlines(keepends=True):
        match = _SUM.match(line)
        if match is not None and not match["version"].endswith("/go.mod"):
            start, end = (position + each for each in match.span("version"))
            package = Package(GO, match["module"], match["version"], Span(start, end))
            before = highest.get(package.name)
            if before is None or _is_lower(before.version, package.version):
                highest[package.name] = package
        position += len(line)
    for package in highest.values():
        reading.add(package)
    return reading


def _is_lower(one: str, other: str) -> bool:
    a, b = version_key(GO, one), version_key(GO, other)
    return a is None or (b is not None and a < b)
