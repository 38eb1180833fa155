"""What the demo shows: captions, the code around the cursor, ghost text told from code."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from coai_agents.source import Source, Span
from coai_server.cli.demo import stage as module
from coai_server.cli.demo.exercise import Exercise
from coai_server.cli.demo.playing import Step
from coai_server.cli.demo.stage import Stage, caption
from coai_server.editor import Buffer, Ghost, Trigger

if TYPE_CHECKING:
    from coai_server.editor import Editor

ACCOUNT = {"origin": "model", "backend": "embedded", "model": "tiny"}


class Unheard:
    """An editor whose daemon nobody asks."""

    def notify(self, method: str, params: object) -> None:
        """Tell nobody."""


def step(account: dict[str, Any], suggestion: str | None = "x") -> Step:
    return Step("typed", Trigger.AUTOMATIC, suggestion, 1234.5, account)


def buffer_of(text: str, cursor: int, language: str = "python") -> Buffer:
    editor: Editor = Unheard()  # type: ignore[assignment] # pyright: ignore[reportAssignmentType] - only told, never asked
    buffer = Buffer(editor, Source("untitled:x", text, language))
    buffer.cursor = cursor
    return buffer


def screen(*, terminal: bool, encoding: str = "utf-8") -> tuple[Stage, Console]:
    class Stream(io.StringIO):
        @property
        def encoding(self) -> str:  # type: ignore[override]
            return encoding

    console = Console(
        file=Stream(),
        force_terminal=terminal,
        width=100,
        markup=False,
        color_system="standard" if terminal else "auto",
    )
    return Stage(console), console


def written(console: Console) -> str:
    stream = console.file
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("account", "sentence"),
    [
        (ACCOUNT, "Typed: ghost text from tiny (embedded) in 1,234 ms."),
        (
            {**ACCOUNT, "evaluatedTokens": 3, "cachedTokens": 200, "outputTokens": 9},
            (
                "Typed: ghost text from tiny (embedded) in 1,234 ms; 3 prompt tokens read,"
                " 200 remembered, 9 written."
            ),
        ),
        (
            {**ACCOUNT, "origin": "shown"},
            "Typed: the same ghost text, without asking a model, in 1,234 ms.",
        ),
        (
            {**ACCOUNT, "origin": "joined"},
            "Typed: ghost text from tiny (embedded), which was writing it already, in 1,234 ms.",
        ),
        (
            {**ACCOUNT, "origin": "cache"},
            "Typed: ghost text that tiny (embedded) gave before, from the cache, in 1,234 ms.",
        ),
        (
            {**ACCOUNT, "origin": "prefetched"},
            "Typed: ghost text that tiny (embedded) had prepared meanwhile in 1,234 ms.",
        ),
    ],
)
def test_the_caption_says_where_a_suggestion_came_from(
    account: dict[str, Any], sentence: str
) -> None:
    assert caption(step(account)) == sentence


def test_the_caption_says_why_there_is_none() -> None:
    account = {"kind": "none", "reason": "snoozed", "sentence": "Completions are snoozed."}
    assert caption(step(account, None)) == (
        "Typed: no suggestion after 1,234 ms. Completions are snoozed."
    )
    assert caption(step({}, None)).endswith("The daemon does not say why.")


LINES = [f"line{number}" for number in range(30)]


@pytest.mark.parametrize(
    ("text", "cursor", "first", "last"),
    [
        ("\n".join(LINES), "\n".join(LINES).index("line15") + 4, "line6", "line18"),
        ("\n".join(LINES), 0, "line0", "line3"),
        ("\n".join(LINES), len("\n".join(LINES)), "line20", "line29"),
        ("\n\n\na = 1\n\n\n", 6, "a = 1", "a = 1"),
        ("\n\n\n    a\n", 8, "    a", "    a"),
    ],
)
async def test_the_lines_around_the_cursor_are_shown(
    text: str, cursor: int, first: str, last: str
) -> None:
    stage, console = screen(terminal=False)
    buffer = buffer_of(text, cursor, "")
    await stage.see(buffer, Ghost("", Span(cursor, cursor), None), step(ACCOUNT))
    code = [line for line in written(console).replace("\u27e6\u27e7", "").splitlines() if line]
    assert (code[0], code[-2]) == (f"    {first}", f"    {last}")


@pytest.mark.parametrize(
    ("encoding", "marked"),
    [("utf-8", "x = \u27e61 + 1\u27e7 # one"), ("cp437", "x = [[1 + 1]] # one")],
)
async def test_without_styles_marks_tell_ghost_text_from_code(encoding: str, marked: str) -> None:
    stage, console = screen(terminal=False, encoding=encoding)
    buffer = buffer_of("x = 2 # one", 4)
    await stage.look(buffer)
    await stage.see(buffer, Ghost("1 + 1", Span(4, 5), None), step(ACCOUNT))
    said = written(console)
    assert f"    {marked}\n" in said
    assert "\x1b" not in said


async def test_on_a_terminal_ghost_text_is_dim_and_in_italics(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "KEYSTROKE_SECONDS", 0.0)
    monkeypatch.setattr(module, "READING_SECONDS", 0.0)
    stage, console = screen(terminal=True)
    buffer = buffer_of("x = ", 4)
    await stage.look(buffer)
    await stage.look(buffer)
    await stage.see(buffer, Ghost("forty", Span(4, 4), None), step(ACCOUNT))
    assert "\x1b[2;3mforty\x1b[0m" in written(console)


async def test_neither_a_file_nor_a_model_can_steer_the_terminal() -> None:
    stage, console = screen(terminal=False)
    buffer = buffer_of("a\x1b[31m\r\n\x0cb = ", 13)
    await stage.see(buffer, Ghost("\x1b]0;title\x07\x9b", Span(13, 13), None), step(ACCOUNT))
    assert not set(written(console)) & {"\x1b", "\x07", "\x9b", "\x0c", "\r"}
    assert " b = \u27e6 ]0;title  \u27e7" in written(console)


async def test_what_was_shown_before_is_not_shown_twice() -> None:
    stage, console = screen(terminal=False)
    buffer = buffer_of("x = ", 4)
    await stage.see(buffer, Ghost("1", Span(4, 4), None), step({**ACCOUNT, "origin": "shown"}))
    await stage.see(buffer, None, step({}, None))
    assert "x = " not in written(console)


def test_in_the_end_the_code_is_shown_as_it_was_left() -> None:
    stage, console = screen(terminal=False)
    before = "import os\n\n\n\ndef f():\n    \n\n\n\nlast = 1\n"
    exercise = Exercise("x", Path("x.py"), "python", before, before.index("    ") + 4, "")
    stage.begin(exercise)
    stage.finish(before.replace("    ", "    a = 1\n    return a"), exercise)
    title, *rest = written(console).splitlines()
    assert title.startswith("x ")
    assert rest == ["  In the end:", "    def f():", "        a = 1", "        return a", ""]
