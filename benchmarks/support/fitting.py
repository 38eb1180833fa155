"""Logistic regression of a change's likelihood on its evidence, and what a threshold shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import log, sqrt
from typing import TYPE_CHECKING, Final

import numpy as np

from coai_agents.changes.patterns import Kind
from coai_agents.changes.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from coai_agents.changes.evidence import Evidence

FITTED: Final = (
    "edits",
    "same_file",
    "line_alike",
    "names_akin",
    "same_definition",
)

MOST_OF_A_CHANGE: Final = 60
"""Places of one change that count: what is changed a thousand times is one decision."""

RIDGE: Final = 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """A place that a change could have been offered at, at one moment."""

    evidence: Evidence
    change: Hashable
    edits: int
    place: tuple[str, int | None, str]
    """File, line of the old version and new text."""
    right: bool
    gone: bool
    repeated: bool
    told: str
    """For people."""


@dataclass(slots=True)
class Shown:
    """What a policy shows."""

    offers: int = 0
    right: int = 0
    gone: int = 0
    found: int = 0
    """Repeated changes among the right ones."""
    kinds: Counter[tuple[Kind, bool]] = field(default_factory=Counter[tuple[Kind, bool]])
    wrong: list[str] = field(default_factory=list[str])

    @property
    def precision(self) -> float:
        """The share of right offers."""
        return self.right / self.offers if self.offers else 1.0

    def add(self, other: Shown) -> None:
        """Count another's too."""
        self.offers += other.offers
        self.right += other.right
        self.gone += other.gone
        self.found += other.found
        self.kinds += other.kinds
        self.wrong += other.wrong


def shown(samples: Sequence[Sample], policy: Policy, threshold: float | None = None) -> Shown:
    """Return what is shown to somebody who comes to every place after each edit.

    Nothing is shown twice, and what is wrong has been passed by, which counts against its change.
    """
    least = threshold or policy.threshold
    limit = log(least / (1 - least))
    found, passed = Shown(), Counter[object]()
    seen: set[tuple[str, int | None, str]] = set()
    for sample in samples:
        score = policy.score(sample.evidence) + policy.weights["passed"] * passed[sample.change]
        if sample.place in seen or score < limit:
            continue
        seen.add(sample.place)
        found.offers += 1
        found.right += sample.right
        found.gone += sample.gone
        found.found += sample.right and sample.repeated
        found.kinds[sample.evidence.kind, sample.right] += 1
        if not sample.right:
            passed[sample.change] += 1
            found.wrong.append(sample.told)
    return found


def fitted(runs: Sequence[Sequence[Sample]], policy: Policy) -> Policy:
    """Return a policy with weights that make the samples likeliest (Newton's method)."""
    kinds = tuple(Kind)
    rows: list[list[float]] = []
    rights: list[float] = []
    weights: list[float] = []
    for samples in runs:
        sizes = Counter((sample.change, sample.edits) for sample in samples)
        counted: Counter[tuple[Hashable, int]] = Counter()
        for sample in samples:
            key = sample.change, sample.edits
            counted[key] += 1
            if counted[key] > MOST_OF_A_CHANGE:
                continue
            figures = sample.evidence.figures
            of_kind = [float(sample.evidence.kind is kind) for kind in kinds]
            rows.append([1.0, *of_kind, *(figures[name] for name in FITTED)])
            rights.append(float(sample.right))
            weights.append(1 / sqrt(min(sizes[key], MOST_OF_A_CHANGE)))
    found = _newton(np.array(rows), np.array(rights), np.array(weights))
    told = [round(float(value), 2) for value in found]
    by_name = dict(zip(FITTED, told[1 + len(kinds) :], strict=True))
    return Policy(
        threshold=policy.threshold,
        bias=told[0],
        weights={**policy.weights, **by_name},
        kinds=dict(zip(kinds, told[1:], strict=False)),
    )


def _newton(rows: np.ndarray, rights: np.ndarray, weights: np.ndarray) -> np.ndarray:
    found = np.zeros(rows.shape[1])
    ridge = np.full(rows.shape[1], RIDGE)
    ridge[0] = RIDGE / 100
    for _ in range(40):
        likely = 1 / (1 + np.exp(-rows @ found))
        slope = rows.T @ (weights * (likely - rights)) + ridge * found
        bend = (rows * (weights * likely * (1 - likely))[:, None]).T @ rows + np.diag(ridge)
        found -= np.linalg.solve(bend, slope)
    return found


def as_toml(policy: Policy) -> str:
    """Return the weights as `policy.toml` has them."""
    lines = [f"threshold = {policy.threshold}", f"bias = {policy.bias}", "", "[weights]"]
    lines += [f"{name} = {value}" for name, value in policy.weights.items()]
    lines += ["", "[kinds]", *(f'"{kind}" = {value}' for kind, value in policy.kinds.items())]
    return "\n".join(lines)
