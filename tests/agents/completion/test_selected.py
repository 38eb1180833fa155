"""With an item selected in the editor's list, a suggestion begins with that item."""

from __future__ import annotations

import pytest

from coai_agents.completion.outcome import Suggestion, Trigger
from coai_agents.completion.selected import Selected
from coai_agents.source import Span
from tests.agents.completion.test_completer import desktop


@pytest.mark.parametrize(
    ("typed", "item", "text", "before"),
    [
        ("ap", "append", "pend(1)", 0),
        ("ap", "apply", "ply(1)", 0),
        ("pd", "append", "append(1)", 2),
    ],
)
async def test_a_suggestion_goes_on_with_the_selected_item(
    typed: str, item: str, text: str, before: int
) -> None:
    async with desktop(f"xs.{typed}|\n", answer=lambda _: "(1)") as desk:
        editor = desk.editor
        selected = Selected(Span(3, 3 + len(typed)), item)
        outcome = await desk.completer.complete(
            editor.source, editor.offset, Trigger.AUTOMATIC, selected
        )
        assert isinstance(outcome, Suggestion)
        assert (outcome.text, outcome.replaces_before) == (text, before)
        assert f"xs.{item}" in (desk.model.calls[0].request.prompt or "")
