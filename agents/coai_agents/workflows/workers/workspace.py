"""The user's folder as steps see it: files by relative path, read by the one reader."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.run.gathering import files_in
from coai_agents.source import Source
from coai_agents.workflows.engine.work import StepFailedError
from coai_routing.workspace_files import read_file

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES: Final = 1_000_000
"""Of a file that a step looks at."""

MOST_FILES: Final = 2000


@dataclass(frozen=True, slots=True)
class Folder:
    """A workspace folder; `seen` are the files that were read of it."""

    root: Path
    seen: set[str] = field(default_factory=set[str])

    def source(self, name: str) -> Source:
        """Return a file of the folder, which counts as seen; raises `StepFailedError`."""
        source = self.peek(name)
        self.seen.add(name)
        return source

    def peek(self, name: str) -> Source:
        """Return a file of which nothing is shown; raises `StepFailedError`."""
        path = self.root / name
        try:
            if not _inside(path, self.root):
                raise StepFailedError(f"{name} is outside of the workspace.", again=False)
            content = read_file(path, MOST_BYTES, [self.root])
            text = content.decode("utf-8")
        except (OSError, ValueError) as error:
            # ValueError: it is no UTF-8, or the name is none that a file can have.
            raise StepFailedError(f"{name!r} cannot be read: {error}.", again=False) from error
        return Source(path.as_uri(), text, "")

    def files(self, below: str = "") -> list[str]:
        """Return the folder's files, without those that git ignores, by relative path."""
        start = self.root / below
        if not _inside(start, self.root):
            raise StepFailedError(f"{below} is outside of the workspace.", again=False)
        found = sorted(files_in([start]))[:MOST_FILES]
        return [each.relative_to(self.root).as_posix() for each in found]


def _inside(path: Path, root: Path) -> bool:
    if "\0" in str(path):
        return False
    return os.path.realpath(path).startswith(os.path.realpath(root) + os.sep) or path == root
