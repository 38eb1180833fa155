"""A rate limiter: one token bucket for each caller, in memory.

https://en.wikipedia.org/wiki/Token_bucket
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from cachetools import LRUCache

if TYPE_CHECKING:
    from collections.abc import Callable

CALLERS: Final = 10_000
"""Whose buckets are kept; who has not asked for longest begins anew."""
BURST_SECONDS: Final = 10.0
"""A bucket holds as much as comes into it in so long."""


class Rates:
    """How much each caller may still ask."""

    def __init__(self, per_minute: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_minute / 60.0
        self._room = max(1.0, self._per_second * BURST_SECONDS)
        self._clock = clock
        self._buckets: LRUCache[str, tuple[float, float]] = LRUCache(CALLERS)

    def refusal(self, caller: str) -> int | None:
        """Count a request; return in how many seconds there is room again if there is none."""
        now = self._clock()
        left, at = self._buckets.get(caller, (self._room, now))
        left = min(self._room, left + (now - at) * self._per_second)
        if left < 1.0:
            self._buckets[caller] = left, now
            return max(1, math.ceil((1.0 - left) / self._per_second))
        self._buckets[caller] = left - 1.0, now
        return None
