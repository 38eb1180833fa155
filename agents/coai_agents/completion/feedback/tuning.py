"""What the user's acceptance changes: how soon a model is asked, and how much it may write.

Both are bounded, and neither changes before there is something to go by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_routing.records.acceptance import Acceptance

FEWEST: Final = 20.0
"""Suggestions of known fate before the pause changes. The standard deviation of a rate of 0.3 over
20 is 0.1, which moves the pause by 5 %: less than anybody notices."""

FEWEST_BLOCKS: Final = 10.0
"""Blocks that were taken at least in part before blocks become shorter."""

NEUTRAL: Final = 0.5
"""The acceptance at which the pause is what it is without any, see `debounce.delay_ms`."""

ROOM: Final = 0.25
"""A block may be longer than what is usually taken of one by this share of the longest, so that a
user who begins to take more is seen to. It also makes the length converge: with a share s taken of
a length f, f = s + ROOM has one fixed point, which is stable."""

SHORTEST: Final = 0.4
"""However little is taken, blocks keep this share of the longest."""

FEWEST_TOKENS: Final = 24
"""Fewer tokens are no block."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What holds for a language at the moment."""

    acceptance: float | None = None
    """What `delay_ms` takes; None while there is too little to go by."""
    length: float = 1.0
    """The share of the longest suggestion that an automatic block may have."""

    def most_tokens(self, limit: int) -> int:
        """Return how many tokens an automatic block may have, where settings allow `limit`."""
        return min(limit, max(FEWEST_TOKENS, round(limit * self.length)))


UNTUNED: Final = Tuning()


def tuning(of: Acceptance) -> Tuning:
    """Return what an acceptance changes.

    The rate is drawn towards the neutral one by `FEWEST` suggestions' weight (the mean of a beta
    distribution with that prior), so that nothing jumps when there are enough.
    """
    rate, length = None, 1.0
    if of.weight >= FEWEST:
        rate = (of.taken + NEUTRAL * FEWEST) / (of.weight + FEWEST)
    if of.block_share is not None and of.blocks >= FEWEST_BLOCKS:
        length = min(1.0, max(SHORTEST, of.block_share + ROOM))
    return Tuning(rate, length)


def tuning_for(language: str, by_language: Mapping[str, Acceptance], all_: Acceptance) -> Tuning:
    """Return what holds for a language: by its own suggestions if there are enough, else by all."""
    own = by_language.get(language)
    return tuning(own if own is not None and own.weight >= FEWEST else all_)
