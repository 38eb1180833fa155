"""Which files may be completed in, and which may be read into a prompt.

Four things exclude a file, in this order:

- it usually holds secrets (`.env`, keys, ...): never read nor completed in, whatever is set;
- a `.coaiignore` (gitignore syntax, in its directory or any above): the same;
- the settings `privacy.exclude`, the same, and `completion.exclude`, for completions only;
- for a prompt about another file: git ignores it, unless `completion.gitignored_context`, or it
  lies outside of the workspace.

A file is judged on every name that it has (`coai_routing.privacy.file_names`), and any of them
excludes.

What was decided is kept, so that asking again costs a look into a dictionary. A path that was never
asked about is judged at once, because a `.coaiignore` must not be missed for not having been read
yet: by `refusal` where it is asked, by `judged` in a thread. That takes a look at each link on the
way, and for each directory above it that is new five `stat` calls and the reading of the ignore
files that are there. Their size, their patterns and the time that these take have limits; what lies
beyond is refused, because nobody knows what it says. Paths are at most 64 directories deep; deeper
ones are refused. `refresh` reads again what changed on disk and judges all known paths anew, in a
thread; `forget` makes the next question look at the disk again.
"""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from coai_agents.exclusions.files import Ground, Refusal, by_coaiignore, by_git
from coai_agents.exclusions.folder import COAIIGNORE, GITIGNORE, read_folder
from coai_routing.privacy.file_names import (
    FOLDS_CASE,
    FileNames,
    Root,
    look_up,
    roots_of,
    spellings_of,
)
from coai_routing.privacy.ignore_patterns import PatternsError, judge, parse_ignore_file
from coai_routing.privacy.secret_files import secret_file_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from coai_agents.exclusions.folder import Folder
    from coai_routing.privacy.ignore_patterns import IgnoreFile
    from coai_routing.settings.schema import Settings

Use = Literal["completion", "context"]
"""Completing in a file, or showing it in the prompt for another one."""

__all__ = ["ExclusionRules", "Exclusions", "Ground", "Refusal", "Use", "path_to_judge"]

DEEPEST: Final = 64
"""Directories above a file that are looked at; what lies deeper is refused."""

MOST_DECISIONS: Final = 8192
"""Decisions kept; with more, all are forgotten and made again when asked for."""

MOST_PATTERNS: Final = 16_384
"""Patterns of all ignore files above one file together; with more, it is refused."""

_ATTEMPTS: Final = 3

logger = logging.getLogger(__name__)

_MOST_TOLD: Final = 100
"""Ignore files that the log names."""

_WATCHED: Final = frozenset({COAIIGNORE, GITIGNORE, ".git", "exclude"})
_USES: Final[tuple[Use, ...]] = ("completion", "context")


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
class _Decision:
    names: FileNames
    rules: tuple[tuple[Path | None, ExclusionRules], ...]
    """Those that it was made by, to see whether they still hold."""
    refusal: Refusal | None


@dataclass(slots=True)
class _State:
    """All that was read and decided; replaced as a whole when it is out of date."""

    roots: tuple[Root, ...]
    folders: dict[tuple[str, bool], Folder]
    """By path, and whether case is ignored there."""
    decisions: dict[tuple[str, Use], _Decision]


