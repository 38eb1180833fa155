"""Finds the files of a workspace that a trace's frames name, wherever the program ran.

A trace from a container or a colleague's machine has other folders before the same file: so a path
is tried whole, then without its first folders; the bare name that some runtimes write is looked for
in the workspace, and taken where it is the only one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.run.survey import files_in
from coai_agents.source import Source
from coai_routing.workspace_files import read_file

if TYPE_CHECKING:
    from coai_agents.specialists.diagnosing.problems import Frame, Problem

MOST_BYTES: Final = 2_000_000

_LIBRARIES: Final = re.compile(
    r"(?:^|/)(?:site-packages|dist-packages|node_modules|vendor|rustc|\.cargo|\.rustup|gems|"
    r"lib/python\d[\d.]*|go/pkg/mod|usr/(?:local/)?go/src|\.venv|venv)/|^node:|^<"
)


@dataclass(frozen=True, slots=True)
class Own:
    """A frame in a file of the workspace."""

    frame: Frame
    source: Source
    path: str
    """Relative to the workspace."""

    @property
    def is_there(self) -> bool:
        """Whether the file has that line; it may have changed since."""
        return 1 <= self.frame.line <= self.source.line_count


class Workspace:
    """The files of one folder, as frames name them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._read: dict[Path, Source | None] = {}

    def own_frames(self, problem: Problem) -> tuple[Own, ...]:
        """Return the frames in files of the workspace, innermost first."""
        return tuple(own for frame in problem.frames if (own := self.resolve(frame)) is not None)

    def resolve(self, frame: Frame) -> Own | None:
        """Return the file of a frame; None where it is a library's or is not there."""
        written = frame.path.replace("\\", "/")
        if _LIBRARIES.search(written):
            return None
        path = self._found(re.sub(r"^(?:\./|[A-Za-z]:/|/)+", "", written), written)
        source = None if path is None else self._source(path)
        if path is None or source is None:
            return None
        return Own(frame, source, path.relative_to(self._folder).as_posix())

    def _found(self, relative: str, written: str) -> Path | None:
        whole = Path(written)
        if whole.is_absolute() and whole.is_relative_to(self._folder):
            return whole if whole.is_file() else None
        parts = PurePosixPath(relative).parts
        if not parts or ".." in parts:
            return None
        for first in range(max(1, len(parts) - 1)):
            path = self._folder.joinpath(*parts[first:])
            if path.is_file():
                return path
        named = self._by_name.get(parts[-1], [])
        for count in range(len(parts), 0, -1):
            ending = [each for each in named if each.parts[-count:] == parts[-count:]]
            if ending:
                return ending[0] if len(ending) == 1 else None
        return None

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = defaultdict(list)
        for path in files_in([self._folder]):
            found[path.name].append(path)
        return found

    def _source(self, path: Path) -> Source | None:
        if path not in self._read:
            try:
                text = read_file(path, MOST_BYTES, [self._folder]).decode("utf-8-sig", "replace")
                self._read[path] = Source(path.as_uri(), text)
            except OSError:
                self._read[path] = None
        return self._read[path]
