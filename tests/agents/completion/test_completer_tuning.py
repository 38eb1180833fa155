"""Who listens to the completer, and what the user's acceptance changes in it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from coai_agents.completion.completer import Completer
from coai_agents.completion.feedback.tuning import Tuning
from coai_agents.completion.outcome import Event, Reason, Suggestion, Trigger
from coai_agents.completion.stop.structure import SyntaxTrees
from coai_routing.settings.schema import CompletionSettings
from tests.support.scripted import Editor, NoContext, OpenGate, ScriptedBackends

if TYPE_CHECKING:
    from coai_agents.source import Source

SETTINGS = CompletionSettings(debounce_ms=0, prefetch=False)


class Ear:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.ends: list[tuple[Event, Source | None, int]] = []

    def ended(self, event: Event, source: Source | None, offset: int) -> None:
        self.ends.append((event, source, offset))


def completer(
    editor: Editor, model: ScriptedBackends, tuning: Tuning, listener: Ear | None = None
) -> Completer:
    return Completer(
        backends=model,  # pyright: ignore[reportArgumentType] (a stand-in)
        settings=lambda _: SETTINGS,
        document=editor.document,
        gate=OpenGate(),
        context=NoContext(),
        syntax=SyntaxTrees(),
        listener=listener,
        tuning=lambda language: tuning if language == "python" else Tuning(),
    )


async def test_every_end_of_a_request_is_told_with_its_snapshot() -> None:
    editor, ear = Editor("total = |\n"), Ear()
    asked = completer(editor, ScriptedBackends(lambda _: " 1\n"), Tuning(), ear)
    async with asyncio.timeout(10):
        await asked.complete(editor.source, editor.offset, Trigger.AUTOMATIC)
    asked.unknown("file:///other.py", 3)
    (shown, source, offset), (unknown, nothing, _) = ear.ends
    assert isinstance(shown.outcome, Suggestion)
    assert (shown.language, source, offset) == ("python", editor.source, editor.offset)
    assert (unknown.uri, unknown.line, nothing) == ("file:///other.py", 3, None)
    assert getattr(unknown.outcome, "reason", None) is Reason.UNKNOWN_DOCUMENT
    assert [event for event, _, _ in ear.ends] == list(asked.history)
    await asked.aclose()


@pytest.mark.parametrize(
    ("text", "trigger", "length", "most"),
    [
        ("def f():\n    |\n", Trigger.AUTOMATIC, 1.0, 128),
        ("def f():\n    |\n", Trigger.AUTOMATIC, 0.5, 64),
        ("def f():\n    |\n", Trigger.INVOKED, 0.5, 128),
        ("total = |\n", Trigger.AUTOMATIC, 0.5, 48),
    ],
    ids=["a block", "a block that is rarely taken whole", "asked for", "a line"],
)
async def test_only_blocks_that_nobody_asked_for_become_shorter(
    text: str, trigger: Trigger, length: float, most: int
) -> None:
    editor, model = Editor(text), ScriptedBackends(lambda _: "return 1\n")
    asked = completer(editor, model, Tuning(length=length))
    async with asyncio.timeout(10):
        await asked.complete(editor.source, editor.offset, trigger)
    assert model.calls[0].request.max_tokens == most
    await asked.aclose()
