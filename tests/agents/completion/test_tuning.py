"""What acceptance changes: nothing at first, and never without bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coai_agents.completion.debounce import LONGEST_MS, Rhythm, delay_ms
from coai_agents.completion.feedback.tuning import (
    FEWEST,
    FEWEST_BLOCKS,
    SHORTEST,
    UNTUNED,
    Tuning,
    tuning,
    tuning_for,
)
from coai_routing.records.acceptance import Acceptance


def taking(rate: float, weight: float) -> Acceptance:
    return Acceptance(weight, rate * weight)


def blocks(share: float, count: float) -> Acceptance:
    return Acceptance(0, 0, count, share * count)


@pytest.mark.parametrize(
    "few", [Acceptance(), taking(1, FEWEST - 1), blocks(0.1, FEWEST_BLOCKS - 1)]
)
def test_with_few_observations_nothing_changes(few: Acceptance) -> None:
    assert tuning(few) == UNTUNED


@pytest.mark.parametrize(
    ("rate", "weight", "expected"),
    [(1.0, 20, 0.75), (0.0, 20, 0.25), (0.5, 20, 0.5), (1.0, 60, 0.875), (0.0, 60, 0.125)],
)
def test_the_rate_is_drawn_towards_the_middle(rate: float, weight: float, expected: float) -> None:
    assert tuning(taking(rate, weight)).acceptance == pytest.approx(expected)


@pytest.mark.parametrize(
    ("share", "most"),
    [(1.0, 128), (0.75, 128), (0.5, 96), (0.25, 64), (0.0, 51)],
)
def test_who_takes_little_of_blocks_gets_shorter_ones(share: float, most: int) -> None:
    assert tuning(blocks(share, 20)).most_tokens(128) == most


def test_a_block_stays_a_block_and_the_users_limit_a_limit() -> None:
    shortest = Tuning(length=SHORTEST)
    assert shortest.most_tokens(32) == 24
    assert shortest.most_tokens(16) == 16


def test_the_length_settles() -> None:
    # A user who takes 32 tokens, however long the suggestion is.
    length = 1.0
    for _ in range(50):
        length = tuning(blocks(min(1.0, 32 / (128 * length)), 20)).length
    assert length == pytest.approx(tuning(blocks(32 / (128 * length), 20)).length, abs=0.001)
    assert 0.5 < length < 0.8


@given(st.floats(0, 1), st.floats(0, 50), st.floats(0, 1), st.floats(0, 50))
def test_it_has_bounds(rate: float, weight: float, share: float, count: float) -> None:
    tuned = tuning(Acceptance(weight, rate * weight, count, share * count))
    assert SHORTEST <= tuned.length <= 1.0
    assert tuned.acceptance is None or 0.1 <= tuned.acceptance <= 0.9
    typing = Rhythm(0, 100)
    plain = delay_ms(typing, last_character="x", expected_latency_ms=None)
    pause = delay_ms(
        typing, last_character="x", expected_latency_ms=None, acceptance=tuned.acceptance
    )
    assert 0.8 * plain <= pause <= min(1.2 * plain, LONGEST_MS) + 1e-9


def test_a_language_goes_by_its_own_suggestions_if_there_are_enough() -> None:
    everything = taking(0.0, 40)
    own = {"python": taking(1.0, 40), "go": taking(1.0, 3)}
    assert tuning_for("python", own, everything) == tuning(own["python"])
    assert tuning_for("go", own, everything) == tuning(everything)
    assert tuning_for("rust", own, everything) == tuning(everything)
