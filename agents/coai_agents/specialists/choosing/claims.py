"""What a statement claims, in a form that can be held against another's: words, denial, numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_WORD: Final = re.compile(r"[^\W\d_][\w.]*\w|\d+(?:\.\d+)?|[^\W\d_]")
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_IDLE: Final = frozenset({
    "a", "an", "the", "is", "are", "was", "were", "be", "been", "it", "its", "this", "that",
    "these", "those", "of", "in", "on", "at", "to", "for", "by", "does", "do", "did", "has",
    "have", "with", "and", "or", "so", "very", "there", "here", "as",
})  # fmt: skip
"""Words that say nothing by themselves."""

_NEGATIONS: Final = frozenset({"not", "no", "never", "none", "cannot", "without", "nothing"})

_OPPOSITES: Final = {
    "unsafe": "safe", "insecure": "secure", "dangerous": "safe", "vulnerable": "safe",
    "unused": "used", "slow": "fast", "slower": "faster", "incorrect": "correct",
    "wrong": "correct", "invalid": "valid", "unreachable": "reachable", "undefined": "defined",
    "undocumented": "documented", "mutable": "immutable", "impossible": "possible",
    "unnecessary": "necessary", "inefficient": "efficient", "untrusted": "trusted",
    "missing": "present", "false": "true", "synchronous": "asynchronous",
}  # fmt: skip
"""Words and their opposites: one of them denied is the other."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a statement says, in a form that can be held against another's."""

    words: frozenset[str]
    denied: bool
    numbers: tuple[str, ...]


def claim_of(text: str) -> Claim:
    """Return what a sentence claims; two denials are none."""
    lower = text.casefold()
    denials = len(re.findall(r"n't\b", lower))
    words: set[str] = set()
    for word in _WORD.findall(re.sub(r"(?<=\w)n't\b", "", lower)):
        if word in _NEGATIONS:
            denials += 1
        elif word in _OPPOSITES:
            denials += 1
            words.add(_OPPOSITES[word])
        elif word not in _IDLE and not _NUMBER.fullmatch(word):
            words.add(word)
    return Claim(frozenset(words), denials % 2 == 1, tuple(_NUMBER.findall(lower)))
