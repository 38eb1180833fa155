"""The demo on a screen: the code, the ghost text in it, and where that came from.

On a terminal one sees the typing; anywhere else only what each request came to, and the ghost text
stands between marks, because it cannot be dimmed there.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from rich.live import Live
from rich.rule import Rule
from rich.syntax import Syntax
from rich.text import Text

from coai_server.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from coai_server.cli.demo.exercise import Exercise
    from coai_server.cli.demo.playing import Step
    from coai_server.editor import Buffer, Ghost

LINES_ABOVE: Final = 9
LINES_BELOW: Final = 3
"""Of the code around the cursor; of the outcome, less is shown again."""

_LINES_AROUND_OUTCOME: Final = 2

KEYSTROKE_SECONDS: Final = 0.05
"""Between two keystrokes: a quick typist's 20 characters a second, so that nobody waits long."""

READING_SECONDS: Final = 1.2
"""How long a suggestion is looked at before it is accepted."""

_GHOST: Final = "dim italic"
_THEME: Final = "ansi_dark"
"""The terminal's own colours, whichever those are."""

_LEXERS: Final = {
    "cpp": "c++",
    "csharp": "c#",
    "javascriptreact": "jsx",
    "shellscript": "bash",
    "typescriptreact": "tsx",
}
"""Pygments' names of languages, where they are not LSP's."""


class Stage:
    """Shows an exercise while it is played."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._marks = ("", "")
        if not console.is_terminal:
            self._marks = ("[[", "]]") if console.options.ascii_only else ("\u27e6", "\u27e7")

    def begin(self, exercise: Exercise) -> None:
        """Announce an exercise."""
        self._console.print(Rule(Text(exercise.name, style="bold"), align="left"))

    def end(self) -> None:
        """Take away what moves."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    async def look(self, buffer: Buffer) -> None:
        """Show the document as it is being typed."""
        if not self._console.is_terminal:
            return
        if self._live is None:
            self._live = Live(console=self._console, transient=True, auto_refresh=False)
            self._live.start()
        self._live.update(self._code(buffer, None), refresh=True)
        await asyncio.sleep(KEYSTROKE_SECONDS)

    async def see(self, buffer: Buffer, ghost: Ghost | None, step: Step) -> None:
        """Show for good what a request came to."""
        self.end()
        if ghost is not None and step.account.get("origin") != "shown":
            self._print(self._code(buffer, ghost))
        self._print(Text(f"  {caption(step)}\n", style="cyan"))
        if ghost is not None and self._console.is_terminal:
            await asyncio.sleep(READING_SECONDS)

    def finish(self, text: str, exercise: Exercise) -> None:
        """Show the document as it was left."""
        self.end()
        end = len(text) - (len(exercise.text) - exercise.offset)
        around = _LINES_AROUND_OUTCOME
        first, last = _window(text, exercise.offset, end, above=around, below=around)
        self._print(Text("  In the end:", style="cyan"))
        self._print(_framed(_highlighted(text, exercise.language)[first:last]))
        self._print(Text())

    def _print(self, text: Text) -> None:
        # Lines of code are not broken where nobody's window says so.
        self._console.print(text, soft_wrap=not self._console.is_terminal)

    def _code(self, buffer: Buffer, ghost: Ghost | None) -> Text:
        source, cursor = buffer.source, buffer.cursor
        code = _highlighted(source.text, source.language)
        first, last = _window(source.text, cursor, cursor, above=LINES_ABOVE, below=LINES_BELOW)
        if ghost is None:
            return _framed(Text.assemble(code[first:cursor], ("_", "blink"), code[cursor:last]))
        opening, closing = self._marks
        shown = Text(f"{opening}{printable(ghost.text)}{closing}", style=_GHOST)
        return _framed(
            Text.assemble(code[first : ghost.span.start], shown, code[ghost.span.end : last])
        )


def caption(step: Step) -> str:
    """Say in a sentence where a suggestion came from and how long it took, or why there is none."""
    account = step.account
    event = step.event[0].upper() + step.event[1:]
    took = f"{step.round_trip_ms:,.0f} ms"
    if step.suggestion is None:
        why = account.get("sentence", "The daemon does not say why.")
        return f"{event}: no suggestion after {took}. {why}"
    return f"{event}: {_source(account)} in {took}{_tokens(account)}."


def _source(account: Mapping[str, Any]) -> str:
    model = f"{account.get('model')} ({account.get('backend')})"
    return {
        "model": f"ghost text from {model}",
        "joined": f"ghost text from {model}, which was writing it already,",
        "shown": "the same ghost text, without asking a model,",
        "cache": f"ghost text that {model} gave before, from the cache,",
        "prefetched": f"ghost text that {model} had prepared meanwhile",
    }.get(str(account.get("origin")), f"ghost text from {model}")


def _tokens(account: Mapping[str, Any]) -> str:
    evaluated, written = account.get("evaluatedTokens", 0), account.get("outputTokens", 0)
    if not evaluated and not written:
        return ""
    cached = account.get("cachedTokens", 0)
    return f"; {evaluated} prompt tokens read, {cached} remembered, {written} written"


def _highlighted(text: str, language: str) -> Text:
    """Return code in colours, each character where it was."""
    lexer = _LEXERS.get(language, language or "text")
    shown = printable(text)
    coloured = Syntax("", lexer, theme=_THEME, background_color="default").highlight(shown)
    # Lexers see to it that there is a line end, and may take some at the beginning away.
    return coloured[: len(shown)] if coloured.plain.startswith(shown) else Text(shown)


def _window(text: str, start: int, end: int, *, above: int, below: int) -> tuple[int, int]:
    """Return the offsets between which a place stands with so many lines around it.

    Blank lines at the edges are left out.
    """
    first, last = start, end - 1
    for _ in range(above + 1):
        first = text.rfind("\n", 0, first)
        if first < 0:
            break
    for _ in range(below + 1):
        last = text.find("\n", last + 1)
        if last < 0:
            break
    last = len(text) if last < 0 else last
    before, after = text[first + 1 : start], text[end:last]
    blank = len(before) - len(before.lstrip())
    begins = first + 1 + before.rfind("\n", 0, blank) + 1
    return begins, end + len(after.rstrip())


def _framed(code: Text) -> Text:
    """Indent code, so that it stands apart from what is said about it."""
    lines = code.split(allow_blank=True)
    return Text("\n").join(Text.assemble("    ", line) if line else line for line in lines)
