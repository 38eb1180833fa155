"""Which files may be completed in, and which may be read into a prompt.

Four things exclude a file, in this order:

- it usually holds secrets (`.env`, keys, ...): never read nor completed in, whatever is set;
- a `.coaiignore` (gitignore syntax, in its directory or any above): the same;
- the settings `privacy.exclude`, the same, and `completion.exclude`, for completions only;
- for a prompt about another file: git ignores it, unless `completion.gitignored_context`, or it
  lies outside of the workspace.

A symbolic link is judged by its own path and by that of what it points to; either excludes.

What was decided is kept, so that asking again costs a look into a dictionary. A path that was never
asked about is judged at once, because a `.coaiignore` must not be missed for not having been read
yet. That costs a `realpath`, and for each directory above it that is new five `stat` calls and the
reading of the ignore files that are there, of at most 256 KB each. Paths are at most 64 directories
deep; deeper ones are refused. `refresh` reads again what changed on disk and judges all known
paths anew, in a thread; `forget` makes the next question look at the disk again.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from coai_agents.exclusions_folder import COAIIGNORE, GITIGNORE, Folder, read_folder
from coai_routing.ignore_patterns import LAST, judge, parse_ignore_file
from coai_agents.source import path_of
from coai_routing.secret_files import secret_file_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from coai_routing.settings import Settings

Use = Literal["completion", "context"]
"""Completing in a file, or showing it in the prompt for another one."""

DEEPEST: Final = 64
"""Directories above a file that are looked at; what lies deeper is refused."""

MOST_DECISIONS: Final = 8192
"""Decisions kept; with more, all are forgotten and made again when asked for."""

IGNORE_CASE: Final = sys.platform in ("win32", "darwin")
"""Whether file systems usually take `Build` and `build` for the same."""

_ATTEMPTS: Final = 3

_WATCHED: Final = frozenset({COAIIGNORE, GITIGNORE, ".git", "exclude"})
_USES: Final[tuple[Use, ...]] = ("completion", "context")


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

    @property
    def sentence(self) -> str:
        """What excludes the file, for a reader."""
        match self.reason:
            case Ground.SECRET_FILE:
                return f"It matches `{self.pattern}`, as files with secrets do."
            case Ground.OUTSIDE:
                return "It is outside of the workspace's folders."
            case Ground.UNREADABLE:
                return f"{self.file} cannot be read."
            case Ground.NOT_JUDGED:
                return "It has not been looked at yet."
            case _:
                return f"It matches `{self.pattern}` in {self.file}."


@dataclass(frozen=True, slots=True)
class ExclusionRules:
    """What the settings of a workspace folder say about its files."""

    completion: tuple[str, ...] = ()
    """`completion.exclude`."""
    privacy: tuple[str, ...] = ()
    """`privacy.exclude`."""
    gitignored_context: bool = False
    """`completion.gitignored_context`."""

    @classmethod
    def of(cls, settings: Settings) -> ExclusionRules:
        """Take the rules from settings."""
        return cls(
            completion=settings.completion.exclude,
            privacy=settings.privacy.exclude,
            gitignored_context=settings.completion.gitignored_context,
        )


@dataclass(frozen=True, slots=True)
class _Root:
    path: str
    real: str


@dataclass(frozen=True, slots=True)
class _Decision:
    root: Path | None
    rules: ExclusionRules
    refusal: Refusal | None


@dataclass(slots=True)
class _State:
    """All that was read and decided; replaced as a whole when it is out of date."""

    roots: tuple[_Root, ...]
    folders: dict[str, Folder]
    decisions: dict[tuple[str, Use], _Decision]


class Exclusions:
    """Decides about files. May be asked from any thread."""

    def __init__(
        self,
        rules: Callable[[Path | None], ExclusionRules],
        *,
        roots: Iterable[Path] = (),
        ignore_case: bool = IGNORE_CASE,
    ) -> None:
        """`rules` gives the settings of a workspace folder, of None outside of any.

        A change of them takes effect by itself: they are asked for with every question, so the
        answer must be at hand.
        """
        self._rules = rules
        self._ignore_case = ignore_case
        self._state = _State(_roots(roots), {}, {})

    @property
    def roots(self) -> tuple[Path, ...]:
        """The workspace's folders."""
        return tuple(Path(root.path) for root in self._state.roots)

    def set_roots(self, roots: Iterable[Path]) -> None:
        """Take the workspace's folders as they are now."""
        self._state = _State(_roots(roots), self._state.folders, {})

    def refusal(self, path: Path | str, for_: Use) -> Refusal | None:
        """Return why a file must not be used, or None if it may be."""
        state = self._state
        key = (os.fspath(path), for_)
        decision = state.decisions.get(key)
        if decision is None or self._rules(decision.root) != decision.rules:
            decision = self._decide(state, key, self._rules)
            if len(state.decisions) >= MOST_DECISIONS:
                state.decisions.clear()
            state.decisions[key] = decision
        return decision.refusal

    def known_refusal(self, path: Path | str, for_: Use) -> Refusal | None:
        """Return the same without ever looking at the disk: what is not known is refused."""
        decision = self._state.decisions.get((os.fspath(path), for_))
        if decision is None or self._rules(decision.root) != decision.rules:
            return Refusal(Ground.NOT_JUDGED)
        return decision.refusal

    def forget(self, path: Path) -> None:
        """Take note that a file or directory appeared, changed or went away.

        Only ignore files, `.git` and symbolic links matter; for any other file nothing changes.
        """
        state = self._state
        if path.name in _WATCHED:
            self._state = _State(state.roots, {}, {})
        else:
            for use in _USES:
                state.decisions.pop((os.fspath(path), use), None)

    async def refresh(self) -> None:
        """Read again what changed on disk, and judge all known paths anew, in a thread.

        Also prepares what the first question needs, so call it when the server starts. What is
        asked meanwhile is answered from what was known before.
        """
        for _ in range(_ATTEMPTS):
            state = self._state
            owners = (None, *(Path(root.path) for root in state.roots))
            rules = {root: self._rules(root) for root in owners}
            fresh = await asyncio.to_thread(self._reread, state, rules)
            if self._state is state:
                self._state = fresh
                return

    def _reread(self, state: _State, rules: Mapping[Path | None, ExclusionRules]) -> _State:
        roots = _roots(Path(root.path) for root in state.roots)
        fresh = _State(roots, {}, {})
        for root in roots:
            _folder(fresh, root.path, ignore_case=self._ignore_case)
        secret_file_pattern(Path())
        for key in tuple(state.decisions):
            fresh.decisions[key] = self._decide(fresh, key, rules.__getitem__)
        return fresh

    def _decide(
        self, state: _State, key: tuple[str, Use], rules_of: Callable[[Path | None], ExclusionRules]
    ) -> _Decision:
        name, use = key
        path = os.path.abspath(name)  # noqa: PTH100 - it takes `..` out without asking the disk
        real = os.path.realpath(path)
        root = _root_of(path, [root.path for root in state.roots])
        real_root = _root_of(real, [root.real for root in state.roots])
        owner = None if root is None else Path(root)
        rules = rules_of(owner)
        refusal = self._judge(state, path, root, rules, use)
        if refusal is None and real != path:
            refusal = self._judge(state, real, real_root, rules, use)
        if refusal is None and use == "context" and (root is None or real_root is None):
            refusal = Refusal(Ground.OUTSIDE)
        return _Decision(owner, rules, refusal)

    def _judge(
        self, state: _State, path: str, root: str | None, rules: ExclusionRules, use: Use
    ) -> Refusal | None:
        if (pattern := secret_file_pattern(Path(path))) is not None:
            return Refusal(Ground.SECRET_FILE, pattern)
        names = Path(path).parts
        if len(names) - 1 > DEEPEST:
            return Refusal(Ground.UNREADABLE, file=f"What is {DEEPEST} directories deep")
        above = [str(Path(*names[:count])) for count in range(1, len(names))]
        folders = [_folder(state, name, ignore_case=self._ignore_case) for name in above]
        inside = len(names) if root is None else len(Path(root).parts)
        return (
            _by_coaiignore(names, folders, inside)
            or self._by_settings(names if root is None else names[inside:], root, rules, use)
            or (_by_git(names, folders, inside) if _heeds_git(use, rules) else None)
        )

    def _by_settings(
        self, parts: Sequence[str], root: str | None, rules: ExclusionRules, use: Use
    ) -> Refusal | None:
        # A pattern is relative to a workspace folder. Outside of any, only the name is compared.
        parts = parts[-1:] if root is None else parts
        asked = {"privacy.exclude": rules.privacy}
        if use == "completion":
            asked["completion.exclude"] = rules.completion
        for name, patterns in asked.items():
            if not patterns:
                continue
            file = parse_ignore_file(name, "\n".join(patterns), ignore_case=self._ignore_case)
            if (found := judge(parts, {0: file})) is not None:
                return Refusal(Ground.SETTING, found[1], name)
        return None


