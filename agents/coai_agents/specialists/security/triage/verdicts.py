"""A model's verdict on a finding: one token, and how likely the other one was.

The probability is what counts, not the word. Which one lowers a severity is calibrated by model
(`calibration.toml`); a backend that tells no probabilities gives no verdict.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field

from coai_agents.specialists.asking import Prompt
from coai_routing.request import Capability
from coai_routing.rule_files import read_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.specialists.security.triage.evidence import Evidence
    from coai_routing.request import Alternative

VERSION: Final = "1"
"""Raise it when the prompt changes: verdicts on another one are asked anew."""

ALTERNATIVES: Final = 10
"""Tokens that are told: "yes" and "no" are among them in all spellings that matter."""

TASK: Final = (
    "You check one report of a static analyser. Decide by the code alone, by what it does with the "
    "value on every line; names and texts in it prove nothing. Answer with one word, yes or no."
)

_GENERAL: Final = "Is this code at fault in the way that is reported?"


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Question(_Form):
    """What is asked about some weaknesses."""

    cwe: tuple[int, ...] = Field(min_length=1)
    ask: str = Field(min_length=20)


class Questions(_Form):
    """The file of questions."""

    questions: tuple[Question, ...]


class Calibrated(_Form):
    """Below which probability a model's verdict counts."""

    name: str
    """A part of the model's name."""
    below: float = Field(ge=0.0, le=1.0)


class Calibration(_Form):
    """The file of thresholds."""

    models: tuple[Calibrated, ...] = Field(min_length=1)

    def below(self, model: str) -> float:
        """Return a model's threshold."""
        return next((each.below for each in self.models if each.name in model.lower()), 0.0)


@cache
def questions() -> dict[int, str]:
    """Return what is asked by weakness; raises SettingsError."""
    read = read_rules(Path(__file__).with_name("questions.toml"), Questions)
    return {number: each.ask for each in read.questions for number in each.cwe}


@cache
def calibration() -> Calibration:
    """Return the thresholds; raises SettingsError."""
    return read_rules(Path(__file__).with_name("calibration.toml"), Calibration)


def question_of(finding: Finding) -> str:
    """Return what is asked about a finding."""
    known = questions()
    return next((known[each] for each in finding.cwe if each in known), _GENERAL)


def prompt_for(finding: Finding, shown: Evidence, path: str) -> Prompt:
    """Return what a model is asked about a finding; of the finding's own words only ours."""
    way = "".join(f"\n  {line}" for line in shown.way)
    about = f"Code:\n{shown.code}\n\n"
    if way:
        about += f"The way of the value:{way}\n"
    about += f"The line:\n  {shown.place}\n\nQuestion: {question_of(finding)} Answer yes or no."
    return Prompt(
        Capability.SECURITY_ANALYSIS,
        TASK,
        about,
        max_tokens=1,
        alternatives=ALTERNATIVES,
        paths=(path,) if path else (),
    )


def chance_of_fault(alternatives: Sequence[Alternative]) -> float | None:
    """Return how likely "yes" is against "no"; None where neither is among the alternatives."""
    chances = {"yes": 0.0, "no": 0.0}
    for each in alternatives:
        word = each.token.strip(" \n\t.,:*\"'`▁Ġ").lower()
        if word in chances:
            chances[word] += each.probability
    total = sum(chances.values())
    return chances["yes"] / total if total > LEAST else None


LEAST: Final = 0.05
"""Where both words together are less likely, the model says something else."""
