"""How commands speak: styled on a terminal, plain anywhere else, and never a traceback.

rich leaves colours out where NO_COLOR is set, and all styles where the output is no terminal.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, Final, TextIO, TypeVar

from coai_server.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from rich.console import Console

    from coai_routing.errors import CoaiError

_T = TypeVar("_T")

PLAIN_WIDTH: Final = 110
"""Columns where nobody's window says how many there are, as in a pipe or a log."""


def console(stream: TextIO | None = None) -> Console:
    """Return a console on a stream, standard output unless given.

    It takes text as it is: no markup, no emoji codes, nothing highlighted that was not asked for,
    and nothing that steers a terminal but what rich itself writes.
    """
    from rich.console import Console  # noqa: PLC0415 - a tenth of a second, not for every command

    from coai_server.cli.printable import PrintableHook  # noqa: PLC0415 - as above

    to = sys.stdout if stream is None else stream
    wide = None if to.isatty() or "COLUMNS" in os.environ else PLAIN_WIDTH
    made = Console(file=to, width=wide, markup=False, emoji=False, highlight=False)
    made.push_render_hook(PrintableHook())
    return made


def say(text: str, stream: TextIO | None = None) -> None:
    """Write text as it is to a stream, standard output unless given, but for what steers it."""
    to = sys.stdout if stream is None else stream
    to.write(printable(text))


def notices() -> Console:
    """Return the console for what is not the command's answer."""
    return console(sys.stderr)


def tolerate_any_encoding() -> None:
    """Let output be imperfect, not a crash, where it is not in UTF-8 (Windows, LANG=C)."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def write_json(document: object) -> None:
    """Write one JSON document to standard output, in ASCII, so in any encoding."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def report(error: CoaiError) -> None:
    """Say what happened and what to do next, on standard error."""
    from rich.text import Text  # noqa: PLC0415 - only where something is wrong

    to = notices()
    to.print(Text.assemble(("Error: ", "bold red"), error.message))
    if error.remedy:
        to.print(Text.assemble(("Next: ", "bold"), error.remedy))


def error_document(error: CoaiError) -> dict[str, Any]:
    """Return an error as commands with `--json` write it."""
    return {"ok": False, "error": {"message": error.message, "remedy": error.remedy}}


def run(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a command's coroutine; Ctrl+C cancels it, lets it clean up, and goes on upwards."""
    import asyncio  # noqa: PLC0415 - not every command has one

    return asyncio.run(coroutine)
