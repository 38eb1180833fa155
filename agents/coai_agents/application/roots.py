"""The folders that a client may have looked at; a path that leads out of them is refused.

A path is checked with its links followed, and a file is opened only if it is still inside.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from coai_agents.source import Source
from coai_agents.specialists.targets import parse_target
from coai_routing.errors import CoaiError
from coai_routing.workspace_files import read_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.specialists.targets import Target

MOST_BYTES: Final = 20_000_000
"""Of a source file; what is larger nobody has written."""


class PathError(CoaiError):
    """A path is outside of the roots, is not there, or is no text."""


class OutsideError(PathError):
    """A path leads out of the folders that may be looked at."""


class Place(NamedTuple):
    """A file or folder inside of a root."""

    root: Path
    path: Path

    @property
    def name(self) -> str:
        """The path as settings' patterns name it: relative to its root, with slashes."""
        return self.path.relative_to(self.root).as_posix()


class Roots:
    """The folders that a client named when it began."""

    def __init__(self, folders: Sequence[Path], directory: Path | None = None) -> None:
        """Take folders; raises `PathError` for what is none.

        `directory` is the client's working directory, this process's unless given.
        """
        self.directory = directory or Path.cwd()
        self.folders = tuple(Path(os.path.realpath(each)) for each in folders)
        for each in self.folders:
            if not each.is_dir():
                raise PathError(f"{each} is no folder.")

    def place(self, written: str) -> Place:
        """Return where a path leads; a relative one begins at the first root.

        Raises `PathError`, which tells nothing of what is outside.
        """
        try:
            real = Path(os.path.realpath(self.folders[0] / (written or ".")))
        except (OSError, ValueError) as error:
            raise PathError("That is no path.") from error
        root = next((each for each in self.folders if real.is_relative_to(each)), None)
        if root is None:
            raise OutsideError(
                f"{written} is outside of the folders that may be looked at.",
                remedy="`--root DIR` names another when it is started.",
            )
        if not real.exists():
            raise PathError(f"{written} is not there.")
        return Place(root, real)

    def target(self, written: str) -> tuple[Place, Target]:
        """Read `PATH`, `PATH:LINE`, `PATH:LINE-LINE` or `PATH:SYMBOL`; raises `PathError`."""
        target = parse_target(written)
        place = self.place(target.file)
        return place, replace(target, file=place.name)

    def source(self, place: Place) -> Source:
        """Read a file; raises `PathError`."""
        if place.path.is_dir():
            raise PathError(f"{place.name} is a folder.", remedy="Name a file.")
        try:
            text = read_file(place.path, MOST_BYTES, [place.root]).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise PathError(f"{place.name} is not text in UTF-8.") from error
        except OSError as error:
            raise PathError(f"{place.name} cannot be read: {error.strerror or error}.") from error
        return Source(place.path.as_uri(), text)
