"""How people type: in bursts, with pauses, mistakes and second thoughts. All of it from one seed.

Intervals between keystrokes are log-normal, as in the large public data on typing (Dhakal et al.,
Observations on Typing from 136 Million Keystrokes, CHI 2018), at a programmer's eight characters a
second. Like VS Code, the editor indents a new line by itself: the line's end and its indentation
are one edit.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

CHARACTERS_A_SECOND: Final = 8.0

SIGMA: Final = 0.4
"""Of the logarithm of the interval."""

LINE_PAUSE: Final = 0.25
"""How often a line's end is followed by a pause in which the user looks what is suggested."""

WORD_PAUSE: Final = 0.02
"""The same after any other keystroke."""

PAUSE_SECONDS: Final = 1.2
"""The median of such a pause."""

TYPO: Final = 0.02
"""How often a letter is mistyped; the next keystroke takes it back."""

ACCEPTS: Final = 0.7
"""How often a suggestion is taken that is what the user was going to type."""

WORTH_TAKING: Final = 4
"""Characters that a suggestion has at least for that."""

_LETTERS: Final = "etaoinshrdlucmfw"


@dataclass(frozen=True, slots=True)
class Stroke:
    """One edit at the cursor, and the time before it."""

    after: float
    """Seconds since the one before."""
    pauses: bool
    """Whether the user first waits for a suggestion, if none is there yet."""
    text: str
    """What is inserted."""
    delete: int = 0
    """Characters before the cursor that are taken back first."""
    accepts: bool = False
    """Whether the text is what was suggested."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A file with a hole, and the text that belongs there."""

    name: str
    language: str
    before: str
    text: str
    after: str

    @classmethod
    def of(cls, path: Path, language: str, *, characters: int, at: float = 0.35) -> Passage:
        """Take lines out of a file, from about a share of its length on.

        The passage begins with the end of the line before it, as who writes it presses Enter.
        """
        whole = path.read_text(encoding="utf-8").replace("\r\n", "\n")
        start = max(0, whole.find("\n", int(len(whole) * at)))
        end = whole.find("\n", min(start + characters, len(whole) - 1))
        end = len(whole) if end < 0 else end
        return cls(path.name, language, whole[:start], whole[start:end], whole[end:])


class Typist:
    """Types one passage. What is suggested meanwhile decides what comes next."""

    def __init__(self, text: str, *, seed: int, speed: float = CHARACTERS_A_SECOND) -> None:
        self._text = text
        self._typed = 0
        self._wrong = False
        self._chance = random.Random(seed)
        # The median of a log-normal distribution whose mean is one keystroke's time.
        self._median = 1 / speed / math.exp(SIGMA**2 / 2)
        self._decided = -1
        self._last = ""

    @property
    def remaining(self) -> str:
        """What is still to be typed."""
        return self._text[self._typed :]

    @property
    def done(self) -> bool:
        """Whether everything stands there."""
        return not self.remaining and not self._wrong

    def pause(self) -> tuple[float, bool]:
        """Return the seconds before the next keystroke, and whether the user looks up."""
        chance = LINE_PAUSE if self._last.startswith("\n") else WORD_PAUSE
        looks_up = not self._wrong and self._chance.random() < chance
        median = PAUSE_SECONDS if looks_up else self._median
        return self._chance.lognormvariate(math.log(median), SIGMA), looks_up

    def stroke(self, shown: str, after: float, *, pauses: bool) -> Stroke:
        """Return the next keystroke, made with `shown` on screen."""
        if self._wrong:
            self._wrong = False
            return Stroke(after, pauses, "", delete=1)
        if self._takes(shown):
            text = shown
        else:
            text = _one_keystroke(self.remaining)
            if text.isalpha() and self._chance.random() < TYPO:
                self._wrong = True
                others = [letter for letter in _LETTERS if letter != text]
                return Stroke(after, pauses, self._chance.choice(others))
        self._typed += len(text)
        self._last = text
        return Stroke(after, pauses, text, accepts=text == shown and len(shown) >= WORTH_TAKING)

    def _takes(self, shown: str) -> bool:
        """Decide about a suggestion, once for all keystrokes in which it is shown."""
        if len(shown) < WORTH_TAKING or not self.remaining.startswith(shown):
            return False
        end = self._typed + len(shown)
        if end == self._decided:
            return False
        self._decided = end
        return self._chance.random() < ACCEPTS


def _one_keystroke(remaining: str) -> str:
    """Return a character, or a line's end with the indentation that the editor adds."""
    if not remaining.startswith("\n"):
        return remaining[0]
    end = 1
    while end < len(remaining) and remaining[end] in " \t":
        end += 1
    return remaining[:end]
