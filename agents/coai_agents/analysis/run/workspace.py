"""The functions of a workspace as the process knows them that analyses documents.

Which files there are is read when the first document is analysed, and again when one comes that was
not there. A file is summarised when a document calls a function of it, from the disk's memory of
analyses where that knows its text, and again when it has been written to since; and those that
lead through it. A document has so much time for files that nobody has summarised yet; the rest are
read while nothing is asked.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.analysis.run.gathering import files_in
from coai_agents.analysis.run.project import Project
from coai_agents.analysis.run.remembered import AnalysisCache, cache_path
from coai_agents.analysis.run.resolution import FAMILIES, Index
from coai_agents.analysis.run.survey import read
from coai_agents.source import Source, normal_language, path_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.analysis.dataflow.linking.outline import Outline
    from coai_agents.analysis.findings.findings import Analysis

MOST_FILES: Final = 20_000
"""Files of a workspace that are known; what comes after is not followed into."""

MOST_KEPT: Final = 2_000
"""Summaries that are kept in memory, the ones used last."""

DEEPEST: Final = 4
"""So many files lead into one another at most."""

SECONDS: Final = 0.4
"""For files that a document leads to and that nobody has summarised yet."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A file's summary, when the file was written, and the files that it leads to."""

    written: tuple[int, int]
    outline: Outline | None
    files: tuple[str, ...]


class Workspace:
    """The files of some folders, and what is known of their functions."""

    def __init__(self, folders: Sequence[Path], cache: AnalysisCache | None = None) -> None:
        self._folders = tuple(folders)
        self._cache = AnalysisCache(cache_path()) if cache is None else cache
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._project: Project | None = None
        self._deadline = 0.0
        self._under_way: list[str] = []
        self.waiting: OrderedDict[str, None] = OrderedDict()
        """Files that there was no time for."""
        self.summarised: list[str] = []
        """Files in the order in which they were read, for whoever counts."""

    def analyse(self, source: Source) -> Analysis:
        """Return what is wrong in a document, with the functions of other files followed."""
        path = path_of(source.uri)
        if path is None or not any(path.is_relative_to(each) for each in self._folders):
            return analyse(source)
        self._deadline = perf_counter() + SECONDS
        return self._linked(source, path, 0)[0]

    def read_waiting(self) -> bool:
        """Summarise one file that there was no time for; say whether there are more."""
        if self.waiting:
            name, _ = self.waiting.popitem(last=False)
            self._deadline = perf_counter() + SECONDS
            self._outline_of(name)
        return bool(self.waiting)

    def _linked(self, source: Source, path: Path, depth: int) -> tuple[Analysis, tuple[str, ...]]:
        """Return an analysis that knows other files' functions, and the files that it asked."""
        project = self._project_with(path)
        found = self._alone(source, path) if depth else analyse(source)
        if found.outline is None or depth >= DEEPEST:
            return found, ()
        links = project.links(path, source.text)
        if links is None:
            return found, ()
        project.forget()
        table, files = links.table(found)
        if table.functions:
            found = analyse(source, linked=links)
        return found, files

    def _alone(self, source: Source, path: Path) -> Analysis:
        """Return what is found in a file by itself, which may be known from another time."""
        key = self._cache.key_of(path, source.text)
        known = self._cache.known([key]).get(key)
        if known is None:
            known = analyse(source)
            self._cache.keep({key: known})
        return known

    def _project_with(self, path: Path) -> Project:
        known = self._project
        if known is None or (
            str(path) not in known.index.files and FAMILIES.get(normal_language("", path))
        ):
            files = list(islice(files_in(self._folders), MOST_FILES))
            index = Index.of([*files, path], lambda name: read(Path(name), self._folders) or "")
            known = self._project = Project(index, self._outline_of)
        return known

    def _outline_of(self, name: str) -> Outline | None:
        """Return what is known of a file; None if that is nothing, or there is no time for it."""
        if name in self._under_way or len(self._under_way) >= DEEPEST:
            return None
        written = _written(name)
        if written is None:
            return None
        known = self._known.get(name)
        if known is not None and known.written == written and self._are_unchanged(known.files):
            self._known.move_to_end(name)
            return known.outline
        if perf_counter() > self._deadline:
            self.waiting[name] = None
            return None if known is None else known.outline
        text = read(Path(name), self._folders)
        if text is None:
            return None
        self.summarised.append(name)
        self._under_way.append(name)
        try:
            source = Source(Path(name).as_uri(), text)
            found, files = self._linked(source, Path(name), len(self._under_way))
        finally:
            self._under_way.pop()
        if found.outline is not None and self._project is not None:
            self._project.defines(Path(name), found.outline)
        self._known[name] = _Known(written, found.outline, files)
        while len(self._known) > MOST_KEPT:
            self._known.popitem(last=False)
        return found.outline

    def _are_unchanged(self, files: Sequence[str]) -> bool:
        return all(
            (known := self._known.get(name)) is not None and known.written == _written(name)
            for name in files
        )


def _written(name: str) -> tuple[int, int] | None:
    try:
        status = Path(name).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
