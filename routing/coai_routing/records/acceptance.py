"""How much of what is suggested the user takes: a discounted mean, recent suggestions first.

Discounting by a constant factor is what is done where habits change with time (A. Garivier and
E. Moulines, "On Upper-Confidence Bound Policies for Switching Bandit Problems", ALT 2011).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Final

from coai_routing.records.usage_rows import Fate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coai_routing.records.usage_rows import SuggestionRow

DISCOUNT: Final = 0.98
"""The weight that a suggestion loses to each later one, so that about the last 50 count. The
standard deviation of a rate of 0.3 is then 0.3 * 0.7 * (1 - d) / (1 + d), its root being 0.05."""

REMEMBERED: Final = 256
"""Suggestions whose fate may still change; discounting leaves nothing of older ones."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What was taken of the suggestions so far: a value, replaced with each suggestion's fate."""

    weight: float = 0.0
    """The discounted number of suggestions whose fate is known; at most 1 / (1 - DISCOUNT)."""
    taken: float = 0.0
    """The discounted sum of the shares that were taken of each: 0 if rejected, 1 if accepted."""
    blocks: float = 0.0
    """The discounted number of suggestions of several lines that were taken at least in part."""
    of_blocks: float = 0.0
    """The discounted sum of the shares that were taken of each of those."""

    def after(self, suggestion: SuggestionRow) -> Acceptance:
        """Return what holds after one more suggestion.

        One whose fate is not known, or that was typed by hand, says nothing.
        """
        share = taken_share(suggestion)
        if share is None:
            return self
        taken = replace(
            self, weight=self.weight * DISCOUNT + 1.0, taken=self.taken * DISCOUNT + share
        )
        if suggestion.lines < 2 or not share:  # noqa: PLR2004 - several lines are at least two
            return taken
        return replace(
            taken, blocks=self.blocks * DISCOUNT + 1.0, of_blocks=self.of_blocks * DISCOUNT + share
        )

    @property
    def rate(self) -> float | None:
        """The share of suggestions that the user takes, from 0 to 1; None while there are none."""
        return self.taken / self.weight if self.weight else None

    @property
    def block_share(self) -> float | None:
        """The share that is taken of a block that is taken at all; None while there are none."""
        return self.of_blocks / self.blocks if self.blocks else None


def taken_share(suggestion: SuggestionRow) -> float | None:
    """Return the share of a suggestion's characters that were accepted; None if it says nothing."""
    match suggestion.fate:
        case Fate.ACCEPTED:
            return 1.0
        case Fate.REJECTED:
            return 0.0
        case Fate.ACCEPTED_IN_PART:
            return min(1.0, suggestion.taken / max(1, suggestion.characters))
        case _:
            return None


def acceptance(suggestions: Iterable[SuggestionRow]) -> Acceptance:
    """Return what the user took of suggestions, the oldest given first."""
    return reduce(Acceptance.after, suggestions, Acceptance())


def acceptance_by_language(suggestions: Iterable[SuggestionRow]) -> dict[str, Acceptance]:
    """Return the same for each language by itself."""
    of: dict[str, Acceptance] = {}
    for suggestion in suggestions:
        of[suggestion.language] = of.get(suggestion.language, Acceptance()).after(suggestion)
    return of


class Habits:
    """What the user took of the last suggestions, each counted once, as what is known of it now."""

    def __init__(self, past: Iterable[SuggestionRow] = ()) -> None:
        """Take what was known before, the oldest given first."""
        self._rows: OrderedDict[int, SuggestionRow] = OrderedDict()
        """The session's suggestions by identity, in the order in which they had a fate."""
        self._past = tuple(past)
        self._count_anew()

    def note(self, row: SuggestionRow) -> None:
        """Take what is known of a suggestion; a later fate of one takes the earlier one's place."""
        if row.fate is Fate.SHOWN or row.kept_30s is not None or row.kept_5min is not None:
            return
        revised = row.identity in self._rows
        self._rows[row.identity] = row
        if revised:
            self._count_anew()
            return
        self.overall = self.overall.after(row)
        own = self.by_language.get(row.language, Acceptance())
        self.by_language[row.language] = own.after(row)
        if len(self._rows) > REMEMBERED:
            _, oldest = self._rows.popitem(last=False)
            self._past = (*self._past[-REMEMBERED:], oldest)

    def _count_anew(self) -> None:
        every = (*self._past, *self._rows.values())
        self.overall = acceptance(every)
        self.by_language = acceptance_by_language(every)
