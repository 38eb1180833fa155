"""What is offered: the changes of the last edits, where they belong, and what nobody wanted.

Two ways lead to an offer. The cursor comes to a line that needs a change: that is unasked for, so
it is held to a high precision by what speaks for it there. Or the user opens the menu of actions:
there one edit is enough.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final, TypeAlias

from coai_agents.changes.bursts import Bursts
from coai_agents.changes.evidence import evidence_at
from coai_agents.changes.finding import HERE, places
from coai_agents.changes.learning import Learner
from coai_agents.changes.policy import own_policy
from coai_agents.changes.searching import elsewhere, origin_of
from coai_agents.source import Span, path_of
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from coai_agents.changes.bursts import Settled
    from coai_agents.changes.finding import Origin, Place
    from coai_agents.changes.patterns import Pattern
    from coai_agents.source import Source
    from coai_agents.syntax.tree import SyntaxTree

MOST_PATTERNS: Final = 8
"""Changes that are looked for at a line."""

MOST_EDITS: Final = 8
"""Edits that a model which predicts the next one may be told of."""

MOST_DOCUMENTS: Final = 64
MOST_DISMISSED: Final = 500

KEPT_SECONDS: Final = 20.0
"""So long what was found in files is told again; what is changed is looked for anew."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A change of one place, and what it comes from."""

    pattern: Pattern
    place: Place


@dataclass(frozen=True, slots=True)
class Everywhere:
    """All places of a change: in the document itself, in open ones, in files."""

    pattern: Pattern
    here: tuple[Place, ...]
    others: tuple[tuple[Source, tuple[Place, ...]], ...]

    @property
    def count(self) -> int:
        """How many places there are."""
        return len(self.here) + sum(len(found) for _, found in self.others)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where else to look: what is open, the workspace's folders, and what may not be read."""

    opened: Sequence[Source]
    roots: Sequence[Path]
    refused: Callable[[Path], bool]


@dataclass(slots=True)
class _Pending:
    pattern: Pattern
    uri: str
    passed: int = 0
    files: Found = ()
    """What was found in files that are not open."""
    searched: float = -inf
    """When, on the monotonic clock."""


@dataclass(slots=True)
class _Shown:
    pending: _Pending
    key: tuple[str, str, str]
    line: int
    text: str


