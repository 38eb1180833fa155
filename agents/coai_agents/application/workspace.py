"""The code of a workspace's folders, as somebody wants it who looks at all of it again and again.

What the user, the settings or git exclude is left out, and so is what is too long. The state of a
file is known without its being read.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.run.gathering import TooManyNamesError, walk
from coai_agents.exclusions.decisions import ExclusionRules, Exclusions, Ground
from coai_agents.source import normal_language
from coai_agents.syntax.language import GRAMMARS
from coai_routing.workspace_files import read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from coai_routing.settings.loading import LoadedSettings

logger = logging.getLogger(__name__)

MOST_FILES: Final = 2_000
"""Files that are looked at; the log says so where there are more."""

MOST_BYTES: Final = 1_000_000
"""Longer files are looked at only when they are opened."""

MOST_ENTRIES: Final = 200_000
"""Names that are read in looking for files."""

_REST: Final = 20.0
"""A walk that took long is not repeated before so many times its own time is over."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the workspace as it is on disk."""

    path: Path
    state: str
    """What changes whenever the file does: its time and size."""


class WorkspaceCode:
    """The files of the workspace that are code, found again no more often than is cheap."""

    def __init__(self, settings: Callable[[], LoadedSettings]) -> None:
        """Take the settings, which say what is excluded."""
        self._settings = settings
        self._entries: tuple[Entry, ...] = ()
        self._until = 0.0
        self._of: tuple[int, tuple[Path, ...]] | None = None

    async def entries(self, roots: Sequence[Path], generation: int) -> Sequence[Entry]:
        """Return the files there are, walking no more than a twentieth of the time.

        Another `generation` says that the settings are others.
        """
        of = generation, tuple(roots)
        if self._of == of and monotonic() < self._until:
            return self._entries
        loaded = self._settings()

        def rules(folder: Path | None) -> ExclusionRules:
            # Whether what git ignores may be part of a prompt is another question.
            return replace(ExclusionRules.of(loaded.for_path(folder)), gitignored_context=False)

        started = monotonic()
        entries = await asyncio.to_thread(code_in, roots, Exclusions(rules, roots=roots))
        self._of, self._entries = of, entries
        self._until = monotonic() + _REST * (monotonic() - started)
        return entries

    def stale(self) -> None:
        """Take note that there may be other files now."""
        self._until = 0.0


def code_in(roots: Sequence[Path], exclusions: Exclusions) -> tuple[Entry, ...]:
    """Return the files of folders that are code and not excluded; takes a while."""
    found: dict[Path, Entry] = {}
    for root in roots:
        for path in _walked(root, exclusions):
            if len(found) >= MOST_FILES:
                logger.warning(
                    "The workspace has more than %d files: the others are looked at when opened.",
                    MOST_FILES,
                )
                return tuple(found.values())
            try:
                about = path.stat()
            except OSError:
                continue
            if about.st_size <= MOST_BYTES:
                found[path] = Entry(path, f"{about.st_mtime_ns}:{about.st_size}")
    return tuple(found.values())


def _walked(root: Path, exclusions: Exclusions) -> Iterator[Path]:
    try:
        yield from map(Path, walk(str(root), _Code(root, exclusions), MOST_ENTRIES))
    except TooManyNamesError:
        logger.warning("%s holds too many files to look for all that are code.", root)


@dataclass(frozen=True, slots=True)
class _Code:
    """The sieve of what is code and not excluded."""

    folder: Path
    exclusions: Exclusions

    def at(self, folder: str) -> _Code:
        """Return the same: the exclusions read the folder's own files."""
        del folder
        return self

    def below(self, name: str) -> _Code | None:
        """Return the same for a folder; None where a file of any name in it is excluded."""
        inner = self.folder / name
        refusal = self.exclusions.refusal(inner / "_", "context")
        excluded = refusal is not None and refusal.reason is not Ground.SECRET_FILE
        return None if excluded else _Code(inner, self.exclusions)

    def keeps(self, name: str) -> bool:
        """Say whether a file is code and not excluded."""
        path = self.folder / name
        known = normal_language("", path) in GRAMMARS
        return known and not self.exclusions.refusal(path, "context")


def read_code(path: Path, roots: Sequence[Path]) -> str | None:
    """Return a file's text, what is no UTF-8 replaced; None if it cannot or must not be read."""
    try:
        content = read_file(path, MOST_BYTES, roots)
    except OSError:
        return None
    return content.decode("utf-8", "replace").removeprefix("\ufeff")
