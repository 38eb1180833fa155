"""Reports of several specialists as one: joined, counted, conflicts named, origins kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_agents.specialists.answers import Origin, Place, Report, Section, Statement
from coai_agents.specialists.choosing.synthesis import CONFLICTS, Part, merge
from coai_agents.specialists.choosing.team import ask_team
from coai_agents.specialists.choosing.tree import choose
from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

HERE = Place("a.py", 3, 5)
ELSEWHERE = Place("b.py", 9, 9)


def part(name: str, *said: Statement, notes: tuple[str, ...] = ()) -> Part:
    return Part(name, Report("", (Section("Said", said),), notes))


def says(text: str, origin: Origin = Origin.MODEL, by: str = "m", *where: Place) -> Statement:
    return Statement(text, origin, by, where)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It reads `path`.", "it reads `path`"),
        ("It  reads\n`path`", "It reads `path`!"),
    ],
)
def test_what_two_say_is_said_once_and_counted(one: str, other: str) -> None:
    fact = says(other, Origin.FACT, "rule", HERE)
    report = merge([part("review", says(one, Origin.MODEL, "m", HERE)), part("security", fact)])
    (joined,) = report.statements
    assert (joined.agreed, joined.origin, joined.by) == (2, Origin.FACT, "rule, m")
    assert joined.evidence == (HERE,)
    assert joined.as_json()["agreed"] == 2
    assert "(2 agree)" in report.as_text()


def test_one_that_repeats_itself_is_not_agreed_with() -> None:
    report = merge([part("review", says("It reads."), says("It reads."))])
    assert [each.agreed for each in report.statements] == [1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("`run` is safe.", "`run` is not safe."),
        ("`run` is safe.", "`run` is unsafe."),
        ("`run` is slow.", "`run` is fast."),
        ("It doesn't close the file.", "It does close the file."),
        ("`run` has 3 branches.", "`run` has 4 branches."),
        ("`path` is never used.", "`path` is used."),
    ],
)
def test_a_conflict_is_named_with_both_sides(one: str, other: str) -> None:
    model = says(one, Origin.MODEL, "m", HERE)
    fact = says(other, Origin.FACT, "rule", HERE)
    report = merge([part("review", model), part("security", fact)])
    assert [each.title for each in report.sections] == [CONFLICTS]
    first, second = report.statements
    # What has the better ground comes first, and each side keeps what it rests on.
    assert (first.text, first.origin, first.by) == (f"security: {other}", Origin.FACT, "rule")
    assert (second.text, second.origin, second.by) == (f"review: {one}", Origin.MODEL, "m")
    assert first.evidence == second.evidence == (HERE,)


@pytest.mark.parametrize(
    ("one", "other", "where"),
    [
        ("`run` is safe.", "`stop` is not safe.", HERE),
        ("`run` is safe.", "`run` is not safe.", ELSEWHERE),
        ("`run` has 3 branches.", "`run` has 4 parameters.", HERE),
        ("`run` is safe.", "`run` is fast.", HERE),
        ("No.", "Yes.", HERE),
    ],
)
def test_what_is_about_something_else_is_no_conflict(one: str, other: str, where: Place) -> None:
    parts = [
        part("review", says(one, Origin.MODEL, "m", HERE)),
        part("security", says(other, Origin.FACT, "rule", where)),
    ]
    report = merge(parts)
    assert [each.text for each in report.statements] == [one, other]
    assert [each.title for each in report.sections] == ["Said (review)", "Said (security)"]


def test_notes_are_said_once() -> None:
    parts = [part(name, says(name), notes=("No model is asked.",)) for name in ("a", "b")]
    assert merge(parts).notes == ("No model is asked.",)


async def test_one_that_fails_is_a_note_and_the_others_stand() -> None:
    async def fails() -> AsyncGenerator[Report]:
        raise CoaiError("The folder is gone.")
        yield Report("", ())  # what is no generator is no specialist

    async def tells() -> AsyncGenerator[Report]:
        yield Report("", ())
        yield part("", says("It reads.")).report

    report = await ask_team(choose("review"), {"architecture": fails, "review": tells})
    assert [each.text for each in report.statements] == ["It reads."]
    asked, failed = report.notes
    assert asked.startswith("Asked: architecture, review. Why: “review”")
    assert "The folder is gone." in failed