class Exclusions:
    """Decides about files, named by a path or a URI. May be asked from any thread."""

    def __init__(
        self,
        rules: Callable[[Path | None], ExclusionRules],
        *,
        roots: Iterable[Path] = (),
        ignore_case: bool = FOLDS_CASE,
    ) -> None:
        """`rules` gives the settings of a workspace folder, of None outside of any.

        A change of them takes effect by itself: they are asked for with every question, so the
        answer must be at hand. `ignore_case` where the file system tells cases apart and rules
        should not.
        """
        self._rules = rules
        self._ignore_case = ignore_case
        self._state = _State(roots_of(roots), {}, {})
        self._judging: dict[tuple[str, Use], asyncio.Task[_Decision]] = {}
        self._told: set[str] = set()

    @property
    def roots(self) -> tuple[Path, ...]:
        """The workspace's folders."""
        return tuple(Path(root.path) for root in self._state.roots)

    @property
    def known_roots(self) -> tuple[Root, ...]:
        """The same with where they really are, as it was when they were set or refreshed."""
        return self._state.roots

    def set_roots(self, roots: Iterable[Path]) -> None:
        """Take the workspace's folders as they are now."""
        self._state = _State(roots_of(roots), self._state.folders, {})

    def refusal(self, path: Path | str, for_: Use) -> Refusal | None:
        """Return why a file must not be used, or None if it may be; may look at the disk."""
        return self._decided((os.fspath(path), for_)).refusal

    async def judged(self, path: Path | str, for_: Use) -> Refusal | None:
        """Return the same, and look at the disk, if that is needed, in a thread.

        Who asks first for a file is answered first.
        """
        key = (os.fspath(path), for_)
        known = self._known(key)
        if known is not None:
            return known.refusal
        task = self._judging.get(key)
        if task is None:
            task = asyncio.create_task(asyncio.to_thread(self._decided, key))
            self._judging[key] = task
            task.add_done_callback(lambda _: self._judging.pop(key, None))
        return (await asyncio.shield(task)).refusal

    def known_refusal(self, path: Path | str, for_: Use) -> Refusal | None:
        """Return the same without ever looking at the disk: what is not known is refused."""
        decision = self._known((os.fspath(path), for_))
        return Refusal(Ground.NOT_JUDGED) if decision is None else decision.refusal

    def known_names(self, path: Path | str) -> FileNames | None:
        """Return all names of a file that was judged before; reads only memory."""
        for use in _USES:
            decision = self._state.decisions.get((os.fspath(path), use))
            if decision is not None:
                return decision.names
        return None

    def _known(self, key: tuple[str, Use]) -> _Decision | None:
        decision = self._state.decisions.get(key)
        if decision is None or any(self._rules(root) != held for root, held in decision.rules):
            return None
        return decision

    def _decided(self, key: tuple[str, Use]) -> _Decision:
        state = self._state
        decision = self._known(key)
        if decision is None:
            decision = self._decide(state, key, self._rules)
            if len(state.decisions) >= MOST_DECISIONS:
                state.decisions.clear()
            state.decisions[key] = decision
        return decision

    def forget(self, path: Path | str) -> None:
        """Take note that a file or directory appeared, changed or went away, or was opened.

        Only ignore files, `.git` and symbolic links matter; for any other file nothing changes.
        """
        state = self._state
        name = os.fspath(path)
        if os.path.basename(name) in _WATCHED:  # noqa: PTH119 - the name of a file in a URI, too
            self._state = _State(state.roots, {}, {})
            return
        gone = [
            key
            for key, decision in tuple(state.decisions.items())
            if key[0] == name or name in decision.names.paths
        ]
        for key in gone:
            state.decisions.pop(key, None)

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
        roots = roots_of(root.path for root in state.roots)
        fresh = _State(roots, {}, {})
        for root in roots:
            self._folder(fresh, root.path, ignore_case=self._ignore_case)
        secret_file_pattern(Path())
        for key in tuple(state.decisions):
            fresh.decisions[key] = self._decide(fresh, key, rules.__getitem__)
        return fresh

    def _decide(
        self, state: _State, key: tuple[str, Use], rules_of: Callable[[Path | None], ExclusionRules]
    ) -> _Decision:
        address, use = key
        names = look_up(address, state.roots)
        owners = tuple(map(Path, names.roots)) or (None,)
        rules = tuple((owner, rules_of(owner)) for owner in owners)
        refusal = _as_secret(names) or self._by_settings(names, rules, use)
        for path in names.paths:
            refusal = refusal or self._by_files(state, path, names, rules, use)
        if refusal is None and use == "context" and not _is_inside(names, state.roots):
            refusal = Refusal(Ground.OUTSIDE)
        if refusal is not None and refusal.reason is Ground.UNREADABLE:
            self._tell(refusal)
        return _Decision(names, rules, refusal)

    def _tell(self, refusal: Refusal) -> None:
        """Note in the log, once, that an ignore file is not heeded but taken for excluding all."""
        if refusal.file not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(refusal.file)
            logger.warning("%s What it speaks of is left alone.", refusal.sentence)

    def _by_files(
        self,
        state: _State,
        path: str,
        names: FileNames,
        rules: Sequence[tuple[Path | None, ExclusionRules]],
        use: Use,
    ) -> Refusal | None:
        """Judge one name by the ignore files in the folders above it."""
        parts = Path(path).parts
        if len(parts) - 1 > DEEPEST:
            return Refusal(Ground.UNREADABLE, file=f"What is {DEEPEST} directories deep")
        ignore_case = self._ignore_case or names.folds_case
        folders: list[Folder] = []
        patterns = 0
        for count in range(1, len(parts)):
            folder = self._folder(state, str(Path(*parts[:count])), ignore_case=ignore_case)
            folders.append(folder)
            patterns += folder.patterns
            if patterns > MOST_PATTERNS:
                why = f"with those above it, it has more than {MOST_PATTERNS:,} patterns"
                return Refusal(Ground.UNREADABLE, file=str(Path(*parts[:count])), why=why)
        root = _root_of(path, [each for root in state.roots for each in (root.path, root.real)])
        inside = len(parts) if root is None else len(Path(root).parts)
        heeds_git = use == "context" and not all(each.gitignored_context for _, each in rules)
        try:
            return by_coaiignore(parts, folders, inside) or (
                by_git(parts, folders, inside) if heeds_git else None
            )
        except PatternsError as error:
            return Refusal(Ground.UNREADABLE, file=f"What is said of {path}", why=str(error))

    def _by_settings(
        self,
        names: FileNames,
        rules: Sequence[tuple[Path | None, ExclusionRules]],
        use: Use,
    ) -> Refusal | None:
        """Judge by the settings of each folder that the file is in by one of its names."""
        for owner, held in rules:
            asked = {"privacy.exclude": held.privacy}
            if use == "completion":
                asked["completion.exclude"] = held.completion
            # A pattern is relative to a workspace folder. Outside of any, only a name is compared.
            relative = (
                tuple(Path(path).name for path in names.paths)
                if owner is None
                else names.relative_to(os.fspath(owner))
            )
            ignore_case = self._ignore_case or names.folds_case
            for setting, patterns in asked.items():
                for name in relative if patterns else ():
                    refusal = _by_patterns(name, setting, patterns, ignore_case=ignore_case)
                    if refusal is not None:
                        return refusal
        return None

    def _folder(self, state: _State, name: str, *, ignore_case: bool) -> Folder:
        folder = state.folders.get((name, ignore_case))
        if folder is None:
            folder = read_folder(name, ignore_case=ignore_case)
            state.folders[name, ignore_case] = folder
        return folder


