"""How complex a request is: a score from 0 to 1 of what is known before any model is asked.

A logistic regression over a few dozen cheap features. Its weights are a data file, written by
`python -m benchmarks.complexity --train`, which also prints how well they do on requests that they
were not fitted to. Floor 2 hands the features over; nothing here parses code.
"""

from __future__ import annotations

import functools
import json
import math
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coai_routing.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

WEIGHTS: Final = Path(__file__).with_name("complexity.json")

COMPLEX: Final = 0.3
STRATEGIC: Final = 0.9
"""Where a request is no longer simple, and where it asks for a design rather than an answer."""

_WORDS: Final = re.compile(r"\w+")
_UNSPACED: Final = "\u2e80"
"""Characters from here on are mostly of scripts without blanks between words."""

_LONGEST: Final = 4000
"""Characters of a question that are read: what comes later is mostly pasted."""


class Level(StrEnum):
    """What a score means."""

    SIMPLE = "simple"
    MODERATE = "moderate"
    COMPLEX = "complex"
    STRATEGIC = "strategic"

    @classmethod
    def of(cls, score: float) -> Level:
        """Return the level of a score: simple < 0.3, complex >= 0.7, strategic >= 0.9."""
        if score < COMPLEX:
            return cls.SIMPLE
        if score < _DEEP:
            return cls.MODERATE
        return cls.COMPLEX if score < STRATEGIC else cls.STRATEGIC


_DEEP: Final = 0.7


@dataclass(frozen=True, slots=True)
class RequestFeatures:
    """What is known of a request; zeros where nothing is."""

    kind: str = ""
    """What is asked for: a capability's name."""
    question: str = ""
    """What the user wrote, in any language; empty for requests that an editor makes by itself."""
    span_lines: int = 0
    """Lines that the request is about."""
    files: int = 0
    diff_lines: int = 0
    diagnostics: int = 0
    nesting: int = 0
    """How deep the deepest block of the span is nested."""


@dataclass(frozen=True, slots=True)
class Complexity:
    """A score and how it came about."""

    score: float
    """From 0 to 1: the probability that a small model's answer would not do."""
    contributions: tuple[tuple[str, float], ...]
    """What each feature that is present adds to the log odds, the weightiest first."""

    @property
    def level(self) -> Level:
        """What the score means."""
        return Level.of(self.score)


class ComplexityWeights(BaseModel):
    """The fitted model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    intercept: float
    weights: dict[str, float] = Field(min_length=1)
    stems: dict[str, tuple[str, ...]]
    """Beginnings of words, in several languages, by what they tell of a question."""

    @functools.cached_property
    def _stem_expressions(self) -> Mapping[str, re.Pattern[str]]:
        return {
            # Scripts that write no blanks have no beginnings of words either.
            name: re.compile(
                "|".join(
                    re.escape(stem) if stem[0] > _UNSPACED else rf"\b{re.escape(stem)}"
                    for stem in stems
                )
            )
            for name, stems in self.stems.items()
        }

    def features(self, request: RequestFeatures) -> dict[str, float]:
        """Return the numbers that the weights apply to, without those that are 0."""
        question = request.question[:_LONGEST].lower()
        words = len(_WORDS.findall(question))
        # Scripts without blanks between words have about two characters a word.
        words = max(words, sum(character > _UNSPACED for character in question) // 2)
        values = {
            f"kind {request.kind}": 1.0,
            "length of the question": math.log1p(words),
            "lines": math.log1p(request.span_lines),
            "files": math.log1p(request.files),
            "lines of the change": math.log1p(request.diff_lines),
            "diagnostics": math.log1p(request.diagnostics),
            "nesting": float(request.nesting),
        }
        for name, expression in self._stem_expressions.items():
            values[f"words of {name}"] = math.log1p(len(set(expression.findall(question))))
        return {name: value for name, value in values.items() if value}

    def score(self, request: RequestFeatures) -> Complexity:
        """Score a request."""
        contributions = {
            name: value * self.weights.get(name, 0.0)
            for name, value in self.features(request).items()
        }
        log_odds = self.intercept + sum(contributions.values())
        weightiest = sorted(contributions.items(), key=lambda item: -abs(item[1]))
        score = 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, log_odds))))
        return Complexity(score, tuple(weightiest))


def load_weights(path: Path = WEIGHTS) -> ComplexityWeights:
    """Read fitted weights. Raises SettingsError that names the file."""
    try:
        return ComplexityWeights.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise SettingsError(
            f"{path} cannot be used: {error}.", remedy="Install COAI again."
        ) from error


@functools.cache
def builtin_weights() -> ComplexityWeights:
    """Return COAI's own weights, read once."""
    return load_weights()


def complexity(request: RequestFeatures) -> Complexity:
    """Score a request with COAI's own weights."""
    return builtin_weights().score(request)
