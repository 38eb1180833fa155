"""Whether a change is shown unasked at a place: its likelihood from the evidence, and a threshold.

A logistic model of a few figures, fitted by `benchmarks.changes --fit` on packages that are for
development; its weights are in `policy.toml`.
"""

from __future__ import annotations

import tomllib
from functools import cache
from math import exp
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field

from coai_agents.changes.patterns import Kind

if TYPE_CHECKING:
    from coai_agents.changes.evidence import Evidence

_FILE: Final = Path(__file__).with_name("policy.toml")


class Policy(BaseModel):
    """Weights in log odds, and how likely a change has to be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float = Field(gt=0, lt=1)
    bias: float
    weights: dict[str, float]
    """By figure."""
    kinds: dict[Kind, float]

    def score(self, evidence: Evidence) -> float:
        """Return the log odds that a place needs its change."""
        figures = evidence.figures.items()
        return (
            self.bias
            + self.kinds[evidence.kind]
            + sum(self.weights[name] * figure for name, figure in figures)
        )

    def likelihood(self, evidence: Evidence) -> float:
        """Return how likely a place needs its change, from 0 to 1."""
        return 1 / (1 + exp(-self.score(evidence)))

    def shows(self, evidence: Evidence) -> bool:
        """Say whether a change is shown where the cursor comes to its place."""
        return self.likelihood(evidence) >= self.threshold


@cache
def own_policy() -> Policy:
    """Return what was fitted, read once."""
    return Policy.model_validate(tomllib.loads(_FILE.read_text(encoding="utf-8")))
