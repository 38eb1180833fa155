"""Percentiles and intervals."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

RESAMPLES: Final = 2000
"""Enough for the second digit of a 95 % interval."""


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile, interpolated between neighbours; raises ValueError if there is none."""
    if not values:
        raise ValueError("no percentile of nothing")
    ordered = sorted(values)
    position = (len(ordered) - 1) * percent / 100
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


@dataclass(frozen=True, slots=True)
class Spread:
    """How a measured quantity is spread, in its own unit."""

    count: int
    p50: float
    p95: float
    p99: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """Summarize measurements; None if there are none."""
        if not values:
            return None
        p50, p95, p99 = (percentile(values, percent) for percent in (50, 95, 99))
        return cls(len(values), p50, p95, p99, max(values))


def mean(values: Sequence[float]) -> float:
    """Return the arithmetic mean; raises ValueError if there is none."""
    if not values:
        raise ValueError("no mean of nothing")
    return sum(values) / len(values)


def bootstrap_interval(
    values: Sequence[float], *, seed: int, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean (Efron's bootstrap).

    For paired differences of two systems on the same rows this is the interval of the difference.
    """
    draw = random.Random(seed)
    means = [mean(draw.choices(values, k=len(values))) for _ in range(resamples)]
    return percentile(means, 2.5), percentile(means, 97.5)
