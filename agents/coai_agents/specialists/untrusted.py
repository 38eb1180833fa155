"""Text from a workspace or a model, made harmless where it is put before a model or taken from one.

Filters do not make a model obey, so nothing rests on them: a model has no tool that its words
could choose, and what it writes is checked before it is shown. What is done here only keeps text
from being something else for a model than it is for a person: characters that nobody sees, and a
chat template's control tokens.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

TAGS: Final = range(0xE0000, 0xE0080)
"""Unicode's tag characters: invisible letters, by which instructions are hidden in plain sight."""

_BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE: Final = frozenset("\u00ad\u180e\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff")
_VARIATION: Final = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))

_CONTROL_TOKENS: Final = re.compile(
    r"<\|(?=[\w\u2581]+\|>)|<(?=\uff5c[\w\u2581]+\uff5c>)|\[(?=/?INST\])|<(?=</?SYS>>)|<(?=/?s>)|"
    r"<(?=(?:start|end)_of_turn>)|<(?=/?think>)"
)
"""The beginnings of the control tokens of the chat templates in use (ChatML, Llama 2 and 3,
DeepSeek, Gemma, Mistral); broken up by a blank, they are text like any other."""


def invisible(text: str) -> list[int]:
    """Return the offsets of characters that a reader does not see but a model does."""
    return [at for at, character in enumerate(text) if _hidden(character)]


def visible(text: str) -> str:
    """Return text without the characters that a reader does not see."""
    if text.isascii():
        return text
    return "".join(character for character in text if not _hidden(character))


def for_prompt(text: str) -> str:
    """Return data as it may stand in a prompt: all of it visible, none of it a control token."""
    return _CONTROL_TOKENS.sub(lambda match: match[0] + " ", visible(text))


def from_model(text: str) -> str:
    """Return what a model wrote as it may be looked at: visible, without terminals' controls."""
    kept = visible(text)
    return "".join(
        character
        for character in kept
        if character in "\n\t" or unicodedata.category(character) != "Cc"
    )


def one_line(text: str, most: int) -> str:
    """Return a model's answer as one line of at most `most` characters, cut after a word."""
    line = " ".join(from_model(text).split())
    if len(line) <= most:
        return line
    return line[: most + 1].rsplit(" ", 1)[0][:most].rstrip(",;: ")


def _hidden(character: str) -> bool:
    number = ord(character)
    return (
        character in _BIDI
        or character in _INVISIBLE
        or number in TAGS
        or any(number in block for block in _VARIATION)
    )
