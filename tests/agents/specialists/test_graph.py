"""COAI's own graph: who is asked in which order, what they are told, what is said to be missing."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coai_agents.application.ask import about
from coai_agents.application.sources import source_of
from coai_agents.application.specialists.team import (
    Asked,
    ask_whoever_knows,
    asking_whoever_knows,
)
from coai_agents.specialists.answers import Origin, Place, Report, Section, Statement
from coai_agents.specialists.asking import Asker
from coai_agents.specialists.choosing.graph import Mode, route, work, working
from coai_agents.specialists.targets import Target
from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

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

    async def tell(name: str, found: Sequence[Statement]) -> AsyncGenerator[Report]:
        told[name] = found
        if name == "security":
            yield Report("", (Section("Findings", (FOUND, hidden, guess)),))
            return
        # As the answering specialist does: what it was told is part of what it says.
        yield Report(
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

    async def tell(name: str, found: Sequence[Statement]) -> AsyncGenerator[Report]:
        await asyncio.wait_for(both.wait(), 10)
        yield said(f"{name} speaks.")

    worked = await work(route("Is it safe?", ["security", "answer"]), tell)
    assert len(worked.report.statements) == 2


async def test_who_cannot_answer_is_a_note_and_the_others_stand() -> None:
    async def tell(name: str, found: Sequence[Statement]) -> AsyncGenerator[Report]:
        if name == "security":
            raise CoaiError("The rules are gone.", remedy="Install again.")
        yield said("It is safe.")

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
    async def tell(name: str, found: Sequence[Statement]) -> AsyncGenerator[Report]:
        yield said(answer)

    worked = await work(route(request_, ["answer"]), tell)
    notes = [note for note in worked.report.notes if note.startswith("Nobody spoke of")]
    assert notes == [f"Nobody spoke of “{part}”." for part in missing]


async def test_an_answer_grows_stage_by_stage_and_word_by_word() -> None:
    async def tell(name: str, found: Sequence[Statement]) -> AsyncGenerator[Report]:
        if name == "security":
            yield Report("", (Section("Findings", (FOUND,)),))
            return
        for words in ("Use", "Use sha256."):
            yield said(words)

    way = route("Which problem is the worst?", ["security", "answer"])
    async with aclosing(working(way, tell)) as steps:
        grown = [[each.text for each in worked.report.statements] async for worked in steps]
    assert grown[0] == ["The hash is broken."]
    assert grown[-1] == ["The hash is broken.", "Use sha256."]
    assert all(len(one) <= len(two) for one, two in itertools.pairwise(grown))


async def test_who_leaves_early_ends_whoever_speaks() -> None:
    ended: list[str] = []

    async def tell(name: str, found: Sequence[Statement]) -> AsyncGenerator[Report]:
        try:
            yield said("First.")
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    async with aclosing(working(route("Is it safe?", ["security", "answer"]), tell)) as steps:
        await anext(steps)
    assert sorted(ended) == ["answer", "security"]


QUESTIONS = ["Which security problem is the worst?", "Is it safe?", "What is this?"]


@pytest.mark.parametrize("question", QUESTIONS)
async def test_what_is_streamed_ends_in_what_is_asked_for_at_once(
    question: str, tmp_path: Path
) -> None:
    path = tmp_path / "shop.py"
    path.write_text("import hashlib\n\n\ndef digest(data):\n    return hashlib.md5(data)\n")
    places = (about(source_of(path), Target("shop.py")),)
    asked = Asked(question, places, tmp_path, Asker())
    async with aclosing(asking_whoever_knows(asked)) as reports:
        grown = [report async for report in reports]
    whole = await ask_whoever_knows(asked)
    assert grown[-1] == whole
    assert whole.statements
    assert whole.notes[0].startswith("Asked: ")
    wanted = "sequential" if "worst" in question else "single" if "What" in question else "parallel"
    assert wanted in whole.notes[0]
