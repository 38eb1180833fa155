"""The running mean: an exponentially weighted average, the newest value with a fixed weight."""

from __future__ import annotations

from typing import Final

WEIGHT: Final = 0.2
"""Of the newest value; about the last ten decide then."""


def blended(before: float | None, newest: float, weight: float = WEIGHT) -> float:
    """Return the mean after one more value, which is the mean where there was none before."""
    return newest if before is None else before + weight * (newest - before)
