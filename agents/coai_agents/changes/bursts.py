"""Edits out of keystrokes: what was changed on some lines until the cursor left them.

An editor tells of every keystroke. An edit is what they come to when the user is done with a line:
he changes another one, asks for something elsewhere, or rests. What is undone was no edit, and what
is as large as a paste or a formatted file is none either.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.changes.learning import edited_span

if TYPE_CHECKING:
    from coai_agents.source import Source

MOST_LINES: Final = 12
"""Lines that one edit touches at most."""

MOST_CHARACTERS: Final = 2_000
"""Characters that one notification brings or takes away at most."""

REMEMBERED: Final = 16
"""Texts that edits began with, by which it is known that one was undone."""


@dataclass(frozen=True, slots=True)
class Settled:
    """An edit that is done: the document before and after it."""

    before: Source
    after: Source


@dataclass(slots=True)
class _Burst:
    before: Source
    now: Source
    low: int
    high: int
    large: bool = False

    @property
    def settled(self) -> Settled | None:
        large = self.large or self.high - self.low > MOST_LINES
        return None if large else Settled(self.before, self.now)


class Bursts:
    """The edits of one document."""

    def __init__(self) -> None:
        self._burst: _Burst | None = None
        self._began: deque[str] = deque(maxlen=REMEMBERED)

    @property
    def lines(self) -> range:
        """The lines that are being edited."""
        burst = self._burst
        return range(0) if burst is None else range(burst.low, burst.high + 1)

    def changed(self, before: Source, after: Source) -> tuple[Settled | None, bool]:
        """Take a change; return the edit that it ends, and whether it undoes an earlier one."""
        span = edited_span(before, after)
        grown = len(after.text) - len(before.text)
        low, high = after.line_at(span.start), after.line_at(span.end + grown)
        large = max(len(span), len(span) + grown) > MOST_CHARACTERS
        ended: Settled | None = None
        burst = self._burst
        if burst is not None and not burst.low <= low <= burst.high:
            ended = self.settle()
            burst = None
        if burst is None:
            self._burst = _Burst(before, after, low, high, large)
        else:
            more = after.line_count - before.line_count
            burst.now = after
            burst.low, burst.high = min(burst.low, low), max(burst.high + more, high)
            burst.large |= large
        undone = self._undone(after)
        # Whoever types a name anew comes past the old one: that takes nothing back.
        if undone or (self._burst is not None and self._burst.before.text == after.text):
            self._burst = None
        return ended, undone

    def _undone(self, after: Source) -> bool:
        """Say whether a text is one that an earlier edit began with."""
        if after.text not in self._began:
            return False
        while self._began and self._began.pop() != after.text:
            pass
        return True

    def settle(self, line: int | None = None) -> Settled | None:
        """End the edit, unless the cursor is on one of its lines; return it if it was one."""
        burst = self._burst
        if burst is None or (line is not None and line in self.lines):
            return None
        self._burst = None
        self._began.append(burst.before.text)
        return burst.settled
