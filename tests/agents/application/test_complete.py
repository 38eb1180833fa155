"""Completion as a door asks for it: from settings, without an editor, by a real model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_agents.application.complete import Completions, edit_of
from coai_agents.application.document_settings import DocumentSettings
from coai_agents.application.models import loaded_models
from coai_agents.completion.outcome import NoSuggestion, Reason, Suggestion
from coai_agents.completion.selected import Selected
from coai_agents.source import Source, Span
from coai_routing.settings.loading import load
from tests.agents.application.conftest import only

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.llama import LlamaServer

CODE = "def add(a, b):\n    return \n"


async def test_a_text_and_a_cursor_give_a_suggestion_or_a_reason(
    coder: LlamaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / "project"
    folder.mkdir()
    for name, text in (("a.py", CODE), ("private.py", CODE), (".coaiignore", "private.py\n")):
        (folder / name).write_text(text, encoding="utf-8")
    loaded = load(overrides=only(coder), workspace_roots=[folder])

    def read(name: str) -> Source:
        path = folder / name
        return Source(path.as_uri(), path.read_text("utf-8"))

    async with loaded_models(loaded.settings) as (models, absent):
        completions = Completions(models, DocumentSettings(lambda: loaded, [folder]))
        try:
            assert "off" in absent
            await completions.start()
            at = CODE.index("return ") + len("return ")
            first = await completions.complete(read("a.py"), at)
            assert isinstance(first, Suggestion)
            assert (first.origin, first.backend) == ("model", "llama_server")
            again = await completions.complete(read("a.py"), at)
            assert isinstance(again, Suggestion)
            assert (again.text, again.origin) == (first.text, "shown")
            refused = await completions.complete(read("private.py"), at)
            assert isinstance(refused, NoSuggestion)
            assert (refused.reason, "private.py" in refused.sentence) == (Reason.EXCLUDED, True)
            completions.closed(read("a.py").uri)
        finally:
            await completions.aclose()


@pytest.mark.parametrize(
    ("text", "replaces", "selected", "after"),
    [
        ("sum(", 0, None, "a.sum(b)\r\nx\r\n"),
        ("sum(\nb", 2, None, "a.sum(\r\nb\r\nx\r\n"),
        ("m(", 0, Selected(Span(2, 2), ""), "a.m(b)\r\nx\r\n"),
    ],
)
def test_a_suggestion_is_an_edit_of_the_document(
    text: str, replaces: int, selected: Selected | None, after: str
) -> None:
    source = Source("untitled:x", "a.b)\r\nx\r\n", "python")
    suggestion = Suggestion(text, replaces, "model", "b", "m", 0.0, 1)
    assert source.apply(edit_of(source, 2, suggestion, selected)).text == after


def test_with_an_item_selected_the_edit_covers_what_the_item_does() -> None:
    source = Source("untitled:x", "a.su)", "python")
    item = Selected(Span(2, 4), "sum")
    after_item = Suggestion("(b", 0, "model", "b", "m", 0.0, 1)
    shown = item.begins(after_item, source)
    assert isinstance(shown, Suggestion)
    edit = edit_of(source, 4, shown, item)
    assert (edit.span, edit.text) == (Span(2, 4), "sum(b")
