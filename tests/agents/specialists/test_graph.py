"""COAI's own graph: who is asked in which order, what they are told, what is said to be missing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coai_agents.specialists.answers import Origin, Place, Report, Section, Statement
from coai_agents.specialists.choosing.graph import Mode, route, work
from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import Sequence

FOUND = Statement("The hash is broken.", Origin.FACT, "weak-hash", (Place("a.py", 4),))


def said(text: str, origin: Origin = Origin.MODEL) -> Report:
    return Report("", (Section("Said", (Statement(text, origin, "someone"),)),))


@pytest.mark.parametrize(
    ("request_", "members", "mode"),
    [
        ("Is it safe?", ["answer"], Mode.SINGLE),
        ("Is it safe and fast?", ["security", "performance", "answer"], Mode.PARALLEL),
        ("Is it safe?", ["security", "answer"], Mode.PARALLEL),
        ("Find the security problems and explain them", ["security", "answer"], Mode.SEQUENTIAL),
        ("Which security problem is the worst?", ["security", "answer"], Mode.SEQUENTIAL),
        ("What is slow, and how can I change it?", ["performance", "answer"], Mode.SEQUENTIAL),
        ("Review it, then say what to do first", ["review", "answer"], Mode.SEQUENTIAL),
        ("Why does it fail?", ["error"], Mode.SINGLE),
    ],
)
def test_the_words_of_a_request_decide_who_is_asked_when(
    request_: str, members: list[str], mode: Mode
) -> None:
    way = route(request_, members)
    assert way.mode is mode
    assert [name for stage in way.stages for name in stage] == members
    assert len(way.stages) == (2 if mode is Mode.SEQUENTIAL else 1)


@given(
    st.text(max_size=80),
    st.lists(st.sampled_from(["security", "performance", "review"]), unique=True),
    st.booleans(),
    st.frozensets(st.sampled_from(["security", "performance", "review", "answer"])),
)
def test_everybody_is_asked_once_or_left_out_and_somebody_always_is(
    request_: str, members: list[str], speaks: bool, out: frozenset[str]
) -> None:
    team = [*members, *(["answer"] if speaks or not members else [])]
    way = route(request_, team, left_out=out)
    asked = [name for stage in way.stages for name in stage]
    assert asked
    assert sorted([*asked, *way.left_out]) == sorted(team)
    assert "answer" not in way.left_out
    assert way.note


async def test_who_speaks_is_told_what_was_found_in_files_that_may_be_shown() -> None:
    hidden = Statement("A secret is here.", Origin.FACT, "secret", (Place("hidden.py", 1),))
    guess = Statement("Maybe slow.", Origin.MODEL, "model")
    told: dict[str, Sequence[Statement]] = {}

    async def tell(name: str, found: Sequence[Statement]) -> Report:
        told[name] = found
        if name == "security":
            return Report("", (Section("Findings", (FOUND, hidden, guess)),))
        # As the answering specialist does: what it was told is part of what it says.
        return Report(
            "", (Section("Answer", said("Use sha256.").statements), Section("Known", tuple(found)))
        )

    way = route("Which problem is the worst?", ["security", "answer"])
    worked = await work(way, tell, shown=frozenset({"a.py"}))
    assert told == {"security": (), "answer": (FOUND,)}
    texts = [each.text for each in worked.report.statements]
    assert texts.count("The hash is broken.") == 1
    assert all(each.agreed == 1 for each in worked.report.statements), "an echo is no agreement"
    assert worked.helped == {"security", "answer"}
    assert "sequential" in worked.report.notes[0]


async def test_side_by_side_nobody_waits_for_another() -> None:
    both = asyncio.Barrier(2)

    async def tell(name: str, found: Sequence[Statement]) -> Report:
        await asyncio.wait_for(both.wait(), 10)
        return said(f"{name} speaks.")

    worked = await work(route("Is it safe?", ["security", "answer"]), tell)
    assert len(worked.report.statements) == 2


async def test_who_cannot_answer_is_a_note_and_the_others_stand() -> None:
    async def tell(name: str, found: Sequence[Statement]) -> Report:
        if name == "security":
            raise CoaiError("The rules are gone.", remedy="Install again.")
        return said("It is safe.")

    worked = await work(route("Is it safe?", ["security", "answer"]), tell)
    assert worked.helped == {"answer"}
    assert "security could not be told: The rules are gone. Install again." in worked.report.notes


@pytest.mark.parametrize(
    ("request_", "answer", "missing"),
    [
        (
            "Is the hash safe? Who calls the parser?",
            "The hash is broken.",
            ["who calls the parser"],
        ),
        (
            "Is the hash safe? Who calls the parser?",
            "The hash is safe; the parser has a caller.",
            [],
        ),
        ("Is the hash safe?", "Yes.", []),
        ("Is the hash safe? Who calls the parser?", "I do not know.", []),
    ],
)
async def test_parts_that_nobody_spoke_of_are_told(
    request_: str, answer: str, missing: list[str]
) -> None:
    async def tell(name: str, found: Sequence[Statement]) -> Report:
        return said(answer)

    worked = await work(route(request_, ["answer"]), tell)
    notes = [note for note in worked.report.notes if note.startswith("Nobody spoke of")]
    assert notes == [f"Nobody spoke of “{part}”." for part in missing]
