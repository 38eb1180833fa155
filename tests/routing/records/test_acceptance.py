"""How much the user takes: a discounted mean over suggestions of known fate."""

from __future__ import annotations

import pytest

from coai_routing.records.acceptance import (
    DISCOUNT,
    Acceptance,
    acceptance,
    acceptance_by_language,
    taken_share,
)
from coai_routing.records.usage_rows import Fate
from tests.routing.records.test_usage_log import suggestion

YES, NO = Fate.ACCEPTED, Fate.REJECTED


@pytest.mark.parametrize(
    ("fate", "taken", "share"),
    [
        (Fate.ACCEPTED, 10, 1.0),
        (Fate.REJECTED, 0, 0.0),
        (Fate.ACCEPTED_IN_PART, 4, 0.4),
        (Fate.ACCEPTED_IN_PART, 40, 1.0),
        (Fate.TYPED, 0, None),
        (Fate.SHOWN, 0, None),
    ],
)
def test_the_share_that_was_taken(fate: Fate, taken: int, share: float | None) -> None:
    assert taken_share(suggestion(fate=fate, taken=taken)) == share


def test_nothing_is_known_without_suggestions() -> None:
    nothing = acceptance([])
    assert nothing == Acceptance()
    assert (nothing.rate, nothing.block_share) == (None, None)


def test_what_says_nothing_changes_nothing() -> None:
    known = acceptance([suggestion(fate=YES)])
    assert known.after(suggestion(fate=Fate.SHOWN)) == known
    assert known.after(suggestion(fate=Fate.TYPED)) == known


def test_recent_suggestions_count_more() -> None:
    better = acceptance([suggestion(fate=NO)] * 50 + [suggestion(fate=YES)] * 50).rate
    worse = acceptance([suggestion(fate=YES)] * 50 + [suggestion(fate=NO)] * 50).rate
    assert better is not None
    assert worse is not None
    assert better > 0.7
    assert worse < 0.3
    assert better + worse == pytest.approx(1.0)


def test_the_weight_has_a_bound() -> None:
    many = acceptance([suggestion(fate=YES)] * 2000)
    assert many.weight == pytest.approx(1 / (1 - DISCOUNT))
    assert many.rate == pytest.approx(1.0)


def test_only_blocks_that_were_taken_tell_how_long_they_should_be() -> None:
    known = acceptance(
        [
            suggestion(fate=YES),
            suggestion(fate=NO, lines=5),
            suggestion(fate=Fate.ACCEPTED_IN_PART, lines=5, taken=2),
            suggestion(fate=YES, lines=5),
        ]
    )
    assert known.blocks == pytest.approx(1 + DISCOUNT)
    assert known.block_share == pytest.approx((1 + 0.2 * DISCOUNT) / (1 + DISCOUNT))


def test_languages_are_told_apart() -> None:
    rows = [suggestion(fate=YES), suggestion(fate=NO, language="go")]
    assert {name: one.rate for name, one in acceptance_by_language(rows).items()} == {
        "python": 1.0,
        "go": 0.0,
    }
