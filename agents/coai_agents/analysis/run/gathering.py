"""The way through folders, and which of their files are looked at.

There is one way through folders (`walk`), and a `Sieve` says what of them counts. A second audit of
unchanged files takes most of its time for finding them, so this imports neither the settings nor
the parser, and reads each folder once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from coai_agents.analysis.texts.formats import is_named, is_read
from coai_agents.exclusions.folder import read_folder
from coai_agents.source import normal_language
from coai_routing.privacy.ignore_patterns import LAST, PatternsError, judge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from coai_agents.exclusions.folder import Folder
    from coai_routing.privacy.ignore_patterns import IgnoreFile

TEXTS: Final = frozenset(
    {".env", ".json", ".toml", ".yaml", ".yml", ".ini", ".cfg", ".conf", ".properties", ".xml"}
)
"""Suffixes of files that are no code and may hold secrets."""

SKIPPED: Final = frozenset(
    {".git", ".hg", ".svn", ".jj", ".venv", "venv", "node_modules", "__pycache__", ".tox"}
    | {".mypy_cache"}
)
"""Folders that hold nothing of the user's own."""

_IGNORE_CASE: Final = os.name == "nt"

_suffixes: Final[dict[str, bool]] = {}


class Sieve(Protocol):
    """What counts in one folder."""

    def at(self, folder: str) -> Sieve:
        """Return the same when the folder is read, which is when its own files may be."""
        ...

    def below(self, name: str) -> Sieve | None:
        """Return what counts in a folder of this name in the folder; None if nothing does."""
        ...

    def keeps(self, name: str) -> bool:
        """Say whether a file of this name in the folder counts."""
        ...


class TooManyNamesError(Exception):
    """A folder holds more names than anybody wants to wait for."""


def walk(top: str, sieve: Sieve, most: int | None = None) -> Iterator[str]:
    """Yield the files below a folder that count, a folder's own first, in the order of names.

    What links to a folder is a file here. Folders of `SKIPPED` are not entered, and one that cannot
    be read has no files. Raises `TooManyNamesError` when it has seen more than `most` names.
    """
    waiting: list[tuple[str, Sieve]] = [(top, sieve)]
    seen = 0
    while waiting:
        folder, above = waiting.pop()
        here = above.at(folder)
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            continue
        seen += len(entries)
        if most is not None and seen > most:
            raise TooManyNamesError(top)
        inner: list[tuple[str, Sieve]] = []
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                if here.keeps(entry.name):
                    yield entry.path
            elif entry.name not in SKIPPED and (below := here.below(entry.name)) is not None:
                inner.append((entry.path, below))
        waiting += reversed(inner)


class _Ignored:
    """The sieve of an audit: code and texts that the ignore files leave in.

    It holds these files, and how the folder is reached from where they begin.
    """

    def __init__(
        self,
        git: Mapping[int, IgnoreFile] | None = None,
        below: tuple[str, ...] = (),
        *,
        outer: Mapping[int, IgnoreFile] | None = None,
        inner: Mapping[int, IgnoreFile] | None = None,
        names: tuple[str, ...] = (),
    ) -> None:
        self._git = dict(git or {})
        self._below = below
        self._outer = dict(outer or {})
        self._inner = dict(inner or {})
        self._names = names

    def at(self, folder: str) -> _Ignored:
        """Return what holds in a folder, by its own files as well."""
        return self.within(read_folder(folder, ignore_case=_IGNORE_CASE), inside=True)

    def within(self, folder: Folder, *, inside: bool) -> _Ignored:
        """Return what holds in a folder that has these files; `inside` of what was asked for."""
        git, below = self._git, self._below
        if folder.is_repository:
            git, below = {}, ()
        if folder.gitignore is not None:
            git = {**git, len(below): folder.gitignore}
        if folder.git_exclude is not None:
            git = {**git, LAST: folder.git_exclude}
        outer, inner = self._outer, self._inner
        if folder.coaiignore is not None:
            at = {len(self._names): folder.coaiignore}
            outer, inner = (outer, {**inner, **at}) if inside else ({**outer, **at}, inner)
        return _Ignored(git, below, outer=outer, inner=inner, names=self._names)

    def below(self, name: str) -> _Ignored:
        """Return the same, one folder further down."""
        return _Ignored(
            self._git,
            (*self._below, name),
            outer=self._outer,
            inner=self._inner,
            names=(*self._names, name),
        )

    def without_git(self) -> _Ignored:
        """Return the same for what is in no repository."""
        return _Ignored(outer=self._outer, inner=self._inner, names=self._names)

    def keeps(self, name: str) -> bool:
        """Say whether a file of the folder is wanted, and not ignored."""
        return _is_wanted(name) and not self._holds(name)

    def _holds(self, name: str) -> bool:
        # What a workspace's own files say cannot take back what is said above it.
        for files, parts in (
            (self._git, self._below),
            (self._outer, self._names),
            (self._inner, self._names),
        ):
            try:
                if files and judge((*parts, name), files) is not None:
                    return True
            except PatternsError:
                continue  # What nobody can say of a file is no reason not to look at it.
        return False


def files_in(paths: Iterable[Path]) -> list[Path]:
    """Return the files to look at, without those that git ignores; named ones always."""
    found: dict[str, None] = {}
    for path in paths:
        whole = os.path.abspath(path)  # noqa: PTH100 - links stay as they are
        if not os.path.isdir(whole):  # noqa: PTH112 - as above, for each of thousands
            found[whole] = None
            continue
        found.update(dict.fromkeys(sorted(walk(whole, _above(whole)))))
    return [Path(name) for name in found]


def _above(folder: str) -> _Ignored:
    """Return what the folders above say; git looks no further up than its repository."""
    ignored = _Ignored()
    names = Path(folder).parts
    for count in range(1, len(names)):
        around = Path(*names[:count])
        there = read_folder(str(around), ignore_case=_IGNORE_CASE)
        ignored = ignored.within(there, inside=False).below(names[count])
    # Without a repository around, `.gitignore` files above what was asked for mean nothing.
    repositories = (Path(*names[:count], ".git") for count in range(1, len(names)))
    return ignored if any(each.exists() for each in repositories) else ignored.without_git()


def _is_wanted(name: str) -> bool:
    """Say whether a name is that of code, or of a text that may hold secrets."""
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - for each of thousands
    known = _suffixes.get(suffix)
    if known is None:
        known = suffix in TEXTS or normal_language("", Path(f"x{suffix}")) != "" or is_read(suffix)
        _suffixes[suffix] = known
    return (
        known or name.startswith(".env") or is_named(name) or normal_language("", Path(name)) != ""
    )
