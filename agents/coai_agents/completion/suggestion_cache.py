"""Suggestions that were made, found again for every place that they still fit.

A suggestion made at some place also answers every later place along its own text: the user typed
some of it, took back what was typed, or accepted a word. So an entry is looked up by the text
before the cursor with the longest fitting prefix first, as in a trie over the document's prefix
(the way of Copilot's cache), here with one short list for each text after the cursor.

Only a window of text around the cursor is kept and compared: an edit far away does not make a
suggestion wrong, and five hundred copies of a document would not fit a laptop.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.completion.cursor import MOST_CLOSERS, OPENERS

if TYPE_CHECKING:
    from coai_agents.completion.cursor import Cursor

WINDOW: Final = 1500
"""Characters on each side of the cursor that must be the same."""

PER_SUFFIX: Final = 16
"""Entries kept for one text after the cursor; older ones give way."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A cleaned suggestion. `whole` is false if the model was still writing when it was kept."""

    text: str
    backend: str
    model: str
    identity: int
    replaces: int = 0
    whole: bool = True
    prepared: bool = False
    """True if it was made before anybody asked."""


@dataclass(frozen=True, slots=True)
class Found:
    """An entry and how many of its characters are in the document already."""

    entry: Entry
    typed: int
    closers: str = ""
    """What the editor has put after the cursor since the entry was made."""

    @property
    def rest(self) -> str:
        """What is left to show."""
        rest = self.entry.text[self.typed :]
        return rest.removesuffix(self.closers) if self._ends_with_closers else rest

    @property
    def replaces(self) -> int:
        """How many characters after the cursor the rest stands in for."""
        return self.entry.replaces + (0 if self._ends_with_closers else len(self.closers))

    @property
    def _ends_with_closers(self) -> bool:
        return self.entry.text.endswith(self.closers)

    @property
    def fits(self) -> bool:
        """Say whether there is something to show, and the closers belong to it."""
        typed, rest = self.entry.text[: self.typed], iter(self.entry.text[self.typed :])
        return bool(self.rest) and all(
            OPENERS[closer] in typed and closer in rest for closer in self.closers
        )


@dataclass(frozen=True, slots=True)
class _Kept:
    before: str
    entry: Entry


class SuggestionCache:
    """Keeps the newest entries, whichever documents they are for."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._groups: OrderedDict[tuple[str, str], list[_Kept]] = OrderedDict()
        self._size = 0

    def put(self, cursor: Cursor, entry: Entry) -> None:
        """Keep an entry; one for the same place is replaced."""
        key = (cursor.uri, cursor.suffix[:WINDOW])
        before = cursor.prefix[-WINDOW:]
        group = self._groups.setdefault(key, [])
        self._groups.move_to_end(key)
        self._size -= len(group)
        group[:] = [kept for kept in group if kept.before != before][-(PER_SUFFIX - 1) :]
        group.append(_Kept(before, entry))
        self._size += len(group)
        while self._size > self._capacity and len(self._groups) > 1:
            _, oldest = self._groups.popitem(last=False)
            self._size -= len(oldest)

    def find(self, cursor: Cursor) -> Found | None:
        """Return the best entry to show at the cursor, or None.

        An entry that has been typed to its end is no answer: what comes next has its own, if it
        was prepared. Nor does it matter that the editor has closed a bracket meanwhile.
        """
        for count in range(MOST_CLOSERS + 1):
            before = cursor.without_closers(count)
            if before is None:
                break
            if (found := self._find(before, cursor.suffix[:count])) is not None:
                return found
        return None

    def _find(self, cursor: Cursor, closers: str) -> Found | None:
        best: Found | None = None
        for kept in reversed(self._groups.get((cursor.uri, cursor.suffix[:WINDOW]), ())):
            typed = _typed(kept, cursor.prefix)
            if typed is not None and (best is None or typed < best.typed):
                found = Found(kept.entry, typed, closers)
                best = found if found.fits else best
        return best

    def forget(self, uri: str) -> None:
        """Drop a document's entries."""
        for key in [key for key in self._groups if key[0] == uri]:
            self._size -= len(self._groups.pop(key))

    def clear(self) -> None:
        """Drop everything."""
        self._groups.clear()
        self._size = 0

    def __len__(self) -> int:
        """Return the number of entries."""
        return self._size


def _typed(kept: _Kept, prefix: str) -> int | None:
    """Return how much of an entry stands before the cursor; None where it does not fit."""
    text, before = kept.entry.text, kept.before
    last = prefix[-1:]
    for count in range(len(text)):
        if count and text[count - 1] != last:
            continue
        start = len(prefix) - count
        if (
            prefix.endswith(text[:count])
            and prefix.endswith(before, 0, start)
            and (len(before) == WINDOW or start == len(before))
        ):
            return count
    return None
