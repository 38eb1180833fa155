"""A model's words as they come, and what of them may be shown.

The check: every name that a sentence puts in backticks has to be known, from the code that was
shown or the question that was asked. A sentence that speaks of another one is left out.
"""

from __future__ import annotations

import re
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.asking import NobodyError
from coai_agents.specialists.untrusted import one_line

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from coai_agents.specialists.asking import Asker, Prompt

SENTENCE_CHARACTERS: Final = 320

_QUOTED: Final = re.compile(r"`([^`\n]+)`")
_NAME: Final = re.compile(r"[^\W\d]\w*")
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+(?=[A-Z`])|\n+")
_LIST: Final = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+")
_FENCE: Final = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_ENDED: Final = re.compile(r"[.!?:][\"'`)\]]*\s*\Z")


@dataclass(frozen=True, slots=True)
class Words:
    """What a model has said so far; nobody has checked it yet."""

    text: str = ""
    model: str = ""
    whole: bool = False
    """Whether the model said all that it had to say."""
    why: str = ""
    """Why there is no more, where it is not whole and nothing more comes."""


async def spoken(prompt: Prompt, asker: Asker) -> AsyncGenerator[Words]:
    """Yield what a model says, each time all of it so far; the last is whole or says why not."""
    if asker.absent is not None:
        yield Words(why=asker.absent)
        return
    text = model = ""
    try:
        async with aclosing(asker.stream(prompt)) as pieces:
            async for piece in pieces:
                text, model = text + piece.text, piece.model or model
                yield Words(text, model)
    except NobodyError as error:
        yield Words(text, model, why=str(error))
    else:
        yield Words(text, model, whole=True)


async def all_words(prompt: Prompt, asker: Asker) -> Words:
    """Return what a model says when it has ended."""
    last = Words()
    async with aclosing(spoken(prompt, asker)) as pieces:
        async for words in pieces:
            last = words
    return last


def names_in(text: str) -> set[str]:
    """Return the names in a text."""
    return set(_NAME.findall(text))


def sentences(words: Words, known: set[str] | None, most: int) -> tuple[list[str], int]:
    """Return the sentences that hold, at most `most`, and how many were left out.

    Without names that are known all hold. Where a model was cut off, on a busy machine or by its
    limit, the last sentence may be half of one.
    """
    kept: list[str] = []
    dropped = 0
    pieces = _SENTENCE.split(_FENCE.sub("", words.text))
    if pieces and not (words.whole and (len(pieces) == 1 or _ENDED.search(words.text))):
        pieces.pop()
    for raw in pieces:
        sentence = one_line(_LIST.sub("", raw), SENTENCE_CHARACTERS)
        if not _NAME.search(sentence):
            continue
        quoted = {name for part in _QUOTED.findall(sentence) for name in _NAME.findall(part)}
        if known is None or quoted <= known:
            kept.append(sentence)
        else:
            dropped += 1
    return kept[:most], dropped
