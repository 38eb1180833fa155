"""JavaScript: package.json, and the locks of npm, pnpm and Yarn (both generations)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.source import Span
from coai_agents.specialists.security.dependencies.located import read_json
from coai_agents.specialists.security.dependencies.packages import (
    NPM,
    Package,
    Reading,
    UnreadableError,
)
from coai_agents.specialists.security.dependencies.wanted import declared

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from coai_agents.specialists.security.dependencies.located import Node

_DEPENDENCIES: Final = ("dependencies", "devDependencies", "optionalDependencies")
_NODE_MODULES: Final = "node_modules/"
_ALIAS: Final = re.compile(r"npm:(?P<name>@?[^@\s]+)@(?P<version>.+)")


def manifest(text: str) -> Reading:
    """Read package.json."""
    reading = Reading()
    root = read_json(text)
    for part in _DEPENDENCIES:
        for name, version in root.at(part).items.items():
            start, real, said = version.span.start, name, version.text
            if alias := _ALIAS.fullmatch(said):
                start, real, said = start + alias.start("version"), alias["name"], alias["version"]
            if (package := declared(NPM, real, said, start)) is not None:
                reading.add(package)
    return reading


def npm_lock(text: str) -> Reading:
    """Read package-lock.json or npm-shrinkwrap.json, of all three versions of that format."""
    root = read_json(text)
    packages = root.at("packages").items
    reading = Reading(locked=frozenset({NPM}))
    if packages:
        _flat(reading, packages)
    else:
        _nested(reading, root)
    return reading


def _flat(reading: Reading, packages: dict[str, Node]) -> None:
    """Read versions 2 and 3, which name each package by its folder."""
    keys = packages.keys()
    roots: list[str] = []
    for folder, node in packages.items():
        needs = _found(folder, _names(node), keys)
        if _NODE_MODULES not in folder:
            # The project itself, or a package of its workspace.
            roots += needs
            continue
        name = node.at("name").text or folder.rpartition(_NODE_MODULES)[2]
        version = node.at("version")
        reading.add(Package(NPM, name, version.text, version.span, key=folder, needs=tuple(needs)))
    reading.roots = tuple(roots)


def _names(node: Node) -> Iterator[str]:
    for part in (*_DEPENDENCIES, "peerDependencies", "requires"):
        yield from node.at(part).items


def _found(folder: str, names: Iterable[str], keys: Iterable[str]) -> list[str]:
    """Return where the packages of some names are that a folder's code gets, as Node finds them."""
    found: list[str] = []
    for name in names:
        around = folder
        while True:
            key = f"{around}/{_NODE_MODULES}{name}" if around else f"{_NODE_MODULES}{name}"
            if key in keys:
                found.append(key)
                break
            if not around:
                break
            around = around.rpartition(_NODE_MODULES)[0].rstrip("/")
    return found


def _nested(reading: Reading, root: Node) -> None:
    """Read version 1, in which packages stand within those that they are installed in."""
    known: dict[str, Node] = {}
    waiting = [("", root)]
    while waiting:
        folder, node = waiting.pop()
        for name, child in node.at("dependencies").items.items():
            key = f"{folder}/{_NODE_MODULES}{name}" if folder else f"{_NODE_MODULES}{name}"
            known[key] = child
            waiting.append((key, child))
    for key, node in known.items():
        version, needs = node.at("version"), _found(key, node.at("requires").items, known.keys())
        name = key.rpartition(_NODE_MODULES)[2]
        reading.add(Package(NPM, name, version.text, version.span, key=key, needs=tuple(needs)))


_PNPM_PACKAGE: Final = re.compile(
    r"""  ["']?/?(?P<name>@[^/\s"']+/[^@/\s"'(]+|[^@/\s"'(]+)[@/](?P<version>\d[^\s"':(_]*)"""
    r"""[^\s"':]*["']?:"""
)
_PNPM_NEED: Final = re.compile(
    r"""      ["']?(?P<name>@?[^\s"':]+)["']?:\s+["']?(?P<version>[^\s"'(_]+)"""
)
_PNPM_ROOT: Final = re.compile(
    r"""\s{2,8}["']?(?P<name>@?[^\s"':]+)["']?:(?:\s+["']?(?P<version>\d[^\s"'(_]*)|\s*$)"""
)


