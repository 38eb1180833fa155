"""The module graph of a workspace: which file imports which, as each language resolves imports."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from coai_agents.context.imports import Place, import_paths
from coai_agents.context.outlines import Imported
from coai_agents.syntax.imports import imports
from coai_agents.syntax.tree import parse
from coai_routing.workspace_files import read_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from coai_agents.source import Source

_MOST_BYTES: Final = 1_000_000
"""Of a `go.mod`."""

_GO_MODULE: Final = re.compile(r"^module\s+(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ModuleGraph:
    """Files of a folder and the imports among them."""

    lines: Mapping[str, int]
    """How many lines each file has; the files are named relative to the folder."""
    imports: Mapping[str, Mapping[str, frozenset[str]]]
    """What each file takes from which other: names, or `*` for the module as a whole."""
    outside: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    """The modules of each file that are not in the folder: the standard library's and others'."""

    @property
    def files(self) -> tuple[str, ...]:
        """All files, sorted."""
        return tuple(sorted(self.lines))

    def importers(self) -> dict[str, set[str]]:
        """Return for each file those that import it."""
        found: dict[str, set[str]] = {file: set() for file in self.lines}
        for file, taken in self.imports.items():
            for other in taken:
                found[other].add(file)
        return found


def module_graph(folder: Path, sources: Iterable[Source]) -> ModuleGraph:
    """Build the graph of sources that lie in a folder; what has no grammar has no imports.

    Only what is among the sources is a module: an import of anything else is `outside`.
    """
    named = {_relative(source, folder): source for source in sources}
    known = {name: source for name, source in named.items() if name is not None}
    lookup = _Lookup(tuple(known), folder)
    edges: dict[str, dict[str, frozenset[str]]] = {}
    outside: dict[str, frozenset[str]] = {}
    for name, source in known.items():
        edges[name], outside[name] = _imports_of(name, source, lookup)
    lines = {name: source.line_count for name, source in known.items()}
    return ModuleGraph(lines, edges, outside)


def _relative(source: Source, folder: Path) -> str | None:
    path = source.path
    if path is None or not path.is_relative_to(folder):
        return None
    return path.relative_to(folder).as_posix()


class _Lookup:
    """Finds the files of import paths among those that are known."""

    def __init__(self, files: tuple[str, ...], folder: Path) -> None:
        self._files = frozenset(files)
        self._by_folder: dict[str, list[str]] = defaultdict(list)
        for file in files:
            self._by_folder[str(PurePosixPath(file).parent)].append(file)
        self._tops = tuple(sorted({file.split("/")[0] for file in files if "/" in file}))
        self._go = _go_modules(files, folder)

    def place(self, file: str) -> Place:
        path = PurePosixPath(file)
        module = next((self._go[str(up)] for up in path.parents if str(up) in self._go), None)
        return Place(path, self._tops, module)

    def find(self, paths: Iterable[str]) -> list[str]:
        """Return the files of the first path that is there."""
        for path in paths:
            if path in self._files:
                return [path]
            folder, _, pattern = path.rpartition("/")
            if pattern.startswith("*."):
                found = [
                    file
                    for file in self._by_folder.get(folder or ".", ())
                    if file.endswith(pattern[1:]) and not file.endswith("_test.go")
                ]
                if found:
                    return found
        return []


def _go_modules(files: tuple[str, ...], folder: Path) -> dict[str, tuple[str, PurePosixPath]]:
    """Return the names of Go modules by the folders that have a `go.mod`."""
    found: dict[str, tuple[str, PurePosixPath]] = {}
    folders = {up for file in files if file.endswith(".go") for up in PurePosixPath(file).parents}
    for each in folders:
        try:
            content = read_file(folder / each / "go.mod", _MOST_BYTES, (folder,))
        except OSError:
            continue
        if match := _GO_MODULE.search(content.decode(errors="replace")):
            found[str(each)] = (match[1], each)
    return found


def _imports_of(
    name: str, source: Source, lookup: _Lookup
) -> tuple[dict[str, frozenset[str]], frozenset[str]]:
    tree = parse(source)
    taken: dict[str, set[str]] = defaultdict(set)
    outside: set[str] = set()
    place = lookup.place(name)
    for each in () if tree is None else imports(tree):
        wanted = Imported(each.module, each.name, each.local_name)
        files = lookup.find(import_paths(source.language, wanted, place))
        for file in files:
            if file != name:
                taken[file].add(each.name or "*")
        if not files and each.module:
            outside.add(each.module)
    return {file: frozenset(names) for file, names in taken.items()}, frozenset(outside)
