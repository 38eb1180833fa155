"""What a directory's own files say about what is in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_routing.privacy.ignore_patterns import parse_ignore_file
from coai_routing.workspace_files import read_file

if TYPE_CHECKING:
    from coai_routing.privacy.ignore_patterns import IgnoreFile

COAIIGNORE: Final = ".coaiignore"
GITIGNORE: Final = ".gitignore"

MOST_BYTES: Final = 128 * 1024
"""A longer ignore file is not read, and what it speaks of is refused."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An ignore file that is there and could not be read, or has more in it than people write."""

    file: str
    why: str


@dataclass(frozen=True, slots=True)
class Folder:
    """A directory's ignore files."""

    coaiignore: IgnoreFile | None
    gitignore: IgnoreFile | None
    git_exclude: IgnoreFile | None
    is_repository: bool
    unreadable: tuple[Unreadable, ...]
    """The ignore files that are there and could not be read."""

    @property
    def patterns(self) -> int:
        """How many patterns its files have."""
        files = (self.coaiignore, self.gitignore, self.git_exclude)
        return sum(len(file.patterns) for file in files if file is not None)


def read_folder(name: str, *, ignore_case: bool) -> Folder:
    """Read a directory's ignore files; one that is there and cannot be read is named."""
    folder = Path(name)
    git = folder / ".git"
    unreadable: list[Unreadable] = []
    files: list[IgnoreFile | None] = []
    for path in (folder / COAIIGNORE, folder / GITIGNORE, git / "info" / "exclude"):
        file = None
        try:
            text = _text_of(path)
            if text is not None:
                file = parse_ignore_file(str(path), text, ignore_case=ignore_case)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            unreadable.append(Unreadable(str(path), why))
        files.append(file)
    return Folder(*files, is_repository=_is_repository(git), unreadable=tuple(unreadable))


def _is_repository(git: Path) -> bool:
    """Say whether `.git` is a repository, or a file that says where it is."""
    try:
        return git.is_file() or (git / "HEAD").exists()
    except OSError:
        return False


def _text_of(path: Path) -> str | None:
    """Return an ignore file's text, None if there is none.

    Raises OSError or ValueError if there is something that cannot be read as one.
    """
    try:
        # What a link leads to is only asked what it takes away, so it may be anywhere.
        content = read_file(path, MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    # Names on disk may hold what is not UTF-8; they come to us in the same form.
    return content.decode("utf-8", "surrogateescape")
