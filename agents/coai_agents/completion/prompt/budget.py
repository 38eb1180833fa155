"""How much text a prompt may carry, from how fast the backend reads it.

A cached prompt costs nothing, so what counts is what has to be read when a prompt is frozen anew:
on a GPU that is thousands of tokens, on a laptop's cores a few hundred. While the user rests, the
backend may read more in advance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DEFAULT_PROMPT_SPEED: Final = 150.0
"""Prompt tokens a second before anything was measured: a 0.5B model on two cores."""

FREEZE_FACTOR: Final = 6.0
"""A newly frozen prompt may take so many times the target latency to be read. It is read once, and
every keystroke after it is answered within the target."""

FIRST_FACTOR: Final = 3.0
"""The same for the prompt that is read first where the cursor has come to rest: within a second."""

PATIENT_FACTOR: Final = 12.0
"""The same for who asks explicitly, and therefore waits, and while nobody waits."""

FEWEST_TOKENS: Final = 192
"""Less than this is no context at all, however slow the backend."""

FEWEST_FIRST: Final = 96
"""The same for a prompt that is read first."""

STRAINED_SHARE: Final = 0.5
"""Of these times, what reading may take while other programs keep the machine busy: writing the
line takes several times as long as well, and has to end within the patience that is left."""

FEWEST_STRAINED: Final = 48
"""The fewest tokens while other programs keep the machine busy: the lines around the cursor."""

MOST_TOKENS: Final = 6144
"""More than this does not help fill-in-the-middle models of the sizes that keep up with typing."""

PREFIX_SHARE: Final = 0.6
SUFFIX_SHARE: Final = 0.2
"""Least shares of the prompt before and after the cursor, if there is so much; the rest is for
other files. The suffix is the dearer part: in prefix-suffix-middle order it is read again whenever
the prefix grows."""

RESERVED_TOKENS: Final = 64
"""Room in the context window for control tokens and for what the estimate gets wrong."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Characters for each part of a prompt."""

    prefix: int
    suffix: int
    context: int

    @property
    def total(self) -> int:
        """All characters together."""
        return self.prefix + self.suffix + self.context


def prompt_budget(
    *,
    prompt_speed: float | None,
    target_ms: float,
    room_tokens: int,
    characters_per_token: float,
    factor: float = FREEZE_FACTOR,
    fewest: int = FEWEST_TOKENS,
) -> int:
    """Return the characters that a prompt may have.

    `prompt_speed` is in tokens a second, `room_tokens` what the backend's window has room for,
    `factor` how many times the target latency reading it may take, `fewest` the tokens that it
    has in any case.
    """
    speed = prompt_speed or DEFAULT_PROMPT_SPEED
    affordable = speed * target_ms / 1000 * factor
    tokens = min(max(fewest, affordable), MOST_TOKENS, max(1, room_tokens))
    return int(tokens * characters_per_token)


def share_out(characters: int, *, prefix: int, suffix: int, with_context: bool) -> Budget:
    """Share out a prompt's characters to a document with so many before and after the cursor.

    What one part does not need goes to the others: to other files up to their share, then to the
    text before the cursor, then to the text after it.
    """
    before = min(prefix, int(characters * PREFIX_SHARE))
    after = min(suffix, int(characters * SUFFIX_SHARE))
    context = 0
    if with_context:
        context = characters - int(characters * PREFIX_SHARE) - int(characters * SUFFIX_SHARE)
    before = min(prefix, characters - after - context)
    after = min(suffix, characters - before - context)
    return Budget(before, after, characters - before - after if with_context else 0)
