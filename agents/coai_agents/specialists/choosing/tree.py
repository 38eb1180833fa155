"""The decision tree: a request is a question, an error, a review, ..., or has several aspects.

What decides is what the request says, not how it says it: words of each aspect (`aspects.toml`),
and whether a trace or a tool's output is part of it. A model of the sizes that run here sorts such
requests no better than the words do, and takes seconds for it.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

from coai_agents.specialists.diagnosing.reading import read_output

DATA: Final = Path(__file__).with_name("aspects.toml")

MOST_CHARACTERS: Final = 20_000
"""Of a request that are looked at: what is pasted behind that says nothing new."""


class Aspect(StrEnum):
    """What a request is about; each has its specialist."""

    QUESTION = "question"
    ERROR = "error"
    REVIEW = "review"
    ARCHITECTURE = "architecture"
    DOCUMENTATION = "documentation"
    PERFORMANCE = "performance"
    SECURITY = "security"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is to answer a request, and why."""

    aspects: tuple[Aspect, ...]
    """The specialists, in the order in which the request speaks of them; never none."""
    why: str
    """What decided, for whoever asks."""

    @property
    def is_several(self) -> bool:
        """Whether more than one specialist is wanted."""
        return len(self.aspects) > 1


@dataclass(frozen=True, slots=True)
class _Words:
    strong: re.Pattern[str]
    weak: re.Pattern[str]


@cache
def _words() -> dict[Aspect, _Words]:
    data = tomllib.loads(DATA.read_text("utf-8"))
    return {
        Aspect(name): _Words(_any(words["strong"]), _any(words["weak"]))
        for name, words in data.items()
    }


def _any(expressions: list[str]) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{'|'.join(expressions)})(?![\w-])")


@dataclass(frozen=True, slots=True)
class _Seen:
    """Words of one aspect in a request."""

    aspect: Aspect
    start: int
    end: int
    """Of the first strong ones."""
    said: str
    count: int


_LINKED: Final = re.compile(r"\b(?:and|also|plus|then|as well as|both|along with)\b|[,;&+/]|\n")
"""What stands between two things that are both wanted."""

_RANK: Final = (
    Aspect.DOCUMENTATION, Aspect.ERROR, Aspect.SECURITY, Aspect.PERFORMANCE, Aspect.REVIEW,
    Aspect.ARCHITECTURE, Aspect.CODE,
)  # fmt: skip
"""Which aspect counts where words of two stand together and nothing says that both are wanted."""

_ASKS: Final = re.compile(
    r"\s*(?:what|how|where|why|which|who|when|does|do|is|are|can|could|should|explain|tell|show)\b"
)


def choose(request: str) -> Choice:
    """Return which specialists a request is for."""
    text = request[:MOST_CHARACTERS]
    if any(problem.frames for problem in read_output(text)):
        return Choice((Aspect.ERROR,), "a trace or a tool's output is part of it")
    lower = text.lower()
    seen = [found for aspect in _words() if (found := _seen(aspect, lower)) is not None]
    seen = _without_asides(sorted(seen, key=lambda each: each.start))
    if not seen:
        return _by_weak(lower)
    several = [each for each in seen if any(_linked(lower, each, other) for other in seen)]
    if len(several) > 1:
        return Choice(tuple(each.aspect for each in several), _why(several))
    best = max(seen, key=lambda each: (each.count, -_RANK.index(each.aspect)))
    return Choice((best.aspect,), _why([best]))


def _seen(aspect: Aspect, text: str) -> _Seen | None:
    matches = list(_words()[aspect].strong.finditer(text))
    if not matches:
        return None
    first = matches[0]
    weak = len(set(_words()[aspect].weak.findall(text)))
    count = 2 * len({match[0] for match in matches}) + min(weak, 1)
    return _Seen(aspect, first.start(), first.end(), first[0], count)


def _without_asides(seen: list[_Seen]) -> list[_Seen]:
    """Leave out words within another aspect's words: "security review" is about security."""
    kept: list[_Seen] = []
    for each in seen:
        if not any(other.start <= each.start and each.end <= other.end for other in kept):
            kept.append(each)
    return kept


def _linked(text: str, one: _Seen, other: _Seen) -> bool:
    """Say whether a request wants two things, and not one that it describes by both."""
    first, second = sorted((one, other), key=lambda each: each.start)
    return first is not second and _LINKED.search(text, first.end, second.start) is not None


def _by_weak(text: str) -> Choice:
    """Return the aspect that several weak words speak of; a question is one about code as it is."""
    counts = {aspect: len(set(words.weak.findall(text))) for aspect, words in _words().items()}
    best = max(counts, key=lambda aspect: (counts[aspect], -_RANK.index(aspect)))
    asks = _ASKS.match(text) is not None
    if counts[best] >= (2 if asks else 1):
        return Choice((best,), f"words of {best.value}")
    return Choice((Aspect.QUESTION,), "it asks about the code as it is")


def _why(seen: list[_Seen]) -> str:
    return ", ".join(f"“{each.said}” is about {each.aspect.value}" for each in seen)
