"""How each backend has been doing: a circuit breaker and a running latency.

The breaker is the usual one (M. Nygard, Release It!, 2007): closed while calls succeed, open after
several failures in a row so that nobody waits for a dead backend, half-open after a pause, when a
single call may find out whether it is back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

FAILURES_TO_OPEN: Final = 3
"""Failures in a row after which a backend is left alone."""

FIRST_PAUSE: Final = 5.0
"""Seconds that a breaker stays open the first time; each further time twice as long."""

LONGEST_PAUSE: Final = 120.0
"""Seconds after which even a long dead backend is tried again."""

SMOOTHING: Final = 0.2
"""The weight of the newest latency in the running mean."""


class Circuit(StrEnum):
    """The state of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class BackendHealth:
    """One backend's record: a value, replaced with each outcome. Times are monotonic seconds."""

    failures: int = 0
    opened: int = 0
    """How often in a row the breaker opened."""
    open_until: float = 0.0
    trying: bool = False
    """Whether the one call of a half-open breaker is under way."""
    latency_ms: float | None = None
    last_error: str = ""

    def circuit(self, now: float) -> Circuit:
        """Return the breaker's state at a time."""
        if self.failures < FAILURES_TO_OPEN:
            return Circuit.CLOSED
        return Circuit.OPEN if now < self.open_until else Circuit.HALF_OPEN

    def admits(self, now: float) -> bool:
        """Say whether a call may be made now."""
        circuit = self.circuit(now)
        return circuit is Circuit.CLOSED or (circuit is Circuit.HALF_OPEN and not self.trying)

    def started(self, now: float) -> BackendHealth:
        """Note that a call begins; a half-open breaker admits no second one until it ends."""
        if self.circuit(now) is Circuit.HALF_OPEN:
            return replace(self, trying=True)
        return self

    def abandoned(self) -> BackendHealth:
        """Note that a call ended without telling anything, because it was cancelled."""
        return replace(self, trying=False) if self.trying else self

    def succeeded(self, latency_ms: float) -> BackendHealth:
        """Note an answer and the time until it."""
        mean = self.latency_ms
        mean = latency_ms if mean is None else mean + SMOOTHING * (latency_ms - mean)
        return BackendHealth(latency_ms=mean)

    def failed(self, now: float, error: str) -> BackendHealth:
        """Note a failure; enough of them in a row open the breaker."""
        failures = self.failures + 1
        if failures < FAILURES_TO_OPEN:
            return replace(self, failures=failures, trying=False, last_error=error)
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**self.opened)
        return replace(
            self,
            failures=failures,
            opened=self.opened + 1,
            open_until=now + pause,
            trying=False,
            last_error=error,
        )
