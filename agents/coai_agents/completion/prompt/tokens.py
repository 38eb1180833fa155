"""How many tokens a text is, for backends whose tokenizer is not asked, and how many they take.

Code has about four characters a token, but a table of numbers has little more than one, because
most vocabularies know no number longer than a digit. So tokens are counted by kinds of characters,
and what a backend counts itself corrects that, for each kind of text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from coai_routing.running_mean import blended

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_routing.errors import PromptTooLongError
    from coai_routing.pool.backends import Backend

_TOKEN: Final = re.compile(
    r"[A-Z]?[a-z]{1,9}|[A-Z]{1,3}|\d|[^\x00-\x7f]{1,2}|\s*\n\s*|[^\w\s]{1,3}|_|[ \t]{2,}| (?=\d)",
    re.ASCII,
)
"""One token of Qwen2.5's vocabulary, about: within -22 % and +21 % for 50 samples of source code,
tables of numbers, JSON, CSS, base64 and Chinese; other scripts have fewer than are counted."""

SMOOTHING: Final = 0.2
"""The weight of the newest count in the running mean of a backend's correction."""

LOWEST_RATIO: Final = 0.6
"""No vocabulary makes so much longer tokens; a backend that counts fewer has cut the prompt."""

FEWEST_COUNTED: Final = 32
"""Shorter prompts say more of their control tokens than of their text."""

CLOSE: Final = 0.7
"""A prompt that is estimated to fill so much of the window is worth being counted exactly."""

SHORTENED: Final = 0.5
"""What is left of a prompt that is too long where the backend does not say how much it takes."""

MARGIN: Final = 1.05
"""What is left of a counted prompt may be denser than what is cut off."""

SMALLEST_WINDOW: Final = 256

_BLOCK: Final = 256
"""Windows are multiples of this; a count next to one tells that the prompt was cut to it."""


_WHITE_SPACE: Final = " \t\n\r\f\v"
"""What `\\s` stands for in `_TOKEN`."""

_REMEMBERED: Final = 4096
_LONGEST: Final = 400
"""Characters of a text that is remembered; with as many as are, that is 2 MB at most."""


def count_tokens(text: str) -> int:
    """Estimate the tokens of a text.

    A keystroke changes one line of a prompt, and it takes several counts to find out what a prompt
    may show. So what is between two blank lines is remembered, and so is each line.
    """
    return _count_apart(text, "\n\n", _count_block)


def count_tokens_at_once(text: str) -> int:
    """Estimate the same from the whole text, which takes a millisecond for 20,000 characters."""
    return len(_TOKEN.findall(text))


def _count_block(text: str) -> int:
    return _count_lines(text) if len(text) > _LONGEST else _count_known_block(text)


def _count_lines(text: str) -> int:
    return _count_apart(text, "\n", _count_line)


def _count_line(text: str) -> int:
    return count_tokens_at_once(text) if len(text) > _LONGEST else _count_known_line(text)


_count_known_block = lru_cache(_REMEMBERED)(_count_lines)
_count_known_line = lru_cache(_REMEMBERED)(count_tokens_at_once)


def _count_apart(text: str, end: str, count: Callable[[str], int]) -> int:
    """Count piece by piece; a line end is one token with all the white space around it."""
    first, *middle = text.split(end)
    if not middle:
        return count(text)
    *middle, last = middle
    pieces = [kept for piece in middle if (kept := piece.strip(_WHITE_SPACE))]
    inner = sum(map(count, pieces)) + len(pieces) + 1
    return count(first.rstrip(_WHITE_SPACE)) + inner + count(last.lstrip(_WHITE_SPACE))


@dataclass(slots=True)
class _Known:
    """What is known of a backend."""

    ratios: dict[str, float] = field(default_factory=dict[str, float])
    """Tokens that it counted for each one estimated, by language; `` for all together."""
    window: int | None = None
    """Tokens that it takes, where it turned out to be fewer than it had said."""


class TokenLengths:
    """Knows for each backend and kind of text how long tokens are, from the backend's counts."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def tokens(self, backend: Backend, language: str, text: str) -> float:
        """Estimate the tokens that a text is to a backend."""
        return self.corrected(backend, language, count_tokens(text))

    def corrected(self, backend: Backend, language: str, estimated: int) -> float:
        """Return how many tokens an estimate is to a backend."""
        ratios = self._of(backend).ratios
        return estimated * ratios.get(language, ratios.get("", 1.0))

    def characters_per_token(self, backend: Backend, language: str, sample: str) -> float:
        """Return how long a token is in text like `sample`."""
        return max(1.0, len(sample)) / max(1.0, self.tokens(backend, language, sample))

    def window(self, backend: Backend) -> int:
        """Return how many tokens the backend takes, prompt and answer together."""
        learned = self._of(backend).window
        return backend.context_tokens if learned is None else min(learned, backend.context_tokens)

    def learn(self, backend: Backend, language: str, estimated: int, counted: int) -> None:
        """Take in how many tokens a backend counted in a prompt, which it may have cut."""
        if counted <= FEWEST_COUNTED:
            return
        expected = self.corrected(backend, language, estimated)
        cut = (counted + 1) % _BLOCK <= 2  # noqa: PLR2004 - one more or less than a multiple
        if cut and counted >= SMALLEST_WINDOW and counted < LOWEST_RATIO * expected:
            self._of(backend).window = counted
            return
        self._correct(backend, language, counted / max(1, estimated), SMOOTHING)

    def learn_count(self, backend: Backend, language: str, prompt: str, counted: int) -> None:
        """Take in what a prompt was counted at that is too long: the next one shall fit."""
        self._correct(backend, language, MARGIN * counted / max(1, count_tokens(prompt)), 1.0)

    def learn_limit(
        self, backend: Backend, language: str, prompt: str, error: PromptTooLongError
    ) -> None:
        """Take in that a prompt was too long, and what the backend said of it."""
        known = self._of(backend)
        if error.tokens is not None:
            self.learn_count(backend, language, prompt, error.tokens)
        if error.window is not None:
            known.window = max(SMALLEST_WINDOW, error.window)
        tokens = error.tokens or self.tokens(backend, language, prompt)
        if error.window is None or tokens <= error.window:
            # What it says is not enough to have the next prompt fit.
            fewer = int(SHORTENED * tokens)
            known.window = max(SMALLEST_WINDOW, min(fewer, self.window(backend)))

    def _correct(self, backend: Backend, language: str, ratio: float, weight: float) -> None:
        ratios = self._of(backend).ratios
        ratio = max(LOWEST_RATIO, ratio)
        for kind in (language, ""):
            ratios[kind] = blended(ratios.get(kind), ratio, weight if kind else SMOOTHING)

    def _of(self, backend: Backend) -> _Known:
        return self._known.setdefault(backend.key, _Known())
