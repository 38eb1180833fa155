"""The user's folder as tools see it: files by relative path, read by the one reader.

What excludes a file from prompts excludes it here (`coai_agents.exclusions`), except that a file
that git ignores may be named: nobody names one by accident.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.run.gathering import files_in
from coai_agents.exclusions.decisions import ExclusionRules, Exclusions
from coai_agents.source import Source
from coai_agents.tools.errors import ToolError
from coai_routing.workspace_files import read_file

if TYPE_CHECKING:
    from pathlib import Path

    from coai_routing.settings.schema import Settings

MOST_BYTES: Final = 1_000_000
"""Of a file that a tool looks at."""

MOST_FILES: Final = 2000


NOTHING_MORE: Final = ExclusionRules(gitignored_context=True)
"""What is excluded whatever the settings say, and no more."""


def rules_of(settings: Settings) -> ExclusionRules:
    """Return what settings exclude from tools: all that `privacy.exclude` names."""
    return ExclusionRules(privacy=settings.privacy.exclude, gitignored_context=True)


@dataclass(frozen=True)
class Folder:
    """A workspace folder; `seen` are the files that were read of it."""

    root: Path
    rules: ExclusionRules = NOTHING_MORE
    seen: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        """Judge files by the rules, and by the folder's own ignore files."""
        exclusions = Exclusions(lambda _: self.rules, roots=[self.root])
        object.__setattr__(self, "_exclusions", exclusions)

    def source(self, name: str) -> Source:
        """Return a file of the folder, which counts as seen; raises `ToolError`."""
        source = self.shown(name)
        self.seen.add(name)
        return source

    def admit(self, name: str) -> None:
        """Raise `ToolError` for a file that something excludes."""
        exclusions: Exclusions = getattr(self, "_exclusions")  # noqa: B009 - of a frozen value
        if (refusal := exclusions.refusal(self.root / name, "context")) is not None:
            raise ToolError(
                f"{name} is not read: {refusal.sentence}",
                remedy="Name another file, or change what excludes this one.",
            )

    def shown(self, name: str) -> Source:
        """Return a file that is shown only if something in it is looked for; raises `ToolError`."""
        path = self.root / name
        try:
            text = self.content(name, MOST_BYTES).decode("utf-8")
        except UnicodeDecodeError as error:
            raise ToolError(f"{name} is not text in UTF-8.") from error
        return Source(path.as_uri(), text, "")

    def content(self, name: str, most: int) -> bytes:
        """Return a file's bytes; raises `ToolError`, also for one that something excludes."""
        path = self.root / name
        if not _inside(path, self.root):
            raise ToolError(f"{name} is outside of the workspace.")
        self.admit(name)
        try:
            return read_file(path, most, [self.root])
        except (OSError, ValueError) as error:  # ValueError: the name is none that a file can have
            raise ToolError(f"{name!r} cannot be read: {error}.") from error

    def files(self, below: str = "") -> list[str]:
        """Return the folder's files, without those that git ignores, by relative path."""
        start = self.root / below
        if not _inside(start, self.root):
            raise ToolError(f"{below} is outside of the workspace.")
        found = sorted(files_in([start]))[:MOST_FILES]
        return [each.relative_to(self.root).as_posix() for each in found]


def _inside(path: Path, root: Path) -> bool:
    try:
        real = os.path.realpath(path)
    except ValueError:  # the name is none that a file can have
        return False
    return real.startswith(os.path.realpath(root) + os.sep) or path == root