def _heeds_git(use: Use, rules: ExclusionRules) -> bool:
    return use == "context" and not rules.gitignored_context


def _by_coaiignore(names: Sequence[str], folders: Sequence[Folder], inside: int) -> Refusal | None:
    """Judge by `.coaiignore` files; `inside` is the number of names that lead to the workspace.

    What is above the workspace is the user's, what is in it may be anybody's: so the files within
    cannot take back what those above exclude.
    """
    for folder in folders:
        for file in folder.unreadable:
            if file.endswith(COAIIGNORE):
                return Refusal(Ground.UNREADABLE, file=file)
    top = inside - 1
    outer = {n: f.coaiignore for n, f in enumerate(folders[:top]) if f.coaiignore is not None}
    inner = {n: f.coaiignore for n, f in enumerate(folders[top:]) if f.coaiignore is not None}
    for parts, files in ((names[1:], outer), (names[inside:], inner)):
        if files and parts and (found := judge(parts, files)) is not None:
            return Refusal(Ground.COAIIGNORE, found[1], found[0].name)
    return None


def _by_git(names: Sequence[str], folders: Sequence[Folder], inside: int) -> Refusal | None:
    """Judge by the `.gitignore` files of the innermost repository, or else of the workspace."""
    if ".git" in names[:-1]:
        return Refusal(Ground.GITIGNORE, ".git", "git itself")
    repositories = [n for n, folder in enumerate(folders) if folder.is_repository]
    top = repositories[-1] if repositories else min(inside, len(folders)) - 1
    for folder in folders[top:]:
        for file in folder.unreadable:
            return Refusal(Ground.UNREADABLE, file=file)
    files = {n: f.gitignore for n, f in enumerate(folders[top:]) if f.gitignore is not None}
    if (exclude := folders[top].git_exclude) is not None:
        files[LAST] = exclude
    found = judge(names[top + 1 :], files) if files else None
    return None if found is None else Refusal(Ground.GITIGNORE, found[1], found[0].name)


def _folder(state: _State, name: str, *, ignore_case: bool) -> Folder:
    folder = state.folders.get(name)
    if folder is None:
        folder = state.folders[name] = read_folder(name, ignore_case=ignore_case)
    return folder


def _roots(paths: Iterable[Path]) -> tuple[_Root, ...]:
    absolute = [os.path.abspath(path) for path in paths]  # noqa: PTH100 - links stay as they are
    return tuple(_Root(path, os.path.realpath(path)) for path in absolute)


def _root_of(path: str, roots: Sequence[str]) -> str | None:
    """Return the innermost of the roots that a path lies in."""
    around = [root for root in roots if Path(path).is_relative_to(root) and path != root]
    return max(around, key=len, default=None)


def path_to_judge(uri: str) -> Path | None:
    """Return the path by which a document is judged; None if it has none.

    Other schemes than `file:` name the same files: a notebook's cell, an older version, a file that
    is not saved yet. A document without a path, such as `untitled:Untitled-1`, is nobody's secret.
    """
    path = path_of(uri)
    if path is not None:
        return path
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    return path_of(f"file://{parts.path}") if parts.path.startswith("/") else None