class SameChange:
    """Follows a session's edits. Belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._bursts: OrderedDict[str, Bursts] = OrderedDict()
        self._learner = Learner()
        self.history: deque[Settled] = deque(maxlen=MOST_EDITS)
        """The last edits that are done, the oldest first."""
        self._waiting: deque[Settled] = deque(maxlen=16)
        self._pending: deque[_Pending] = deque(maxlen=MOST_PATTERNS)
        self._dismissed: deque[tuple[str, str, str]] = deque(maxlen=MOST_DISMISSED)
        self._shown: dict[str, _Shown] = {}
        self._learning: asyncio.Task[None] | None = None

    # ------------------------------------------------------------ documents

    def changed(self, before: Source, after: Source) -> None:
        """Take a change of a document; does no more than compare the two."""
        self._touched(after)
        bursts = self._bursts.setdefault(after.uri, Bursts())
        self._bursts.move_to_end(after.uri)
        while len(self._bursts) > MOST_DOCUMENTS:
            self._bursts.popitem(last=False)
        ended, undone = bursts.changed(before, after)
        if ended is not None:
            self._settled(ended)
        if undone:
            self._forget_edits_of(after)

    def _forget_edits_of(self, source: Source) -> None:
        """Forget what was learned in a document, because the user has taken it back."""
        kept_edits = [each for each in self.history if each.after.uri != source.uri]
        self.history = deque(kept_edits, maxlen=MOST_EDITS)
        self._waiting = deque(
            (each for each in self._waiting if each.after.uri != source.uri), maxlen=16
        )
        kept = [each for each in self._pending if each.uri != source.uri]
        self._pending = deque(kept, maxlen=MOST_PATTERNS)
        self._learner = Learner()

    def closed(self, uri: str) -> None:
        """Forget a document."""
        self._bursts.pop(uri, None)
        self._shown.pop(uri, None)

    def left(self, uri: str, line: int | None) -> bool:
        """Take note of where the cursor is; say whether an edit waits to be learned from.

        Without a line the cursor rests, and whatever is being edited counts as done.
        """
        for each, bursts in self._bursts.items():
            elsewhere_ = each != uri or line is None
            ended = bursts.settle(None if elsewhere_ else line)
            if ended is not None:
                self._settled(ended)
        return bool(self._waiting)

    def _settled(self, edit: Settled) -> None:
        self._waiting.append(edit)
        self.history.append(edit)

    def is_editing(self, uri: str, line: int) -> bool:
        """Say whether a line has been changed since the cursor came to it."""
        bursts = self._bursts.get(uri)
        return bursts is not None and line in bursts.lines

    async def learn(self) -> None:
        """Learn from the edits that are done, in a thread; some milliseconds for each.

        The next keystroke may cancel whoever waits for it: what is done is learned all the same.
        """
        if self._learning is None or self._learning.done():
            self._learning = asyncio.create_task(self._learn(), name="learn from edits")
        await asyncio.shield(self._learning)

    async def _learn(self) -> None:
        while self._waiting:
            edit, learner = self._waiting.popleft(), self._learner
            found = await asyncio.to_thread(learner.settled, edit.before, edit.after)
            if learner is self._learner:  # else something was taken back meanwhile
                for pattern in found:
                    self._take(pattern, edit.after.uri)

    def _take(self, pattern: Pattern, uri: str) -> None:
        for each in self._pending:
            known = each.pattern
            if (known.root, known.rewrite) == (pattern.root, pattern.rewrite):
                each.pattern, each.uri, each.searched = pattern, uri, -inf
                self._pending.remove(each)
                self._pending.appendleft(each)
                return
        self._pending.appendleft(_Pending(pattern, uri))

    # --------------------------------------------------------------- asked

    @property
    def waits(self) -> bool:
        """Whether there is any change to look for."""
        return bool(self._pending or self._waiting)

    def at_line(self, tree: SyntaxTree, line: int) -> Offer | None:
        """Return the change that a line needs, for the cursor that has come to it.

        What was shown once and passed by is not shown again.
        """
        source = tree.source
        if self.is_editing(source.uri, line):
            return None
        within = Span(source.line_start(line), source.line_end(line))
        for pending in self._pending:
            place = next(iter(self._fresh(pending, tree, within)), None)
            if place is not None and _is_likely(pending, tree, place):
                self._shown[source.uri] = _Shown(
                    pending, _key(pending, source, place), line, source.line_text(line)
                )
                return Offer(pending.pattern, place)
        return None

    def _fresh(self, pending: _Pending, tree: SyntaxTree, within: Span) -> list[Place]:
        found = places(pending.pattern, tree, _origin(pending, tree.source), within)
        return [
            place
            for place in found
            if within.covers(place.span)
            and "\n" not in place.text
            and _key(pending, tree.source, place) not in self._dismissed
        ]

    def moved(self, uri: str, line: int) -> None:
        """Take note that the cursor is on a line: what was shown on another one was passed by."""
        shown = self._shown.get(uri)
        if shown is not None and shown.line != line:
            del self._shown[uri]
            self._dismissed.append(shown.key)
            shown.pending.passed += 1

    def _touched(self, after: Source) -> None:
        """Take note of a change of a line on which something was shown."""
        shown = self._shown.get(after.uri)
        if shown is None or shown.line >= after.line_count:
            return
        if after.line_text(shown.line) != shown.text:
            del self._shown[after.uri]

    async def everywhere(
        self, source: Source, line: int, around: Surroundings, *, fresh: bool
    ) -> Everywhere | None:
        """Return all places of the last edit's change; takes as long as a search, in a thread.

        Only where the cursor is on an edited line, or on one that needs the change. What was found
        in files a moment ago is found again unless `fresh` is wanted.
        """
        for pending in tuple(self._pending):
            found = await asyncio.to_thread(_here, pending, source, line)
            if found is None:
                continue
            others = await asyncio.to_thread(_in_documents, pending, source, around)
            if time.monotonic() - pending.searched > KEPT_SECONDS or fresh:
                pending.files = await asyncio.to_thread(_in_files, pending, source, around)
                pending.searched = time.monotonic()
            everywhere = Everywhere(pending.pattern, tuple(found), (*others, *pending.files))
            if everywhere.count:
                return everywhere
        return None


Found: TypeAlias = "tuple[tuple[Source, tuple[Place, ...]], ...]"


def _is_likely(pending: _Pending, tree: SyntaxTree, place: Place) -> bool:
    """Say whether the evidence is enough for a place to be shown to somebody who did not ask."""
    return own_policy().shows(evidence_at(pending.pattern, tree, place, pending.passed))


def _here(pending: _Pending, source: Source, line: int) -> list[Place] | None:
    """Return the places of a document; None if the cursor's line has nothing to do with them."""
    tree = parse(source)
    if tree is None:
        return None
    found = places(pending.pattern, tree, _origin(pending, source))
    lines = {source.line_at(place.span.start) for place in found}
    sites = {site.line for site in pending.pattern.sites if site.uri == source.uri}
    return found if line in lines | sites else None


def _in_documents(pending: _Pending, source: Source, around: Surroundings) -> Found:
    found: list[tuple[Source, tuple[Place, ...]]] = []
    for each in around.opened:
        same = each.uri == source.uri or each.language != pending.pattern.language
        if same or (each.path is not None and around.refused(each.path)):
            continue
        tree = parse(each)
        there = [] if tree is None else places(pending.pattern, tree, _origin(pending, each))
        if there:
            found.append((each, tuple(there)))
    return tuple(found)


def _in_files(pending: _Pending, source: Source, around: Surroundings) -> Found:
    edited = path_of(pending.uri)
    if edited is None or pending.pattern.scope:
        return ()
    opened = {each.path for each in (source, *around.opened) if each.path is not None}
    files = elsewhere(pending.pattern, edited, around.roots, refused=around.refused, without=opened)
    return tuple((file, tuple(there)) for file, there in files)


def _origin(pending: _Pending, source: Source) -> Origin:
    """Return where a change comes from, for a document that it is looked for in."""
    edited = path_of(pending.uri)
    return HERE if pending.uri == source.uri or edited is None else origin_of(edited)


def _key(pending: _Pending, source: Source, place: Place) -> tuple[str, str, str]:
    """Return what tells a place that was passed by, wherever its line has moved to."""
    line = source.line_text(source.line_at(place.span.start)).strip()
    return pending.pattern.title, source.uri, f"{line}\n{place.text}"
