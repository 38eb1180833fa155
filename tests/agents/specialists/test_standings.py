"""Standings of agents: what is kept, who is left out of a team, what a damaged file does."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from coai_agents.specialists.choosing.standings import (
    Given,
    Standings,
    StandingsError,
    left_out,
    standings,
)
from coai_routing.policy.bandit import Verdict

if TYPE_CHECKING:
    from pathlib import Path

GOOD, BAD = Verdict.ACCEPTED, Verdict.REJECTED


def given(agent: str, *verdicts: Verdict, model: str = "") -> list[Given]:
    return [Given(agent, "code_analysis", model, verdict=each, at=1.0) for each in verdicts]


def test_an_answer_is_kept_rated_and_rated_again(tmp_path: Path) -> None:
    kept = Standings(tmp_path / "s.sqlite3")
    first = kept.keep(Given("ask", "code_analysis", "small", 2.0, 0.01, at=1.0))
    last = kept.keep(Given("review", seconds=1.0, answered=False, at=2.0))
    assert [each.id for each in kept.answers()] == [last, first]
    assert [each.agent for each in kept.rate(None, helpful=True)] == ["review"]
    kept.rate(first, helpful=False)
    assert [each.verdict for each in kept.rate(first, helpful=True)] == [BAD]
    review, ask = sorted(kept.table(), key=lambda each: -each.seconds)[::-1]
    assert (review.answered, review.good, review.share) == (0.0, 1, 0.5)
    assert (ask.model, ask.good, ask.bad, ask.usd) == ("small", 1, 0, 0.01)
    assert (tmp_path / "s.sqlite3").stat().st_mode & 0o777 == 0o600


def test_a_team_is_rated_as_one(tmp_path: Path) -> None:
    kept = Standings(tmp_path / "s.sqlite3")
    name = kept.keep_team([Given("security", at=1.0), Given("answer", model="small", at=1.0)])
    assert {each.agent for each in kept.rate(name, helpful=False)} == {"security", "answer"}
    assert [each.bad for each in kept.table()] == [1, 1]


def test_what_is_not_there_cannot_be_rated(tmp_path: Path) -> None:
    kept = Standings(tmp_path / "s.sqlite3")
    for name in (None, "abc"):
        with pytest.raises(StandingsError):
            kept.rate(name, helpful=True)


def test_a_damaged_file_is_set_aside_and_an_unwritable_place_is_told(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite3"
    path.write_bytes(b"no database at all, and long enough to be seen as such" * 20)
    with pytest.raises(StandingsError):
        Standings(path).answers()
    name = Standings(path).keep(Given("ask"))
    assert [each.id for each in Standings(path).answers()] == [name]
    assert len([*tmp_path.glob("*set-aside*")]) >= 1
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(StandingsError):
        Standings(tmp_path / "file" / "s.sqlite3").keep(Given("ask"))


def test_the_standing_follows_the_last_verdicts() -> None:
    # The newest first, as they are read.
    (better,) = standings(given("ask", *[GOOD] * 30, *[BAD] * 30))
    (worse,) = standings(given("ask", *[BAD] * 30, *[GOOD] * 30))
    assert better.standing > 0.5 > worse.standing


@pytest.mark.parametrize(
    ("verdicts", "left"),
    [
        ({"security": [BAD] * 12}, {"security"}),
        ({"security": [BAD] * 3}, set[str]()),
        ({"security": [BAD] * 12, "answer": [BAD] * 30}, {"security", "answer"}),
        ({"security": [GOOD] * 12}, set[str]()),
        ({}, set[str]()),
    ],
)
def test_who_was_of_no_help_is_left_out_but_never_everybody(
    verdicts: dict[str, list[Verdict]], left: set[str]
) -> None:
    answers = [each for agent, some in verdicts.items() for each in given(agent, *some)]
    for seed in range(20):
        out = left_out(("security", "answer"), answers, random.Random(seed))
        assert out < {"security", "answer"}
        assert out <= left


def test_who_is_left_out_is_tried_again_now_and_then() -> None:
    answers = given("security", *[BAD] * 8)
    draws = [left_out(("security", "answer"), answers, random.Random(seed)) for seed in range(300)]
    assert {frozenset({"security"}), frozenset()} == set(draws)


def _keep(path: Path) -> None:
    Standings(path).keep(Given("ask"))


def test_several_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    for number in range(20):
        path = tmp_path / f"{number}.sqlite3"
        with ThreadPoolExecutor(4) as pool:
            begun = [pool.submit(_keep, path) for _ in range(4)]
        assert [each.result() for each in begun] == [None] * 4
        assert len(Standings(path).answers()) == 4
