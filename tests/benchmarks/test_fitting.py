"""The likelihood of a change: what a fit learns, and what a threshold shows of it."""

from __future__ import annotations

from typing import Final

import pytest
from benchmarks.support.fitting import FITTED, Sample, as_toml, fitted, shown

from coai_agents.changes.evidence import Evidence
from coai_agents.changes.patterns import Kind
from coai_agents.changes.policy import Policy, own_policy

POLICY: Final = own_policy()


def sample(number: int, edits: float, *, right: bool, change: str = "a") -> Sample:
    figures = {**dict.fromkeys(FITTED, 0.0), "edits": edits, "passed": 0.0}
    evidence = Evidence(Kind.CALLEE_RENAMED, figures)
    return Sample(
        evidence=evidence,
        change=change,
        edits=1,
        place=("f.py", number, "x"),
        right=right,
        gone=False,
        repeated=right,
        told=f"{number}",
    )


def flat(**weights: float) -> Policy:
    """Return a policy that goes by the given weights alone."""
    none = dict.fromkeys(POLICY.weights, 0.0)
    return Policy(
        threshold=0.5, bias=0.0, weights={**none, **weights}, kinds=dict.fromkeys(Kind, 0.0)
    )


def test_a_fit_learns_what_speaks_for_a_change() -> None:
    run = [sample(number, float(number % 4), right=number % 4 > 1) for number in range(80)]
    policy = fitted([run], POLICY)
    assert policy.weights["edits"] > 1.0
    assert policy.weights["line_alike"] == pytest.approx(0.0)
    assert policy.weights["passed"] == POLICY.weights["passed"]
    assert str(policy.weights["edits"]) in as_toml(policy)


def test_nothing_is_shown_twice() -> None:
    run = [sample(1, 2.0, right=True), sample(1, 2.0, right=True), sample(2, 2.0, right=True)]
    found = shown(run, flat(edits=1.0))
    assert (found.offers, found.right, found.found) == (2, 2, 2)


def test_what_was_wrong_counts_against_the_rest_of_its_change() -> None:
    run = [sample(number, 1.5, right=False) for number in range(10)]
    run += [sample(number, 1.5, right=True, change="b") for number in range(10, 13)]
    found = shown(run, flat(edits=1.0, passed=-1.0))
    assert (found.offers, found.right) == (5, 3)
    assert found.precision == pytest.approx(0.6)


def test_a_higher_threshold_shows_less() -> None:
    run = [sample(number, float(number), right=True) for number in range(6)]
    told = [shown(run, flat(edits=1.0), least).offers for least in (0.5, 0.8, 0.95)]
    assert told == sorted(told, reverse=True)
    assert told[0] > told[-1]
