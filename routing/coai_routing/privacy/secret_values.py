"""What a value is: random, made of words, a stand-in, or a reference to where the secret is."""

from __future__ import annotations

import base64
import binascii
import functools
import math
import re
from collections import Counter
from typing import Annotated, Final

from pydantic import Field

from coai_routing.privacy.secret_forms import BoundedExpression, Entry

_PIECES: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_A: Final = ord("a")
_LETTERS: Final = 26

_FEW: Final = 16
"""With fewer other characters than this, a value that has stand-in words in it is a stand-in."""

_WORD: Final = 4
"""Letters that a piece of a value has at least to be taken for a word."""

_LONG: Final = 6
_LIKELY: Final = 3.7
_SHORT_LIKELY: Final = 3.3
"""Mean bits less one of a long or short word's pairs of letters: 90 % of words of six letters are
below, 95 % of random letters above (measured over the words that the table was counted from)."""

_MOSTLY: Final = 0.55
"""The share of a value's letters and digits in words with which it is made of words."""

_PRINTABLE: Final = frozenset(b"\t\n\r" + bytes(range(0x20, 0x7F)))
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}\Z")

_Words = tuple[Annotated[str, Field(min_length=1, pattern=r"^[^A-Z]+$")], ...]


def entropy(text: str) -> float:
    """Return Shannon's entropy in bits a character; 0 for an empty text."""
    length = len(text)
    return sum(n / length * math.log2(length / n) for n in Counter(text).values())


def decoded(value: str) -> str | None:
    """Return what a value says in base64 if that is ASCII text, else None."""
    if not _BASE64.match(value):
        return None
    bare = value.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        content = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except binascii.Error:
        return None
    return content.decode("ascii") if content and _PRINTABLE.issuperset(content) else None


class Words(Entry):
    """How words of a language, of any language, differ from random letters."""

    bigrams: tuple[Annotated[str, Field(pattern=r"^[0-9]{26}$")], ...] = Field(
        min_length=_LETTERS, max_length=_LETTERS
    )
    short: _Words
    sentences: _Words
    labels: _Words

    @functools.cached_property
    def _costs(self) -> dict[str, int]:
        rows = enumerate(self.bigrams)
        return {
            chr(_A + first) + chr(_A + second): int(cost)
            for first, row in rows
            for second, cost in enumerate(row)
        }

    @functools.cached_property
    def _short(self) -> frozenset[str]:
        return frozenset(self.short)

    @functools.cached_property
    def _labels(self) -> frozenset[str]:
        return frozenset(self.labels)

    def is_word(self, piece: str) -> bool:
        """Say whether letters follow each other as in a word."""
        lower = piece.lower()
        if len(lower) < _WORD:
            return lower in self._short
        costs = self._costs
        pairs = [costs.get(lower[at : at + 2], 9) for at in range(len(lower) - 1)]
        likely = _LIKELY if len(lower) >= _LONG else _SHORT_LIKELY
        return sum(pairs) <= likely * len(pairs)

    def made_of_words(self, value: str) -> bool:
        """Say whether a value is words, perhaps with numbers between them; empty ones are."""
        pieces = _PIECES.findall(value)
        total = sum(map(len, pieces))
        words = sum(len(piece) for piece in pieces if self.is_word(piece))
        return words >= _MOSTLY * total

    def has_label(self, value: str) -> bool:
        """Say whether one of the words of labels and messages is in it."""
        return any(piece.lower() in self._labels for piece in _PIECES.findall(value))

    def is_sentence(self, value: str) -> bool:
        """Say whether a word is in it that messages have and pass phrases have not."""
        return not frozenset(self.sentences).isdisjoint(value.lower().split())


class Placeholders(Entry):
    """What stands in the place of a secret and is none."""

    always: _Words
    strict: _Words
    whole: _Words
    reference: BoundedExpression

    @functools.cached_property
    def _reference(self) -> re.Pattern[str]:
        return re.compile(self.reference)

    @functools.cached_property
    def _stand_in(self) -> re.Pattern[str]:
        longest_first = sorted(self.strict, key=lambda word: (-len(word), word))
        return re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)

    def obvious(self, value: str) -> bool:
        """Say whether a value of a secret's form says itself that it is none."""
        lower = value.lower()
        return any(word in lower for word in self.always)

    def likely(self, value: str) -> bool:
        """Say whether a value in a secret's place is a reference or a stand-in."""
        if value.lower() in self.whole or self._reference.match(value):
            return True
        rest, words = self._stand_in.subn("", value)
        others = sum(map(str.isalnum, rest))
        return words > 0 and others < min(_FEW, max(6, len(value) - others))
