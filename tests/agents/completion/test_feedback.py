"""A suggestion from the screen to its fate, on a clock that the test moves."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from coai_agents.completion.feedback import feedback as module
from coai_agents.completion.feedback.feedback import REGRET, Feedback
from coai_agents.completion.outcome import Suggestion
from coai_agents.source import Span
from coai_routing.records.usage_rows import Fate, SuggestionRow
from tests.support.scripted import Editor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

AT = datetime(2026, 3, 5, tzinfo=UTC)
TEXT = "sum(items)"


class Clock:
    """Time that passes when the test says so; whoever sleeps is counted."""

    def __init__(self) -> None:
        self.now = 100.0
        self.sleeps = 0
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.sleeps += 1
        woken = asyncio.Event()
        sleeper = (self.now + seconds, self.sleeps, woken)
        heapq.heappush(self._sleepers, sleeper)
        try:
            await woken.wait()
        finally:
            if sleeper in self._sleepers:
                self._sleepers.remove(sleeper)
                heapq.heapify(self._sleepers)

    @property
    def sleeping(self) -> int:
        return len(self._sleepers)

    def advance(self, seconds: float) -> None:
        self.now += seconds
        while self._sleepers and self._sleepers[0][0] <= self.now:
            heapq.heappop(self._sleepers)[2].set()


class DocumentState:
    """An editor whose suggestions are followed, and what was reported of them."""

    def __init__(self, text: str = "total = |\nprint(total)\n") -> None:
        self.clock = Clock()
        self.editor = Editor(text)
        self.open = True
        self.rows: list[SuggestionRow] = []
        self.told = asyncio.Event()
        self.feedback = Feedback(
            self,
            lambda uri: self.editor.document(uri) if self.open else None,
            clock=self.clock,
            now=lambda: AT,
            sleep=self.clock.sleep,
        )
        self.editor.on_change = self.feedback.changed

    def suggestion(self, row: SuggestionRow) -> None:
        self.rows.append(row)
        self.told.set()

    def show(self, text: str = TEXT, identity: int = 1) -> None:
        shown = Suggestion(text, 0, "model", "embedded", "m", 1.0, identity)
        self.feedback.shown(self.editor.source, self.editor.offset, shown)

    def of(self, identity: int = 1) -> SuggestionRow:
        return [row for row in self.rows if row.identity == identity][-1]

    def replace(self, start: int, end: int, text: str) -> None:
        self.editor._edit(Span(start, end), text)  # pyright: ignore[reportPrivateUsage] - an edit away from the cursor

    async def passes(self, seconds: float, *, rows: int) -> None:
        """Let time pass, and wait until so many more rows were reported."""
        wanted = len(self.rows) + rows
        await settled()
        self.clock.advance(seconds)
        async with asyncio.timeout(10):
            while len(self.rows) < wanted:
                self.told.clear()
                await self.told.wait()
        await settled()


async def settled() -> None:
    """Let tasks go on until they wait for something else."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def desk() -> AsyncIterator[DocumentState]:
    desk = DocumentState()
    yield desk
    await desk.feedback.aclose()
    assert desk.clock.sleeping == 0


async def test_what_is_shown_is_reported_without_its_text(desk: DocumentState) -> None:
    desk.show("a\n    b")
    assert desk.rows == [
        SuggestionRow(
            shown_at=AT,
            identity=1,
            uri="file:///work/a.py",
            language="python",
            backend="embedded",
            model="m",
            characters=7,
            lines=2,
        )
    ]


async def test_accepted_whole_by_the_text(desk: DocumentState) -> None:
    desk.show()
    desk.editor.type(TEXT)
    assert (desk.of().fate, desk.of().taken) == (Fate.ACCEPTED, 10)
    # The client's command says nothing new then.
    reported = len(desk.rows)
    desk.feedback.accepted(1)
    assert len(desk.rows) == reported


async def test_accepted_whole_by_the_command_before_the_text(desk: DocumentState) -> None:
    desk.show(")")
    desk.feedback.accepted(1)
    desk.editor.type(")")
    assert (desk.of().fate, desk.of().taken) == (Fate.ACCEPTED, 1)


@pytest.mark.parametrize("typed", ["s", "SUM(items)", TEXT[:3]])
async def test_accepted_whole_by_the_command_after_an_edit_that_did_not_tell(
    desk: DocumentState, typed: str
) -> None:
    desk.show()
    desk.editor.type(typed)
    desk.editor.type("?")
    desk.feedback.accepted(1)
    assert (desk.of().fate, desk.of().taken) == (Fate.ACCEPTED, 10)
    await desk.passes(30, rows=1)
    assert desk.of().kept_30s is not None


async def test_a_command_for_what_nobody_knows_is_ignored(desk: DocumentState) -> None:
    desk.feedback.accepted(99)
    assert desk.rows == []


async def test_accepted_in_part_and_then_left(desk: DocumentState) -> None:
    desk.show()
    desk.editor.type("sum")
    assert desk.of().fate is Fate.SHOWN
    desk.editor.type("!")
    assert (desk.of().fate, desk.of().taken) == (Fate.ACCEPTED_IN_PART, 3)
    await desk.passes(30, rows=1)
    assert desk.of().kept_30s == 1.0


async def test_piece_by_piece_is_whole_in_the_end(desk: DocumentState) -> None:
    desk.show()
    for identity, piece in enumerate(["sum", "(items)"], 1):
        desk.editor.type(piece)
        if identity == 1:
            desk.show(TEXT[3:])
    assert desk.of().fate is Fate.ACCEPTED


