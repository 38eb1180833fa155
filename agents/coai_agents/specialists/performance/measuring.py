"""Whether one version is faster than another, from runs of both, taken in turns.

A machine that does other things as well is now faster, now slower. So the versions run in pairs,
each first in every second pair, and what counts is the ratio within a pair. Its interval is the
percentile bootstrap's (Efron 1979) over the pairs, of the median.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Final

PAIRS: Final = 7
"""Runs of each version, at most."""
FEWEST: Final = 3
"""Pairs after which a version that is no faster is given up."""
DRAWS: Final = 2_000
SURE: Final = 0.95
"""The share of draws that the interval holds."""
WORTH: Final = 0.97
"""A ratio of medians above that is not worth a change of code."""
NOISE: Final = 1.1
"""The ratio by the clock up to which less computing counts as faster: a machine that does other
things as well makes that much difference."""
_SEED: Final = 7


@dataclass(frozen=True, slots=True)
class Timing:
    """One run."""

    seconds: float
    """By the clock."""
    cpu: float = 0.0
    """Of computing, with the processes that it waited for; 0 where the system does not tell."""


@dataclass(frozen=True)
class Ratio:
    """How the second version of each pair compares with the first, by one of the two clocks."""

    before: tuple[float, ...]
    after: tuple[float, ...]
    """Seconds, pair by pair."""

    @cached_property
    def medians(self) -> tuple[float, float]:
        """Seconds before and after."""
        return median(self.before), median(self.after)

    @cached_property
    def pairs(self) -> tuple[float, ...]:
        """The ratio of each pair."""
        both = zip(self.before, self.after, strict=True)
        return tuple(after / max(before, 1e-9) for before, after in both)

    @cached_property
    def median(self) -> float:
        """The median of the pairs' ratios."""
        return median(self.pairs)

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Where the median ratio lies, with the probability `SURE`."""
        draw = random.Random(_SEED)  # noqa: S311 - of no secret
        drawn = sorted(median(draw.choices(self.pairs, k=len(self.pairs))) for _ in range(DRAWS))
        cut = round(DRAWS * (1 - SURE) / 2)
        return drawn[cut], drawn[-1 - cut]

    @property
    def is_faster(self) -> bool:
        """Whether the second version is faster, by enough and for sure."""
        return len(self.pairs) >= FEWEST and self.median < WORTH and self.interval[1] < 1.0


@dataclass(frozen=True)
class Comparison:
    """Runs of two versions, in pairs.

    Computing is steadier than the clock where other programs run as well, but says nothing of
    waiting: a version is faster that computes less and takes no longer, or that takes less time.
    """

    before: tuple[Timing, ...]
    after: tuple[Timing, ...]

    @cached_property
    def clock(self) -> Ratio:
        """By the clock."""
        return Ratio(*(tuple(each.seconds for each in one) for one in (self.before, self.after)))

    @cached_property
    def computing(self) -> Ratio:
        """By the time of the processors."""
        return Ratio(*(tuple(each.cpu for each in one) for one in (self.before, self.after)))

    @cached_property
    def by_computing(self) -> bool:
        """Whether it is the time of the processors that shows which is faster."""
        told = all(each.cpu for each in (*self.before, *self.after))
        return told and self.computing.is_faster and self.clock.median <= NOISE

    @property
    def shown(self) -> Ratio:
        """The figures that say which is faster."""
        return self.computing if self.by_computing else self.clock

    @property
    def is_faster(self) -> bool:
        """Whether the second version is faster, by enough and for sure."""
        return self.by_computing or self.clock.is_faster

    @property
    def is_hopeless(self) -> bool:
        """Whether more pairs will not show the second version to be faster."""
        enough = len(self.before) >= FEWEST
        return enough and self.clock.median >= WORTH and self.computing.median >= WORTH

    def __str__(self) -> str:
        before, after = self.shown.medians
        low, high = self.shown.interval
        what = "of computing" if self.by_computing else "by the clock"
        return (
            f"{before:.3g} s before, {after:.3g} s after ({what}, medians of {len(self.before)} "
            f"pairs in turns; {self.shown.median:.2f} times, {low:.2f} to {high:.2f} for sure)"
        )