def _as_secret(names: FileNames) -> Refusal | None:
    for name in (*names.paths, *(name for _, name in names.below)):
        if (pattern := secret_file_pattern(Path(name))) is not None:
            return Refusal(Ground.SECRET_FILE, pattern)
    return None


def _by_patterns(
    name: str, setting: str, patterns: tuple[str, ...], *, ignore_case: bool
) -> Refusal | None:
    parts = [part for part in name.split("/") if part]
    try:
        found = judge(parts, {0: _parsed(setting, patterns, ignore_case)})
    except PatternsError as error:
        return Refusal(Ground.UNREADABLE, file=f"`{setting}`", why=str(error))
    return None if found is None else Refusal(Ground.SETTING, found[1], setting)


@lru_cache(maxsize=64)
def _parsed(setting: str, patterns: tuple[str, ...], ignore_case: bool) -> IgnoreFile:  # noqa: FBT001
    return parse_ignore_file(setting, "\n".join(patterns), ignore_case=ignore_case)


def _is_inside(names: FileNames, roots: Sequence[Root]) -> bool:
    """Say whether each name of a file is in some folder of the workspace."""
    folders = [folder for root in roots for folder in (root.path, root.real)]
    return bool(names.likely) and all(_root_of(path, folders) for path in names.likely)


def _root_of(path: str, roots: Sequence[str]) -> str | None:
    """Return the innermost of the roots that a path lies in."""
    around = [root for root in roots if Path(path).is_relative_to(root) and path != root]
    return max(around, key=len, default=None)


def path_to_judge(uri: str) -> Path | None:
    """Return the path by which a document is known; None if it has none.

    Other schemes than `file:` name the same files: a notebook's cell, an older version, a file that
    is not saved yet. A document without a path, such as `untitled:Untitled-1`, is nobody's secret.
    """
    spelled = spellings_of(uri)
    return Path(spelled[0]) if spelled and os.path.isabs(spelled[0]) else None  # noqa: PTH117