async def test_typing_all_of_it_is_not_taking_it(desk: DocumentState) -> None:
    desk.show()
    for number, character in enumerate(TEXT, 1):
        desk.editor.type(character)
        if TEXT[number:]:
            desk.show(TEXT[number:])
    assert (desk.of().fate, desk.of().taken) == (Fate.TYPED, 0)
    assert len(desk.rows) == 2
    assert desk.clock.sleeping == 0


async def test_rejected_by_typing_something_else(desk: DocumentState) -> None:
    desk.show()
    desk.editor.type("m")
    assert desk.of().fate is Fate.REJECTED


async def test_rejected_by_another_suggestion_in_its_place(desk: DocumentState) -> None:
    desk.show()
    desk.show("max(items)", identity=2)
    assert (desk.of(1).fate, desk.of(2).fate) == (Fate.REJECTED, Fate.SHOWN)


async def test_rejected_by_asking_somewhere_else(desk: DocumentState) -> None:
    desk.show()
    source, offset = desk.editor.source, desk.editor.offset
    desk.feedback.asked(source, offset)
    assert desk.of().fate is Fate.SHOWN
    desk.editor.type("s")
    # What was asked of the document as it was says nothing of where the user is.
    desk.feedback.asked(source, 0)
    assert desk.of().fate is Fate.SHOWN
    desk.feedback.asked(desk.editor.source, 0)
    assert desk.of().fate is Fate.REJECTED
    desk.feedback.asked(desk.editor.source, 0)


async def test_a_suggestion_shown_again_after_it_was_left_has_another_chance(
    desk: DocumentState,
) -> None:
    desk.show()
    desk.editor.type("m")
    desk.editor.delete(1)
    desk.show()
    desk.editor.type(TEXT)
    assert desk.of().fate is Fate.ACCEPTED


@pytest.mark.parametrize("late", [False, True])
async def test_taken_back_right_after_is_rejected(desk: DocumentState, *, late: bool) -> None:
    desk.show()
    desk.editor.type(TEXT)
    await settled()
    desk.clock.advance(REGRET + 1 if late else 1)
    desk.editor.delete(len(TEXT))
    assert desk.of().fate is (Fate.ACCEPTED if late else Fate.REJECTED)
    await desk.passes(30, rows=1 if late else 0)
    assert desk.of().kept_30s == (0.0 if late else None)


async def test_a_line_end_is_the_documents_own() -> None:
    desk = DocumentState("total = |\r\nprint(total)\r\n")
    desk.show("sum(\n    items\n)")
    desk.editor.type("sum(\r\n    items\r\n)")
    assert (desk.of().fate, desk.of().lines) == (Fate.ACCEPTED, 3)
    await desk.feedback.aclose()


async def test_what_was_accepted_is_looked_for_twice(desk: DocumentState) -> None:
    desk.show()
    desk.editor.type(TEXT)
    await desk.passes(30, rows=1)
    assert (desk.of().kept_30s, desk.of().kept_5min) == (1.0, None)
    desk.replace(0, 0, "import os\n\n")
    start = desk.editor.source.text.index(TEXT)
    desk.replace(start, start + 3, "tally")
    await desk.passes(270, rows=1)
    assert desk.of().kept_30s == 1.0
    assert desk.of().kept_5min == pytest.approx(0.7)
    assert desk.clock.sleeping == 0


async def test_one_task_sleeps_for_all_and_wakes_for_what_is_due(desk: DocumentState) -> None:
    desk.show()
    desk.editor.type(TEXT)
    await desk.passes(30, rows=1)
    # It sleeps until the end of the five minutes now; what comes is due sooner.
    for identity in (2, 3):
        desk.show(" + 1", identity)
        desk.editor.type(" + 1")
        await settled()
        assert desk.clock.sleeping == 1
        desk.clock.advance(1)
    slept = desk.clock.sleeps
    await desk.passes(29, rows=2)
    assert desk.clock.sleeping == 1
    assert desk.clock.sleeps <= slept + 2
    assert [desk.of(identity).kept_30s for identity in (1, 2, 3)] == [1.0, 1.0, 1.0]
    await desk.passes(300, rows=3)
    assert [desk.of(identity).kept_5min for identity in (1, 2, 3)] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("typed", "confirmed", "fate"),
    [("", False, Fate.SHOWN), ("sum", False, Fate.ACCEPTED_IN_PART), ("", True, Fate.ACCEPTED)],
)
async def test_a_closed_document_settles_with_what_is_known(
    desk: DocumentState, typed: str, fate: Fate, *, confirmed: bool
) -> None:
    desk.show()
    if typed:
        desk.editor.type(typed)
    if confirmed:
        desk.feedback.accepted(1)
    desk.feedback.closed("file:///work/a.py")
    assert desk.of().fate is fate
    reported = len(desk.rows)
    await desk.passes(400, rows=0)
    assert len(desk.rows) == reported
    desk.feedback.closed("file:///work/a.py")


async def test_a_document_that_is_gone_is_not_looked_at(desk: DocumentState) -> None:
    desk.show()
    desk.editor.type(TEXT)
    desk.open = False
    await desk.passes(400, rows=0)
    desk.feedback.accepted(1)
    assert desk.of().kept_30s is None


async def test_the_oldest_are_forgotten(
    desk: DocumentState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 1)
    for identity in (1, 2):
        desk.show(TEXT, identity)
        desk.editor.type(TEXT)
    await desk.passes(30, rows=1)
    assert (desk.of(1).kept_30s, desk.of(2).kept_30s) == (None, 1.0)


async def test_closing_ends_what_sleeps() -> None:
    desk = DocumentState()
    desk.show()
    desk.editor.type(TEXT)
    await settled()
    assert desk.clock.sleeping == 1
    desk.show("x = 1", 2)
    await desk.feedback.aclose()
    assert desk.clock.sleeping == 0
    assert desk.of(2).fate is Fate.SHOWN
