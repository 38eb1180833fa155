"""What becomes of changes that were offered: taken, kept until the file is saved, or undone.

Nobody says so: a document's text does. A change was taken when the document is what the change
makes of it, it was undone when the document is as before, and it is kept when the file is saved
with most of its lines still there.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coai_agents.source import Edit, Source
    from coai_agents.specialists.diagnosing.problems import Problem

MOST_OFFERED: Final = 8
"""Changes of one document of which it is not known yet what becomes of them."""
HALF: Final = 0.5
"""The share of a change's lines that have to stand when the file is saved."""


class Fate(StrEnum):
    """What became of a change that was taken."""

    KEPT = "kept"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class OfferedChange:
    """A change of a document, who made it, and of which problem."""

    before: Source
    after: Source
    agent: str
    by: str = ""
    """The rule, or the model where it is a model's."""
    from_model: bool = False
    problem: Problem | None = None
    capability: str = ""
    """What the model was asked for."""


class KeptChanges:
    """Follows the changes of open documents; reads memory only."""

    def __init__(self, told: Callable[[OfferedChange, Fate], None]) -> None:
        """`told` is called once for every change that was kept or undone."""
        self._told = told
        self._offered: dict[str, list[OfferedChange]] = {}
        self._taken: dict[str, list[OfferedChange]] = {}

    def offer(
        self,
        source: Source,
        edits: Sequence[Edit],
        agent: str,
        *,
        by: str = "",
        from_model: bool = False,
        problem: Problem | None = None,
        capability: str = "",
    ) -> None:
        """Follow what edits would make of a document, from now on."""
        from coai_agents.fixes.verifier import applied  # noqa: PLC0415 - not before one is offered

        after = applied(source, edits)
        self.offered(OfferedChange(source, after, agent, by, from_model, problem, capability))

    def offered(self, change: OfferedChange) -> None:
        """Follow a change from now on."""
        waiting = self._offered.setdefault(change.before.uri, [])
        waiting.append(change)
        del waiting[:-MOST_OFFERED]

    def changed(self, before: Source, after: Source) -> None:
        """Take what a document is now."""
        waiting = self._offered.get(after.uri, [])
        if taken := next((each for each in waiting if each.after.text == after.text), None):
            waiting.remove(taken)
            self._taken.setdefault(after.uri, []).append(taken)
            return
        for each in [*self._taken.get(after.uri, ())]:
            if each.before.text == after.text and each.after.text == before.text:
                self._taken[after.uri].remove(each)
                self._told(each, Fate.UNDONE)

    def saved(self, source: Source) -> None:
        """Say of every change that was taken whether it still stands."""
        for each in self._taken.pop(source.uri, ()):
            self._told(each, Fate.KEPT if stands(each, source.text) else Fate.UNDONE)

    def closed(self, source: Source) -> None:
        """Forget a document: what was not saved says nothing."""
        self._offered.pop(source.uri, None)
        self._taken.pop(source.uri, None)


def stands(change: OfferedChange, text: str) -> bool:
    """Say whether most lines of a change are in a text, however they are laid out there.

    Of lines that were only moved, whether the text is more like it is after the change.
    """
    before, after, now = (_lines(each) for each in (change.before.text, change.after.text, text))
    there = set(now)
    if written := [line for line in after if line not in set(before)]:
        return sum(line in there for line in written) >= HALF * len(written)
    if gone := [line for line in before if line not in set(after)]:
        return sum(line not in there for line in gone) >= HALF * len(gone)
    return _likeness(after, now) >= _likeness(before, now)


def _likeness(one: list[str], other: list[str]) -> float:
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()


def _lines(text: str) -> list[str]:
    return [line for each in text.splitlines() if (line := "".join(each.split()))]
