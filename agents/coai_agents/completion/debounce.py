"""How long to wait before asking the model, from how the user types.

A request that the next keystroke makes worthless costs the machine and gives nothing. So inside a
burst of typing the pause is as long as the next key is likely to take to come, less what the model
needs anyway; where a pause is natural (a new line, after a bracket or a dot) there is none. What
is already known is never delayed: this is asked only before the model is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from coai_routing.running_mean import blended

LONGEST_MS: Final = 250.0
"""No pause is longer: a user who waits must not wait for us."""

BURST_MS: Final = 600.0
"""Keystrokes further apart than this are no burst; their distance says nothing about the rhythm."""

SMOOTHING: Final = 0.3
"""The weight of the newest interval in the running mean."""

PATIENCE: Final = 0.6
"""The pause as a share of the mean interval; measured by benchmarks/typing.py, where a larger
share saved few calls and cost every answer its delay."""

NATURAL_PAUSES: Final = frozenset(" \t\n.,:;()[]{}=<>+-*/|&\"'`")
"""After one of these characters the word is over and the user may well look up."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The user's typing so far: a value, replaced with each keystroke."""

    last_ms: float | None = None
    mean_interval_ms: float | None = None

    def keystroke(self, now_ms: float) -> Rhythm:
        """Return the rhythm with one more keystroke, at a monotonic time."""
        if self.last_ms is None:
            return Rhythm(now_ms)
        interval = now_ms - self.last_ms
        if interval > BURST_MS:
            return Rhythm(now_ms, self.mean_interval_ms)
        return Rhythm(now_ms, blended(self.mean_interval_ms, interval, SMOOTHING))


def delay_ms(
    rhythm: Rhythm,
    *,
    last_character: str,
    expected_latency_ms: float | None,
    acceptance: float | None = None,
    fixed_ms: int | None = None,
) -> float:
    """Return the pause before asking the model, in milliseconds.

    `acceptance` is the share of recent suggestions that the user took, None while unknown: who
    takes most of them is asked for sooner, who takes none waits a little longer.
    """
    if fixed_ms is not None:
        return float(fixed_ms)
    if rhythm.mean_interval_ms is None or last_character in NATURAL_PAUSES:
        return 0.0
    wait = PATIENCE * rhythm.mean_interval_ms
    if acceptance is not None:
        wait *= 1.25 - 0.5 * min(1.0, max(0.0, acceptance))
    if expected_latency_ms is not None and expected_latency_ms > rhythm.mean_interval_ms:
        # A slow model's work is the dearer to throw away.
        wait += 0.1 * (expected_latency_ms - rhythm.mean_interval_ms)
    return min(wait, LONGEST_MS)