def pnpm_lock(text: str) -> Reading:
    """Read pnpm-lock.yaml, of version 5 and later, by the lines that pnpm writes."""
    reading = Reading(locked=frozenset({NPM}))
    spans: dict[str, tuple[str, str, Span]] = {}
    needs: dict[str, list[str]] = {}
    roots: list[str] = []
    section = at = direct = ""
    position = 0
    for line in text.splitlines(keepends=True):
        if line[:1].strip() and not line.startswith("#"):
            section, at = line.split(":")[0].strip(), ""
        elif section in {"packages", "snapshots"}:
            if match := _PNPM_PACKAGE.match(line):
                at = f"{match['name']}@{match['version']}"
                start, end = match.span("version")
                place = Span(position + start, position + end)
                spans.setdefault(at, (match["name"], match["version"], place))
            elif at and (need := _PNPM_NEED.match(line)):
                needs.setdefault(at, []).append(f"{need['name']}@{need['version']}")
        elif root := _PNPM_ROOT.match(line):
            if root["version"] is None:
                direct = root["name"]
            else:
                name = direct if root["name"] == "version" else root["name"]
                roots.append(f"{name}@{root['version']}")
        position += len(line)
    for key, (name, version, span) in spans.items():
        reading.add(Package(NPM, name, version, span, key=key, needs=tuple(needs.get(key, ()))))
    reading.roots = tuple(roots)
    if not spans and "lockfileVersion" not in text:
        raise UnreadableError("it is no lock file of pnpm")
    return reading


_YARN_NAME: Final = re.compile(r"""["']?(?P<name>@?[^@\s"',]+)@""")
_YARN_REAL: Final = re.compile(r"npm:(?P<name>@?[^@\s\"',]+)@")
_YARN_VERSION: Final = re.compile(r"""  version:?\s+["']?(?P<version>[^\s"']+)""")
_YARN_NEED: Final = re.compile(
    r"""    ["']?(?P<name>@?[^\s"':]+)["']?:?\s+["']?(?P<wanted>[^"'\n]+)"""
)


def yarn_lock(text: str) -> Reading:
    """Read yarn.lock: the form of Yarn 1, and the one like YAML of later ones."""
    reading = Reading(locked=frozenset({NPM}))
    by_descriptor: dict[str, str] = {}
    found: list[tuple[str, str, Span, list[str]]] = []
    roots: list[str] = []
    descriptors: list[str] = []
    needs: list[str] = []
    position = 0
    for line in text.splitlines(keepends=True):
        if line[:1].strip() and not line.startswith("#"):
            descriptors = [each.strip(" \"':\r\n") for each in line.rstrip(":\r\n ").split(",")]
            needs = []
        elif match := _YARN_VERSION.match(line):
            named = _YARN_NAME.match(descriptors[0]) if descriptors else None
            if named is not None and "@workspace:" in descriptors[0]:
                # The lines of what it needs come after this one.
                found.append(("", "", Span(0, 0), needs))
            elif named is not None:
                start, end = match.span("version")
                real = _YARN_REAL.search(descriptors[0])
                span = Span(position + start, position + end)
                name = (real or named)["name"]
                found.append((name, match["version"], span, needs))
                for each in descriptors:
                    by_descriptor[each.replace("@npm:", "@")] = f"{name}@{match['version']}"
        elif need := _YARN_NEED.match(line):
            needs.append(f"{need['name']}@{need['wanted'].strip().removeprefix('npm:')}")
        position += len(line)
    for name, version, span, wanted in found:
        keys = tuple(by_descriptor[each] for each in wanted if each in by_descriptor)
        if name:
            key = f"{name}@{version}"
            reading.add(Package(NPM, name, version, span, key=key, needs=keys))
        else:
            roots += keys
    reading.roots = tuple(roots)
    return reading
