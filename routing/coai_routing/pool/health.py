"""The circuit breaker of a model at an endpoint.

It is the usual one (M. Nygard, Release It!, 2007): closed while calls succeed, open after several
failures in a row so that nobody waits for a dead backend, half-open after a pause, when a single
call may find out whether it is back.
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


class Circuit(StrEnum):
    """The state of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class BackendHealth:
    """A breaker's record: a value, replaced with each outcome. Times are monotonic seconds."""

    failures: int = 0
    opened: int = 0
    """How often in a row the breaker opened."""
    open_until: float = 0.0
    trying: bool = False
    """Whether the one call of a half-open breaker is under way."""
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

    def refusal(self, now: float) -> tuple[str, str] | None:
        """Say why no call may be made now, and what to do; None if one may."""
        if self.admits(now):
            return None
        if self.circuit(now) is Circuit.HALF_OPEN:
            why = "A call is under way that finds out whether it is back."
            return why, "Ask again in a moment."
        why = f"It failed {self.failures} times in a row: {self.last_error}"
        return why, "It is tried again shortly."

    def started(self, now: float) -> BackendHealth:
        """Note that a call begins; a half-open breaker admits no second one until it ends."""
        if self.circuit(now) is Circuit.HALF_OPEN:
            return replace(self, trying=True)
        return self

    def abandoned(self) -> BackendHealth:
        """Note that the half-open breaker's call ended without telling anything."""
        return replace(self, trying=False) if self.trying else self

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


HEALTHY: Final = BackendHealth()
"""What is known after a success, and before the first call."""
