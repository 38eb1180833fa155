"""Why a file is refused, and what the ignore files above it say."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from coai_agents.exclusions.folder import COAIIGNORE, Folder, Unreadable
from coai_routing.privacy.ignore_patterns import LAST, judge

if TYPE_CHECKING:
    from collections.abc import Sequence


class Ground(StrEnum):
    """Why a file is refused."""

    SECRET_FILE = "secret_file"  # noqa: S105 - the name of a reason, no password
    COAIIGNORE = "coaiignore"
    SETTING = "setting"
    GITIGNORE = "gitignore"
    OUTSIDE = "outside"
    """The file, or what it points to, is in no folder of the workspace."""
    UNREADABLE = "unreadable"
    """An ignore file that is there could not be read, so nobody knows what it says."""
    NOT_JUDGED = "not_judged"
    """Nobody has looked at the file yet, and this is no moment to do it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file must be left alone, and what says so."""

    reason: Ground
    pattern: str = ""
    file: str = ""
    """The ignore file or the setting that has the pattern."""
    why: str = field(default="", compare=False)
    """What is wrong with the ignore file, where that is the reason."""

    @property
    def sentence(self) -> str:
        """What excludes the file, for a reader."""
        match self.reason:
            case Ground.SECRET_FILE:
                return f"It matches `{self.pattern}`, as files with secrets do."
            case Ground.OUTSIDE:
                return "It is outside of the workspace's folders."
            case Ground.UNREADABLE:
                return f"{self.file} cannot be read{': ' if self.why else ''}{self.why}."
            case Ground.NOT_JUDGED:
                return "It has not been looked at yet."
            case _:
                return f"It matches `{self.pattern}` in {self.file}."


def by_coaiignore(names: Sequence[str], folders: Sequence[Folder], inside: int) -> Refusal | None:
    """Judge by `.coaiignore` files; `inside` is the number of names that lead to the workspace.

    What is above the workspace is the user's, what is in it may be anybody's: so the files within
    cannot take back what those above exclude.
    """
    for folder in folders:
        for broken in folder.unreadable:
            if broken.file.endswith(COAIIGNORE):
                return _unreadable(broken)
    top = inside - 1
    outer = {n: f.coaiignore for n, f in enumerate(folders[:top]) if f.coaiignore is not None}
    inner = {n: f.coaiignore for n, f in enumerate(folders[top:]) if f.coaiignore is not None}
    for parts, files in ((names[1:], outer), (names[inside:], inner)):
        if files and parts and (found := judge(parts, files)) is not None:
            return Refusal(Ground.COAIIGNORE, found[1], found[0].name)
    return None


def by_git(names: Sequence[str], folders: Sequence[Folder], inside: int) -> Refusal | None:
    """Judge by the `.gitignore` files of the innermost repository, or else of the workspace."""
    if ".git" in names[:-1]:
        return Refusal(Ground.GITIGNORE, ".git", "git itself")
    repositories = [n for n, folder in enumerate(folders) if folder.is_repository]
    top = repositories[-1] if repositories else min(inside, len(folders)) - 1
    for folder in folders[top:]:
        for broken in folder.unreadable:
            return _unreadable(broken)
    files = {n: f.gitignore for n, f in enumerate(folders[top:]) if f.gitignore is not None}
    if (exclude := folders[top].git_exclude) is not None:
        files[LAST] = exclude
    found = judge(names[top + 1 :], files) if files else None
    return None if found is None else Refusal(Ground.GITIGNORE, found[1], found[0].name)


def _unreadable(broken: Unreadable) -> Refusal:
    return Refusal(Ground.UNREADABLE, file=broken.file, why=broken.why)
