"""The way of a completion: what is answered at once, what is joined, what is cancelled, and why."""

from __future__ import annotations

import asyncio
import itertools
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from coai_agents.completion.completer import BREATH, GRACE, Completer
from coai_agents.completion.outcome import NoSuggestion, Outcome, Reason, Suggestion, Trigger
from coai_agents.completion.prompt.foresight import REST
from coai_agents.completion.stop.structure import SyntaxTrees
from coai_routing.errors import (
    BadReplyError,
    EgressRefusedError,
    ProviderBusyError,
    ProviderTimeoutError,
)
from coai_routing.pool.backends import Absence
from coai_routing.settings.schema import CompletionSettings
from tests.support.scripted import (
    FIM,
    Editor,
    NoContext,
    OpenEgressGate,
    OpenGate,
    ScriptedBackends,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from coai_agents.completion.egress_gate import EgressGate
    from coai_routing.errors import ProviderError
    from coai_routing.request import ModelRequest

SETTINGS = CompletionSettings(debounce_ms=0, prefetch=False)
FUNCTION = "def f(items):\n    total = |\n"


class Desktop:
    """An editor, a model and what is between them."""

    def __init__(
        self,
        text: str = FUNCTION,
        *,
        settings: CompletionSettings = SETTINGS,
        answer: Callable[[ModelRequest], str | None] | None = None,
        egress_gate: EgressGate | None = None,
        strained: Callable[[], bool] = lambda: False,
    ) -> None:
        self.editor = Editor(text)
        self.model = ScriptedBackends(answer)
        self.gate = OpenGate()
        self.completer = Completer(
            backends=self.model,  # pyright: ignore[reportArgumentType] (a stand-in)
            settings=lambda _: settings,
            document=self.editor.document,
            gate=self.gate,
            context=NoContext(),
            syntax=SyntaxTrees(),
            egress_gate=egress_gate,
            strained=strained,
        )
        self.editor.on_change = self.completer.changed

    def ask(self, trigger: Trigger = Trigger.AUTOMATIC) -> asyncio.Task[Outcome]:
        editor = self.editor
        return asyncio.create_task(self.completer.complete(editor.source, editor.offset, trigger))

    async def answered(self, trigger: Trigger = Trigger.AUTOMATIC) -> Outcome:
        async with asyncio.timeout(5):
            return await self.ask(trigger)


@asynccontextmanager
async def desktop(
    text: str = FUNCTION,
    *,
    settings: CompletionSettings = SETTINGS,
    answer: Callable[[ModelRequest], str | None] | None = None,
    egress_gate: EgressGate | None = None,
    strained: Callable[[], bool] = lambda: False,
) -> AsyncGenerator[Desktop]:
    desk = Desktop(
        text, settings=settings, answer=answer, egress_gate=egress_gate, strained=strained
    )
    try:
        async with asyncio.timeout(10):
            yield desk
    finally:
        await desk.completer.aclose()
        assert not any(call.open for call in desk.model.calls)


def text(outcome: Outcome) -> str:
    assert isinstance(outcome, Suggestion), outcome
    return outcome.text


def reason(outcome: Outcome) -> Reason:
    assert isinstance(outcome, NoSuggestion), outcome
    return outcome.reason


async def test_a_suggestion_tells_where_it_came_from() -> None:
    async with desktop(answer=lambda _: " sum(items)\n") as desk:
        outcome = await desk.answered()
        assert isinstance(outcome, Suggestion)
        assert outcome.text == "sum(items)"
        assert (outcome.origin, outcome.backend, outcome.model) == ("model", "scripted", "m")
        assert desk.completer.history[-1].outcome == outcome


async def test_typing_as_suggested_asks_nobody() -> None:
    async with desktop(answer=lambda _: " sum(items)\n") as desk:
        await desk.answered()
        for count, character in enumerate("sum(items", start=1):
            desk.editor.type(character)
            outcome = await desk.answered()
            assert text(outcome) == "sum(items)"[count:]
            assert isinstance(outcome, Suggestion)
            assert outcome.origin == "shown"
        assert len(desk.model.calls) == 1


async def test_taking_back_what_was_typed_shows_it_again() -> None:
    async with desktop(answer=lambda _: " sum(items)\n") as desk:
        await desk.answered()
        desk.editor.type("sum")
        await desk.answered()
        desk.editor.delete(2)
        assert text(await desk.answered()) == "um(items)"
        assert len(desk.model.calls) == 1


async def test_an_older_suggestion_is_found_again() -> None:
    answers = iter([" sum(items)\n", " max(items)\n"])
    async with desktop(answer=lambda _: next(answers)) as desk:
        await desk.answered()
        desk.editor.type("x")
        await desk.answered()
        desk.editor.delete(1)
        outcome = await desk.answered()
        assert text(outcome) == "sum(items)"
        assert isinstance(outcome, Suggestion)
        assert outcome.origin == "cache"
        assert len(desk.model.calls) == 2


async def test_only_what_was_typed_is_added_to_the_prompt() -> None:
    async with desktop() as desk:
        first = desk.ask()
        call = await desk.model.called(1)
        call.say(" 0")
        call.end()
        await first
        desk.editor.type("s")
        second = desk.ask()
        call = await desk.model.called(2)
        call.say("um\n")
        await second
        before = desk.model.calls[0].request.prompt
        assert before is not None
        assert call.request.prompt == before + "s"
        assert call.request.slot == 0


async def test_typed_white_space_is_left_to_the_model() -> None:
    async with desktop("x = |\n") as desk:
        first = desk.ask()
        (await desk.model.called(1)).say("0\n")
        await first
        desk.editor.type("f in ")
        asked = desk.ask()
        call = await desk.model.called(2)
        assert call.tail == "f in"
        call.say(" sum", "(items)\n")
        call.end()
        assert text(await asked) == "sum(items)"


async def test_a_model_that_leaves_the_white_space_out_is_asked_with_it() -> None:
    async with desktop("x = |\n") as desk:
        first = desk.ask()
        (await desk.model.called(1)).say("0\n")
        await first
        desk.editor.type("f in ")
        asked = desk.ask()
        (await desk.model.called(2)).say("\n")
        call = await desk.model.called(3)
        assert call.tail == "f in "
        call.say("0\n")
        call.end()
        assert text(await asked) == "0"


async def test_a_model_that_writes_the_blank_before_the_cursor_again_is_understood() -> None:
    async with desktop(answer=lambda _: " sum(items)\n") as desk:
        assert text(await desk.answered()) == "sum(items)"


@pytest.mark.parametrize(
    ("document", "tail", "answer", "shown"),
    [
        ("def f():\n|\n", "   ", " return 1\n", "    return 1"),
        ("def f():\n|\n\nx = 1\n", "   ", " return 1\n", "    return 1"),
        ("if a:\n  if b:\n    c()\n  if d:\n|\n", "   ", " e()\n", "    e()"),
        ("func f() {\n\tif a {\n|\n}\n", "\t", "\tb()\n", "\t\tb()"),
        ("for x in y:\n|\n    print(x)\n", "", "    a()\n", "    a()"),  # the body is there
        ("def f():\n  |\n", " ", " return 1\n", "return 1"),  # typed already
        ("x = 1\n|\n", "", "y = 2\n", "y = 2"),
    ],
)
async def test_the_body_of_a_block_begins_where_it_must(
    document: str, tail: str, answer: str, shown: str
) -> None:
    async with desktop(document, answer=lambda _: answer) as desk:
        assert text(await desk.answered()) == shown
        assert desk.model.calls[0].tail == tail


async def test_who_asks_explicitly_gets_a_second_chance_where_the_line_above_stands() -> None:
    async with desktop("def f():\n    for a in b:\n        c()\n|\n    return a\n") as desk:
        asked = desk.ask(Trigger.INVOKED)
        (await desk.model.called(1)).say("    return a\n")
        call = await desk.model.called(2)
        assert call.tail == "       "
        call.say(" d()\n    return a\n")
        assert text(await asked) == "        d()"


async def test_there_is_no_second_chance_for_who_only_types() -> None:
    async with desktop("def f():\n    a = 1\n|\n    return a\n") as desk:
        asked = desk.ask()
        (await desk.model.called(1)).say("    return a\n")
        assert reason(await asked) is Reason.FILTERED_COPY_OF_NEXT_LINE
        assert len(desk.model.calls) == 1


async def test_the_next_keystroke_joins_a_request_that_agrees() -> None:
    async with desktop() as desk:
        first = desk.ask()
        call = await desk.model.called(1)
        call.say(" su")
        await call.heard()
        desk.editor.type("s")
        second = desk.ask()
        assert reason(await first) is Reason.SUPERSEDED
        call.say("m(items)\n")
        call.end()
        outcome = await second
        assert text(outcome) == "um(items)"
        assert isinstance(outcome, Suggestion)
        assert outcome.origin == "joined"
        assert len(desk.model.calls) == 1


async def test_a_request_that_disagrees_is_cancelled_upstream_at_once() -> None:
    async with desktop() as desk:
        first = desk.ask()
        call = await desk.model.called(1)
        call.say(" su")
        await call.heard()
        desk.editor.type("m")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not call.open
        second = desk.ask()
        assert reason(await first) is Reason.SUPERSEDED
        (await desk.model.called(2)).say("ax(items)\n")
        assert text(await second) == "ax(items)"


async def test_settings_that_change_end_a_request_whose_flight_has_not_begun() -> None:
    async with desktop() as desk:
        asked = desk.ask()
        # The request has run to where it waits for its answer, whose task has not run yet.
        await asyncio.sleep(0)
        desk.completer.forget_suggestions()
        assert reason(await asked) is Reason.SUPERSEDED
        assert desk.model.calls == []


async def test_a_cancelled_request_leaves_no_connection() -> None:
    async with desktop() as desk:
        asked = desk.ask()
        call = await desk.model.called(1)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        async with asyncio.timeout(5):
            await call.closed.wait()
        assert reason(desk.completer.history[-1].outcome) is Reason.CANCELLED


async def test_a_cancelled_request_is_kept_for_the_next_that_agrees() -> None:
    async with desktop() as desk:
        asked = desk.ask()
        call = await desk.model.called(1)
        call.say(" su")
        await call.heard()
        desk.editor.type("s")
        asked.cancel()
        second = desk.ask()
        await asyncio.sleep(2 * GRACE)
        call.say("m(items)\n")
        assert text(await second) == "um(items)"
        assert len(desk.model.calls) == 1


async def test_a_burst_yields_one_answer_and_an_empty_one_for_each_other() -> None:
    async with desktop(answer=lambda _: " sum(items)\n") as desk:
        asked: list[asyncio.Task[Outcome]] = []
        for character in "abcdefghij" * 5:
            desk.editor.type(character)
            asked.append(desk.ask())
        outcomes = await asyncio.gather(*asked)
        assert [isinstance(outcome, Suggestion) for outcome in outcomes] == [False] * 49 + [True]
        assert {reason(outcome) for outcome in outcomes[:-1]} == {Reason.SUPERSEDED}


async def test_an_answer_for_another_version_is_not_given() -> None:
    async with desktop() as desk:
        asked = desk.ask()
        call = await desk.model.called(1)
        desk.editor.on_change = lambda _: None
        desk.editor.type("z")
        call.say(" sum(items)\n")
        call.end()
        assert reason(await asked) is Reason.SUPERSEDED


async def test_the_stream_ends_when_the_suggestion_is_whole() -> None:
    async with desktop() as desk:
        asked = desk.ask()
        call = await desk.model.called(1)
        call.say(" sum(items)", "\n", "    return total", "\n")
        assert text(await asked) == "sum(items)"
        assert not call.open


async def test_a_block_ends_where_the_syntax_tree_says() -> None:
    async with desktop("def f(items):\n    |\n\n\nprint(1)\n") as desk:
        asked = desk.ask()
        call = await desk.model.called(1)
        call.say(" for", " item in items:\n", "        yield item\n", "    return", " 1")
        assert text(await asked) == "for item in items:\n        yield item"
        assert not call.open


async def test_what_follows_is_prepared_while_a_suggestion_is_shown() -> None:
    answers = iter([" sum(items)\n", "\n    return total\n", "\n"])
    settings = CompletionSettings(debounce_ms=0, prefetch=True)
    async with desktop(answer=lambda _: next(answers), settings=settings) as desk:
        await desk.answered()
        call = await desk.model.called(2)
        assert call.tail.endswith("sum(items)")
        async with asyncio.timeout(5):
            await call.closed.wait()
        desk.editor.type("sum(items)")
        outcome = await desk.answered()
        assert text(outcome) == "\n    return total"
        assert isinstance(outcome, Suggestion)
        assert outcome.origin == "prefetched"


LONG = "".join(f"value_{number:04d} = {number}\n" for number in range(900)) + FUNCTION


async def read_ahead(desk: Desktop, *, since: int, pieces: int) -> list[str]:
    """Return the prompts that were read ahead after the first `since` calls."""
    await desk.model.called(since + pieces)
    calls = desk.model.calls[since:]
    assert all(call.request.max_tokens == 0 for call in calls)
    return [call.request.prompt or "" for call in calls]


async def test_a_rest_has_the_backend_read_more_piece_by_piece(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("coai_agents.completion.prompt.foresight.REST", 0.01)
    async with desktop(LONG, answer=lambda _: "sum(items)\n") as desk:
        await desk.answered()
        asked = desk.model.calls[0].request.prompt or ""
        await read_ahead(desk, since=1, pieces=3)
        await asyncio.sleep(0.05)
        prompts = await read_ahead(desk, since=1, pieces=3)
        assert all(after.startswith(before) for before, after in itertools.pairwise(prompts))
        assert len(prompts[-1]) > len(asked)
        # It is the prompt from now on.
        desk.editor.type("max")
        await desk.answered()
        assert desk.model.calls[-1].request.prompt == prompts[-1] + "max"


async def test_what_was_read_ahead_is_kept_while_the_user_types(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("coai_agents.completion.prompt.foresight.REST", 0.01)
    async with desktop(LONG, answer=lambda _: "sum(items)\n") as desk:
        desk.model.holds_reading = True
        await desk.answered()
        (await desk.model.called(2)).end()
        await desk.model.called(3)
        desk.editor.type("s")
        assert text(await desk.answered()) == "um(items)"
        going_on = await desk.model.called(4)
        before, interrupted = (call.request.prompt or "" for call in desk.model.calls[1:3])
        assert not desk.model.calls[2].open
        assert (going_on.request.prompt or "") == interrupted
        assert interrupted.startswith(before)
        assert going_on.request.slot == 0


async def test_nothing_is_read_ahead_where_there_is_no_more_to_show(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("coai_agents.completion.prompt.foresight.REST", 0.0)
    async with desktop(answer=lambda _: "sum(items)\n") as desk:
        await desk.answered()
        await asyncio.sleep(0.05)
        assert len(desk.model.calls) == 1


async def test_a_long_document_is_not_read_before_the_cursor_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("coai_agents.completion.prompt.foresight.PAUSE", 0.0)
    async with desktop(LONG) as desk:
        desk.completer.opened(desk.editor.source)
        await asyncio.sleep(0.02)
        assert desk.model.calls == []


async def test_where_the_cursor_rests_a_short_prompt_is_read_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("coai_agents.completion.prompt.foresight.PAUSE", 0.0)
    monkeypatch.setattr("coai_agents.completion.prompt.foresight.REST", 0.01)
    async with desktop(LONG, answer=lambda _: "sum(items)\n") as desk:
        desk.model.holds_reading = True
        desk.completer.rested(desk.editor.source, desk.editor.offset)
        first = await desk.model.called(1)
        desk.completer.rested(desk.editor.source, desk.editor.offset)  # told twice, read once
        # A keystroke ends it; the request goes on with the prompt that was being read.
        desk.editor.type("m")
        await first.closed.wait()
        assert text(await desk.answered()) == "sum(items)"
        asked = desk.model.calls[-1].request
        assert (asked.prompt or "").startswith(first.request.prompt or "")
        assert len(desk.model.calls) == 2


async def test_after_the_short_prompt_a_longer_one_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("coai_agents.completion.prompt.foresight.PAUSE", 0.0)
    monkeypatch.setattr("coai_agents.completion.prompt.foresight.REST", 0.01)
    async with desktop(LONG, answer=lambda _: "sum(items)\n") as desk:
        desk.completer.rested(desk.editor.source, desk.editor.offset)
        await desk.model.called(1)
        await asyncio.sleep(0.2)
        prompts = await read_ahead(desk, since=0, pieces=2)
        first = next(
            before for before, after in itertools.pairwise(prompts) if not after.startswith(before)
        )
        await desk.answered()
        asked = desk.model.calls[-1].request.prompt or ""
        assert asked.startswith(prompts[-1])
        assert len(asked) > len(first)


class Strain:
    """A machine that gets busy when a test says so."""

    def __init__(self, *, strained: bool = True) -> None:
        self.strained = strained

    def __call__(self) -> bool:
        return self.strained


async def test_on_a_busy_machine_nothing_is_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coai_agents.completion.prompt.foresight.PAUSE", 0.0)
    monkeypatch.setattr("coai_agents.completion.prompt.foresight.REST", 0.0)
    settings = SETTINGS.model_copy(update={"prefetch": True})
    async with desktop(
        LONG, settings=settings, answer=lambda _: "sum(items)\n", strained=Strain()
    ) as desk:
        desk.completer.opened(desk.editor.source)
        desk.completer.rested(desk.editor.source, desk.editor.offset)
        await asyncio.sleep(0.05)
        await desk.answered()
        await asyncio.sleep(2 * BREATH + 0.05)
        assert len(desk.model.calls) == 1


@pytest.mark.parametrize("trigger", Trigger)
async def test_on_a_busy_machine_a_request_ends_in_time_and_its_answer_is_kept(
    trigger: Trigger,
) -> None:
    settings = SETTINGS.model_copy(update={"patience_ms": 20})
    async with desktop(settings=settings, strained=Strain()) as desk:
        assert reason(await desk.answered(trigger)) is Reason.MACHINE_BUSY
        call = desk.model.calls[0]
        assert call.open, "what has begun goes on"
        call.say("sum(items)\n")
        call.end()
        await call.closed.wait()
        assert text(await desk.answered(trigger)) == "sum(items)"
        assert len(desk.model.calls) == 1


async def test_on_an_idle_machine_a_slow_answer_is_waited_for() -> None:
    settings = SETTINGS.model_copy(update={"patience_ms": 10})
    async with desktop(settings=settings, strained=Strain(strained=False)) as desk:
        request = desk.ask()
        call = await desk.model.called(1)
        await asyncio.sleep(0.05)
        assert not request.done()
        call.say("sum(items)\n")
        call.end()
        assert text(await request) == "sum(items)"


BLOCK = "def f(items):\n    |\n"


@pytest.mark.parametrize("early", [True, False], ids=["line before", "line after"])
async def test_when_patience_is_over_whole_lines_are_shown(*, early: bool) -> None:
    settings = SETTINGS.model_copy(update={"patience_ms": 50})
    async with desktop(BLOCK, settings=settings) as desk:
        request = desk.ask()
        call = await desk.model.called(1)
        lines = (" total = 0\n", "    for item in items:\n        tot")
        if early:
            call.say(*lines)
        else:
            await asyncio.sleep(0.1)
            call.say(" total = 0", "\n", "    for")
        shown = text(await request)
        assert shown in ("total = 0", "total = 0\n    for item in items:")
        assert not call.open


async def test_a_time_out_of_a_busy_machine_is_called_so() -> None:
    error = ProviderTimeoutError("slow", provider="p")
    async with desktop(strained=Strain()) as desk:
        request = desk.ask()
        (await desk.model.called(1)).fail(error)
        assert reason(await request) is Reason.MACHINE_BUSY


async def test_a_document_that_was_read_is_the_beginning_of_every_prompt_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("coai_agents.completion.prompt.foresight.REST", 0.0)
    async with desktop(answer=lambda _: "sum(items)\n") as desk:
        desk.completer.opened(desk.editor.source)
        await (await desk.model.called(1)).closed.wait()
        await desk.answered()
        read, asked = (call.request for call in desk.model.calls)
        before = desk.editor.source.text[: desk.editor.offset]
        assert (read.prompt or "").startswith(FIM.prefix + before)
        assert (asked.prompt or "").startswith(FIM.prefix + before)
        assert asked.slot == 0


async def test_whole_lines_that_came_before_the_deadline_are_shown() -> None:
    async with desktop("def f():\n    |\n") as desk:
        asked = desk.ask(Trigger.INVOKED)
        call = await desk.model.called(1)
        call.say(" a = 1\n", "    b = ")
        call.fail(ProviderTimeoutError("slow", provider="p"))
        assert text(await asked) == "a = 1"


async def test_nothing_is_shown_elsewhere_if_nobody_says_that_it_may_be() -> None:
    async with desktop(answer=lambda _: "1\n") as desk:
        desk.model.local = False
        assert reason(await desk.answered()) is Reason.EGRESS_REFUSED
        assert desk.model.calls == []


async def test_elsewhere_nothing_is_asked_that_nobody_asked_for() -> None:
    settings = CompletionSettings(debounce_ms=0)
    text_ = "def f(items):\n    total =  |\n"
    async with desktop(
        text_, settings=settings, answer=lambda _: "1\n", egress_gate=OpenEgressGate()
    ) as desk:
        desk.model.local = False
        desk.completer.opened(desk.editor.source)
        await desk.answered()
        await asyncio.sleep(REST + 2 * BREATH)
        assert len(desk.model.calls) == 1


@pytest.mark.parametrize(
    ("document", "local", "sensitive"),
    [
        (f"token = 'ghp_{'a1B2c3D4e5F6' * 3}'\nx = |\n", False, True),
        (f"token = 'ghp_{'a1B2c3D4e5F6' * 3}'\nx = |\n", True, False),  # it does not leave
        ("token = None\nx = |\n", False, False),
    ],
)
async def test_a_prompt_with_a_secret_is_marked_where_it_would_leave_the_machine(
    document: str, local: bool, sensitive: bool
) -> None:
    async with desktop(document, answer=lambda _: "1\n", egress_gate=OpenEgressGate()) as desk:
        desk.model.local = local
        await desk.answered()
        assert desk.model.calls[0].request.sensitive is sensitive


async def test_an_opened_document_is_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coai_agents.completion.prompt.foresight.REST", 0.01)
    async with desktop() as desk:
        desk.completer.opened(desk.editor.source)
        call = await desk.model.called(1)
        assert call.request.max_tokens == 0
        assert "def f(items)" in (call.request.prompt or "")
        desk.completer.closed(desk.editor.source.uri)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ProviderTimeoutError("slow", provider="p"), Reason.TIMED_OUT),
        (ProviderBusyError("loading", provider="p"), Reason.BACKEND_STARTING),
        (EgressRefusedError("no", provider="p"), Reason.EGRESS_REFUSED),
        (BadReplyError("odd", provider="p", remedy="Look."), Reason.BACKEND_FAILED),
    ],
)
async def test_a_failure_is_a_reason(error: ProviderError, expected: Reason) -> None:
    async with desktop() as desk:
        asked = desk.ask()
        (await desk.model.called(1)).fail(error)
        outcome = await asked
        assert reason(outcome) is expected
        assert isinstance(outcome, NoSuggestion)
        assert str(error) in outcome.sentence


async def test_the_next_backend_answers_when_one_fails() -> None:
    async with desktop() as desk:
        desk.model.names = ("first", "second")
        asked = desk.ask()
        call = await desk.model.called(1)
        call.say(" half")
        call.fail(BadReplyError("odd", provider="first"))
        (await desk.model.called(2)).say(" sum(items)\n")
        outcome = await asked
        assert text(outcome) == "sum(items)"
        assert isinstance(outcome, Suggestion)
        assert outcome.backend == "second"


async def test_without_a_backend_the_reason_is_its_absence() -> None:
    async with desktop() as desk:
        desk.model.names = ()
        desk.model.why_none = Absence("backend_starting", "It is loading.")
        outcome = await desk.answered()
        assert reason(outcome) is Reason.BACKEND_STARTING
        assert isinstance(outcome, NoSuggestion)
        assert "It is loading." in outcome.sentence


async def test_the_gate_comes_before_everything() -> None:
    async with desktop(answer=lambda _: " sum(items)\n") as desk:
        desk.gate.refused = (Reason.EXCLUDED, "`*.py` in .coaiignore")
        outcome = await desk.answered()
        assert reason(outcome) is Reason.EXCLUDED
        assert desk.model.calls == []


async def test_who_asks_explicitly_does_not_wait_for_a_pause() -> None:
    settings = CompletionSettings(debounce_ms=5000, prefetch=False)
    async with desktop(answer=lambda _: " sum(items)\n", settings=settings) as desk:
        assert text(await desk.answered(Trigger.INVOKED)) == "sum(items)"


async def test_a_pause_ends_with_the_next_request() -> None:
    settings = CompletionSettings(debounce_ms=5000, prefetch=False)
    async with desktop(answer=lambda _: " sum(items)\n", settings=settings) as desk:
        first = desk.ask()
        await asyncio.sleep(0.01)
        desk.editor.type("s")
        second = desk.ask(Trigger.INVOKED)
        assert reason(await first) is Reason.SUPERSEDED
        await second


async def test_changed_settings_forget_what_was_suggested() -> None:
    async with desktop(answer=lambda _: " sum(items)\n") as desk:
        await desk.answered()
        desk.completer.forget_suggestions()
        await desk.answered()
        assert len(desk.model.calls) == 2


async def test_the_desks_of_old_documents_are_put_away() -> None:
    async with desktop() as desk:
        asked = desk.ask()
        await desk.model.called(1)
        desk.completer.closed(desk.editor.source.uri)
        assert reason(await asked) is Reason.SUPERSEDED


class Chaos:
    """Does one thing after the other in no order, and checks what must always hold."""

    def __init__(self, desk: Desktop, seed: int) -> None:
        self.desk = desk
        self.chance = random.Random(seed)
        self.asked: list[asyncio.Task[Outcome]] = []

    def act(self) -> None:
        desk, chance = self.desk, self.chance
        open_calls = [call for call in desk.model.calls if call.open]
        match chance.choice(["type"] * 4 + ["delete", "ask", "ask", "ask", "cancel", "say", "end"]):
            case "type":
                desk.editor.type(chance.choice(["s", "u", "m", "(", "x", "sum", " "]))
            case "delete":
                desk.editor.delete()
            case "ask":
                self.asked.append(desk.ask(chance.choice(list(Trigger))))
            case "cancel":
                for task in self.asked[-1:]:
                    task.cancel()
            case "say":
                for call in open_calls:
                    call.say(*chance.sample([" sum", "(items)", " + ", "max", "\n", "x"], 2))
            case _:
                for call in open_calls:
                    call.end()

    def check(self) -> None:
        waiting = [task for task in self.asked if not task.done()]
        assert len(waiting) <= 3, "a superseded request is answered at once"
        for event in self.desk.completer.history:
            if isinstance(event.outcome, Suggestion):
                assert event.outcome.text.strip()


@pytest.mark.parametrize("seed", range(30))
async def test_every_request_ends_and_no_connection_stays_whatever_the_order(seed: int) -> None:
    async with desktop(settings=CompletionSettings(debounce_ms=0)) as desk:
        chaos = Chaos(desk, seed)
        for _ in range(80):
            chaos.act()
            for _ in range(chaos.chance.randrange(8)):
                await asyncio.sleep(0)
            chaos.check()
        await asyncio.sleep(0)
        desk.completer.closed(desk.editor.source.uri)
        async with asyncio.timeout(5):
            ended = await asyncio.gather(*chaos.asked, return_exceptions=True)
        assert len(ended) == len(chaos.asked)
        assert not any(isinstance(end, Exception) for end in ended)


@pytest.mark.parametrize("seed", range(20))
async def test_an_answer_continues_the_text_that_it_was_asked_for(seed: int) -> None:
    """With a model that always writes one text, an answer is the rest of that text or none."""
    chance = random.Random(seed)
    whole = "sum(items) + max(items)"

    def answer(request: ModelRequest) -> str | None:
        before, _, typed = (request.prompt or "").rpartition(FIM.middle)
        before = before.partition("    total = ")[2].partition(FIM.suffix)[0]
        typed = before + typed
        wanted = whole
        return wanted[len(typed) :] + "\n" if wanted.startswith(typed) else "\n"

    async with desktop(settings=CompletionSettings(debounce_ms=0), answer=answer) as desk:
        start = desk.editor.offset
        for _ in range(60):
            typed = desk.editor.source.text[start : desk.editor.offset]
            right = whole[len(typed) : len(typed) + 1] if whole.startswith(typed) else ""
            if chance.random() < 0.2 and typed:
                desk.editor.delete()
            elif right and chance.random() < 0.8:
                desk.editor.type(right)
            else:
                desk.editor.type("q")
            task = desk.ask(chance.choice(list(Trigger)))
            if chance.random() < 0.3:
                await asyncio.sleep(0)
                continue
            async with asyncio.timeout(5):
                outcome = await task
            if isinstance(outcome, Suggestion):
                now = desk.editor.source.text[start : desk.editor.offset]
                assert whole == now + outcome.text


async def test_a_flaw_of_our_own_is_told_as_one_and_not_as_the_models_silence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def flawed(request: ModelRequest) -> str:
        raise LookupError("a flaw")

    async with desktop(answer=flawed) as desk:
        outcome = await desk.answered()
        assert reason(outcome) is Reason.INTERNAL_ERROR
        assert isinstance(outcome, NoSuggestion)
        assert outcome.detail == "LookupError"
        desk.model.calls[0].closed.set()  # it ended before there was a connection to close
    assert "a flaw" in caplog.text
