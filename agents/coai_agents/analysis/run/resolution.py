"""From the path that a file has for a function to the file that defines it, as languages do it.

Nothing is run and no configuration is read but the name of a Go module: a path leads to files that
are there. Where a language finds names by what is declared and not by where (namespaces in C# and
PHP, constants in Ruby), the file is the one that is named like the class, or the only one that is
known to define it.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from coai_agents.source import normal_language

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

ECMASCRIPT: Final = (".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts")

MOST_UP: Final = 12
"""Folders above a file that an absolute import may begin in."""

FAMILIES: Final = {
    "python": "python",
    "javascript": "ecmascript",
    "javascriptreact": "ecmascript",
    "typescript": "ecmascript",
    "typescriptreact": "ecmascript",
    "java": "java",
    "csharp": "csharp",
    "go": "go",
    "php": "php",
    "ruby": "ruby",
}
"""The languages between whose files values are followed, those together that import one another."""

_REQUIRED: Final = re.compile(
    r"""(?:require_relative|(?:require|include)(?:_once)?)[\s(]*(?:__DIR__\s*\.\s*)?["']([\w./-]{1,200})["']"""
)
_GO_IMPORT: Final = re.compile(
    r'^\s*(?:import\s+)?(?:([\w.]{1,80})\s+)?"([\w./~-]{1,200})"', re.MULTILINE
)
_MODULE: Final = re.compile(r"^module\s+(\S{1,200})", re.MULTILINE)


@dataclass(slots=True)
class Index:
    """The files of a workspace, by what imports may call them."""

    files: frozenset[str]
    read: Callable[[str], str]
    """Returns a file's text, nothing for one that cannot be read."""
    stems: dict[tuple[str, str], list[str]] = field(
        default_factory=lambda: defaultdict[tuple[str, str], list[str]](list)
    )
    folders: dict[str, list[str]] = field(default_factory=lambda: defaultdict[str, list[str]](list))
    """Go's files, by their folders: a package is a folder."""
    defined: dict[tuple[str, str], set[str]] = field(
        default_factory=lambda: defaultdict[tuple[str, str], set[str]](set)
    )
    """Files that are known to define a class, by family and name."""
    modules: dict[str, str] = field(default_factory=dict[str, str])
    """What Go's modules are called, by their folders."""
    entries: dict[str, set[str]] = field(default_factory=lambda: defaultdict[str, set[str]](set))
    """What each folder has of Python's modules and packages, by their names."""
    resolved: dict[tuple[str, str], tuple[tuple[str, str], ...]] = field(
        default_factory=dict[tuple[str, str], tuple[tuple[str, str], ...]]
    )
    """What paths lead to from a folder, as far as it was looked up."""

    @classmethod
    def of(cls, files: Iterable[Path], read: Callable[[str], str]) -> Index:
        """Return the index of some files."""
        families: dict[str, str] = {}
        for path in files:
            family = FAMILIES.get(normal_language("", path))
            if family is not None:
                families[str(path)] = family
        index = cls(frozenset(families), read)
        for name, family in families.items():
            folder, _, last = name.rpartition(os.sep)
            if family == "python":
                index.entries[folder].add(last.partition(".")[0])
                while folder:
                    folder, _, last = folder.rpartition(os.sep)
                    if last in index.entries[folder]:
                        break
                    index.entries[folder].add(last)
            elif family == "go":
                if not last.endswith("_test.go"):
                    index.folders[folder].append(name)
            else:
                index.stems[family, last.partition(".")[0]].append(name)
        return index


@dataclass(frozen=True, slots=True)
class Here:
    """The file whose paths are looked up."""

    path: str
    family: str
    text: str

    @property
    def folder(self) -> str:
        """The folder that it is in."""
        return self.path.rpartition(os.sep)[0]


def targets(path: str, here: Here, index: Index) -> Iterator[tuple[str, str]]:
    """Yield files that a path may lead to, and the name that is meant there, likely ones first."""
    look = {
        "python": _python,
        "ecmascript": _ecmascript,
        "java": _java,
        "csharp": _by_class,
        "php": _by_class,
        "ruby": _by_class,
        "go": _go,
    }[here.family]
    # What is required is told by the text, so it is another for each file.
    by_text = here.family in ("ruby", "php", "go")
    key = (here.path if by_text else here.folder, path)
    known = index.resolved.get(key)
    if known is None:
        known = index.resolved[key] = tuple(dict.fromkeys(look(path, here, index)))
    for file, name in known:
        if file != here.path:
            yield file, name


def _python(path: str, here: Here, index: Index) -> Iterator[tuple[str, str]]:
    rest = path.lstrip(".")
    dots = len(path) - len(rest)
    parts = rest.split(".")
    if dots:
        base = here.folder
        for _ in range(dots - 1):
            base = base.rpartition(os.sep)[0]
        yield from _modules(base, parts, index, least=0)
        return
    base = here.folder
    for _ in range(MOST_UP):
        for each in (base, f"{base}{os.sep}src"):
            if each in index.entries and parts[0] in index.entries[each]:
                yield from _modules(each, parts, index, least=1)
        if not base:
            return
        base = base.rpartition(os.sep)[0]


def _modules(base: str, parts: list[str], index: Index, least: int) -> Iterator[tuple[str, str]]:
    for count in range(len(parts), least - 1, -1):
        stem = os.sep.join((base, *parts[:count]))  # noqa: PTH118 - many
        for file in (f"{stem}.py", os.path.join(stem, "__init__.py")):  # noqa: PTH118 - many
            if file in index.files:
                yield file, ".".join(parts[count:])


def _ecmascript(path: str, here: Here, index: Index) -> Iterator[tuple[str, str]]:
    bases = [here.folder]
    if path.startswith(("@/", "~/")):
        path = f"./{path[2:]}"
        above = here.folder
        for _ in range(MOST_UP):
            bases += [above, f"{above}{os.sep}src"]
            above = above.rpartition(os.sep)[0]
        bases = bases[1:]
    elif not path.startswith("."):
        return
    start = path.rpartition("/")[2]
    head = path[: len(path) - len(start)]
    parts = start.split(".")
    for count in range(len(parts), 0, -1):
        spec = head + ".".join(parts[:count])
        for base in bases:
            stem = os.path.normpath(os.path.join(base, spec))  # noqa: PTH118 - many
            plain = re.sub(r"\.[mc]?js$", "", stem)
            for each in dict.fromkeys((stem, plain)):
                names = (each, *(f"{each}{end}" for end in ECMASCRIPT))
                inside = (f"{each}{os.sep}index{end}" for end in ECMASCRIPT)
                for file in (*names, *inside):
                    if file in index.files:
                        yield file, ".".join(parts[count:])


def _java(path: str, here: Here, index: Index) -> Iterator[tuple[str, str]]:
    parts = path.split(".")
    at = next((at for at, part in enumerate(parts) if part[:1].isupper()), None)
    if at is None:
        return
    name, member = parts[at], ".".join(parts[at:])
    package = os.sep.join(parts[:at])  # noqa: PTH118 - many
    for class_ in (name, f"{name}Impl"):
        found = index.stems.get(("java", class_), [])
        if package:
            end = f"{os.sep}{package}{os.sep}{class_}.java"
            chosen = [file for file in found if file.endswith(end)]
        else:
            near = [file for file in found if file.rpartition(os.sep)[0] == here.folder]
            chosen = near or (found if len(found) == 1 else [])
        for file in chosen:
            yield file, class_ + member[len(name) :]
            if member.count(".") > 1:
                yield file, ".".join(member.split(".")[-2:])


def _by_class(path: str, here: Here, index: Index) -> Iterator[tuple[str, str]]:
    parts = [part.lstrip("\\") for part in path.split(".")]
    for at in range(len(parts) - 1, -1, -1):
        name = parts[at]
        if not name[:1].isupper():
            continue
        for class_ in _conventional(name, here.family):
            known = index.stems.get((here.family, _file_of(class_, here.family)), [])
            found = known if len(known) == 1 else list(index.defined.get((here.family, class_), ()))
            near = [file for file in known if file.rpartition(os.sep)[0] == here.folder]
            for file in found if len(found) == 1 else near:
                yield file, ".".join((class_, *parts[at + 1 :]))
    if len(parts) == 1 or here.family == "ruby":
        for file in _required(here, index):
            yield file, parts[-1]


def _conventional(name: str, family: str) -> tuple[str, ...]:
    """Return a class's name, and that of what implements it, by how these are named."""
    if family == "csharp" and re.match(r"I[A-Z]", name):
        return name[1:], name
    return (name,)


def _file_of(class_: str, family: str) -> str:
    if family != "ruby":
        return class_
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", class_).lower()


def _required(here: Here, index: Index) -> Iterator[str]:
    end = ".rb" if here.family == "ruby" else ""
    for match in _REQUIRED.finditer(here.text):
        name = match[1].lstrip("/")
        file = os.path.normpath(os.path.join(here.folder, name))  # noqa: PTH118 - many
        for each in (file, f"{file}{end}"):
            if each in index.files:
                yield each


def _go(path: str, here: Here, index: Index) -> Iterator[tuple[str, str]]:
    first, _, rest = path.partition(".")
    folder = here.folder
    member = path
    if rest:
        imported = _imported(first, here)
        if imported:
            folder = _package(imported, here, index)
            member = rest
    for file in index.folders.get(folder, ()) if folder else ():
        yield file, member


def _imported(name: str, here: Here) -> str:
    for alias, path in _GO_IMPORT.findall(here.text):
        last = path.rpartition("/")[2]
        if name == (alias or last):
            return path
    return ""


def _package(path: str, here: Here, index: Index) -> str:
    """Return the folder of a package of the module that a file is in; nothing for another's."""
    folder = here.folder
    while folder:
        if folder not in index.modules:
            found = _MODULE.search(index.read(f"{folder}{os.sep}go.mod"))
            index.modules[folder] = found[1] if found else ""
        module = index.modules[folder]
        if module:
            inside = path.removeprefix(module)
            return folder + inside.replace("/", os.sep) if path.startswith(module) else ""
        folder = folder.rpartition(os.sep)[0]
    return ""
