"""How alike two pieces of code are, counted in tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOKEN: Final = re.compile(r"\w+|[^\w\s]")

_SUBWORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

TELLING: Final = 3
"""Letters of a part of a name that tells something."""


def tokens(text: str) -> list[str]:
    """Return a text's words and signs."""
    return _TOKEN.findall(text)


def distance(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many tokens have to go and come (Hyyro's bit-parallel longest common part)."""
    masks: dict[str, int] = {}
    for place, token in enumerate(one):
        masks[token] = masks.get(token, 0) | 1 << place
    whole = (1 << len(one)) - 1
    row = whole
    for token in other:
        met = row & masks.get(token, 0)
        row = ((row + met) | (row - met)) & whole
    common = len(one) - row.bit_count()
    return len(one) + len(other) - 2 * common


def likeness(one: str, other: str) -> float:
    """Return the share of tokens that two lines have in common, from 0 to 1."""
    ours, theirs = tokens(one), tokens(other)
    size = len(ours) + len(theirs)
    return 1 - distance(ours, theirs) / size if size else 1.0


def are_akin(one: str, other: str) -> bool:
    """Say whether two names have a part in common, as `fetch_all` and `fetchEach` have."""
    return bool(_parts(one) & _parts(other))


def _parts(name: str) -> set[str]:
    return {part.lower() for part in _SUBWORD.findall(name) if len(part) >= TELLING}
