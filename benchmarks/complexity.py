"""How well the complexity of a request is told, and the training of the weights that tell it.

    python -m benchmarks.complexity            # figures on requests that were not fitted to
    python -m benchmarks.complexity --train    # fits, writes the weights, then the same figures

The requests in `data/complexity.psv` were written and labelled by hand for this project, in a dozen
languages. Every third is kept for the test, and a request is on one side with all its wordings.
Those in `data/complexity_held_out.psv` were written after the features and their words were chosen,
and labelled before anybody saw their scores; nothing is ever fitted to them or chosen by them.
The labels are judgements of one author: the figures say how well the features reproduce them.
"""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.support.figures import Spread, mean
from benchmarks.support.report import Bar, Report, options_parser, quantity
from coai_routing.registry.complexity import (
    WEIGHTS,
    ComplexityWeights,
    Level,
    RequestFeatures,
    load_weights,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

REQUESTS: Final = Path(__file__).parent / "data" / "complexity.psv"
HELD_OUT: Final = Path(__file__).parent / "data" / "complexity_held_out.psv"
STEMS: Final = Path(__file__).parent / "data" / "complexity_stems.json"

TARGETS: Final = {
    Level.SIMPLE: 0.1,
    Level.MODERATE: 0.5,
    Level.COMPLEX: 0.82,
    Level.STRATEGIC: 0.97,
}
"""What the score of each level should be: inside the level's own bounds."""

STEPS: Final = 4000
RATE: Final = 0.5
RIDGE: Final = 0.003
"""Gradient descent: so many steps, of this rate, with this penalty on the squares of weights."""

BINS: Final = 5
MOST_US: Final = 1000.0
STRONG: Final = 0.85
CALIBRATION: Final = 0.1
FLIPS: Final = 0.1
"""What the requests that were held out have to reach."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A request, its label, and what it says in other words."""

    features: RequestFeatures
    level: Level
    reworded: RequestFeatures | None

    @property
    def wordings(self) -> tuple[RequestFeatures, ...]:
        """Every way in which it is said."""
        return (self.features,) if self.reworded is None else (self.features, self.reworded)


def read_requests(path: Path = REQUESTS) -> list[Labelled]:
    """Read the labelled requests; raises ValueError that names the line of a malformed one."""
    read: list[Labelled] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        try:
            kind, _, *counts, level, question, reworded = line.split("|")
            span, files, diff, diagnostics, nesting = map(int, counts)
            said = [
                RequestFeatures(kind, words, span, files, diff, diagnostics, nesting)
                for words in (question, reworded)
            ]
            read.append(Labelled(said[0], Level(level), said[1] if reworded else None))
        except ValueError as error:
            raise ValueError(f"{path}:{number}: {error}") from error
    return read


def halves(requests: Sequence[Labelled]) -> tuple[list[Labelled], list[Labelled]]:
    """Return the requests to fit to, and every third one to test on."""
    return (
        [one for number, one in enumerate(requests) if number % 3],
        [one for number, one in enumerate(requests) if not number % 3],
    )


def words_alone(requests: Sequence[Labelled]) -> list[Labelled]:
    """Return requests of which no more is known than kind and words, as `coai route explain` does.

    Those without words are left out: nothing would be known of them.
    """
    return [
        Labelled(
            RequestFeatures(one.features.kind, one.features.question),
            one.level,
            one.reworded and RequestFeatures(one.reworded.kind, one.reworded.question),
        )
        for one in requests
        if one.features.question
    ]


def fit(requests: Sequence[Labelled]) -> ComplexityWeights:
    """Fit a logistic regression to the targets by gradient descent on the cross entropy."""
    stems = json.loads(STEMS.read_text(encoding="utf-8"))
    blank = ComplexityWeights(intercept=0.0, weights={"": 0.0}, stems=stems)
    said = [(blank.features(one), TARGETS[r.level]) for r in requests for one in r.wordings]
    names = sorted({name for features, _ in said for name in features})
    rows = np.array([[features.get(name, 0.0) for name in names] for features, _ in said])
    targets = np.array([target for _, target in said])
    scale = np.maximum(rows.std(axis=0), 1e-9)
    rows = rows / scale
    weights, intercept = np.zeros(len(names)), 0.0
    for _ in range(STEPS):
        wrong = 1.0 / (1.0 + np.exp(-(rows @ weights + intercept))) - targets
        weights -= RATE * (rows.T @ wrong / len(targets) + RIDGE * weights)
        intercept -= RATE * float(wrong.mean())
    fitted = zip(names, weights / scale, strict=True)
    return ComplexityWeights(
        intercept=round(intercept, 4),
        weights={name: round(float(weight), 4) for name, weight in fitted},
        stems=stems,
    )


@dataclass(frozen=True, slots=True)
class Quality:
    """How well scores fit labels."""

    exact: float
    """Share of requests whose level is the label."""
    near: float
    """Share whose level is the label or next to it."""
    strong: float
    """Share of right decisions between simple or moderate and complex or strategic."""
    calibration: float
    """Expected difference between the score and the targets, over bins of the score."""
    flips: float
    """Share of reworded requests for which that decision changes."""
    rank: float
    """Probability that of two requests with different labels the higher one scores higher."""


def judge(weights: ComplexityWeights, requests: Sequence[Labelled]) -> Quality:
    """Hold weights against labelled requests."""
    order = list(Level)
    scored = [(weights.score(one), r.level) for r in requests for one in r.wordings]
    distances = [abs(order.index(made.level) - order.index(level)) for made, level in scored]
    pairs = [
        0.5 if first.score == second.score else float(first.score > second.score)
        for first, high in scored
        for second, low in scored
        if order.index(high) > order.index(low)
    ]
    reworded = [one.wordings for one in requests if one.reworded is not None]
    return Quality(
        exact=mean([float(distance == 0) for distance in distances]),
        near=mean([float(distance <= 1) for distance in distances]),
        strong=mean([float(_strong(made.level) == _strong(level)) for made, level in scored]),
        calibration=_calibration([(made.score, TARGETS[level]) for made, level in scored]),
        flips=mean(
            [
                float(_strong(weights.score(a).level) != _strong(weights.score(b).level))
                for a, b in reworded
            ]
        ),
        rank=mean(pairs),
    )


def _strong(level: Level) -> bool:
    return level in {Level.COMPLEX, Level.STRATEGIC}


def _calibration(scored: Sequence[tuple[float, float]]) -> float:
    total = 0.0
    for number in range(BINS):
        inside = [(score, target) for score, target in scored if math.floor(score * BINS) == number]
        if inside:
            total += abs(sum(score - target for score, target in inside))
    return total / len(scored)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    parser = options_parser("complexity", "How well the complexity of a request is told.")
    parser.add_argument("--train", action="store_true", help="fit the weights anew and write them")
    options = parser.parse_args(arguments)
    requests, held_out = read_requests(), read_requests(HELD_OUT)
    training, test = halves(requests)
    if options.train:
        text = json.dumps(fit(training).model_dump(mode="json"), ensure_ascii=False, indent=1)
        WEIGHTS.write_text(text + "\n", encoding="utf-8")
    weights = load_weights()
    report = Report("Complexity of requests")
    wordings = sum(len(one.wordings) for one in requests)
    report.say(
        f"{len(requests)} labelled requests, {wordings} wordings; "
        f"{len(training)} to fit to, {len(test)} to test on; {len(held_out)} more that nothing was "
        "chosen by"
    )
    rows: list[tuple[str, ...]] = []
    parts = {
        "fitted": training,
        "test": test,
        "held out": held_out,
        "held out, words alone": words_alone(held_out),
    }
    judged = {name: judge(weights, part) for name, part in parts.items()}
    for name, held in judged.items():
        figures = (held.exact, held.near, held.strong, held.calibration, held.flips, held.rank)
        rows.append((name, *(f"{figure:.3f}" for figure in figures)))
        report.keep(name, dict(zip(_COLUMNS, figures, strict=True)))
    report.table("Scores against labels", ("requests", *_COLUMNS), rows)
    micros: list[float] = []
    for one in requests * 5:
        begun = time.perf_counter()
        weights.score(one.features)
        micros.append((time.perf_counter() - begun) * 1e6)
    spread = Spread.of(micros)
    assert spread is not None
    report.say(f"One score: p50 {quantity(spread.p50)} us, p99 {quantity(spread.p99)} us")
    unseen = judged["held out"]
    report.hold(
        Bar("score, p99", spread.p99, MOST_US, "us"),
        Bar("held out: strong or not", unseen.strong, STRONG, at_least=True),
        Bar("held out: calibration error", unseen.calibration, CALIBRATION),
        Bar("held out: flips", unseen.flips, FLIPS),
    )
    return report.finish(options)


_COLUMNS: Final = (
    "same level",
    "next level",
    "strong or not",
    "calibration error",
    "flips",
    "order",
)


if __name__ == "__main__":
    sys.exit(main())
