"""`coai complete FILE:LINE:COL`: the suggestion at a place, for scripts and for a quick look."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from coai_routing.errors import CoaiError
from coai_server.cli.console import error_document, run, write_json
from coai_server.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_agents.source import Source

ASK_SECONDS: Final = 120.0

_PLACE: Final = re.compile(r"(?P<file>.+):(?P<line>\d+):(?P<column>\d+)", re.DOTALL)


class NoSuggestionError(CoaiError):
    """There is nothing to suggest; the message says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file, line and column counted from 1, columns in characters."""

    file: Path
    line: int
    column: int


def parse_place(text: str) -> Place:
    r"""Read `FILE:LINE:COL`, where the file may be `C:\x.py`; raises `typer.BadParameter`."""
    match = _PLACE.fullmatch(text)
    if match is None or not int(match["line"]) or not int(match["column"]):
        raise typer.BadParameter(f"expected FILE:LINE:COL, both from 1, got {text!r}")
    file = Path(match["file"])
    if not file.is_file():
        raise typer.BadParameter(f"there is no file {file}")
    return Place(file, int(match["line"]), int(match["column"]))


def complete(
    place: Annotated[
        str,
        typer.Argument(metavar="FILE:LINE:COL", help="The place, line and column counted from 1."),
    ],
    *,
    language: Annotated[
        str,
        typer.Option(metavar="ID", help="LSP's name of the language; else the file's name tells."),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
) -> None:
    """Print what COAI suggests at a place in a file. Exit code 1 if it suggests nothing."""
    where = parse_place(place)
    try:
        source, offset = _located(where, language)
        text, last = _from_daemon(source, offset) or run(_suggest(source, offset))
    except CoaiError as error:
        if as_json:
            write_json(error_document(error))
            raise typer.Exit(1) from error
        raise
    if as_json:
        write_json({"ok": text is not None, "suggestion": text, "account": dict(last)})
    elif text is not None:
        sys.stdout.write((printable(text) if sys.stdout.isatty() else text) + "\n")
    if text is None:
        if not as_json:
            raise NoSuggestionError(f"No suggestion. {last.get('sentence', '')}".rstrip())
        raise typer.Exit(1)


def _located(where: Place, language: str) -> tuple[Source, int]:
    """Read the file and return the place's offset; raises `typer.BadParameter` and `CoaiError`."""
    # Imported here, because it is not needed for `--help`.
    from coai_agents.application.sources import read_text  # noqa: PLC0415
    from coai_agents.source import Source  # noqa: PLC0415

    path = where.file.absolute()
    source = Source(path.as_uri(), read_text(path), language)
    if where.line > source.line_count:
        raise typer.BadParameter(f"{where.file} has {source.line_count} lines")
    start, end = source.line_start(where.line - 1), source.line_end(where.line - 1)
    if where.column > end - start + 1:
        raise typer.BadParameter(
            f"line {where.line} ends at column {end - start + 1}, got {where.column}"
        )
    return source, start + where.column - 1


def _from_daemon(source: Source, offset: int) -> tuple[str | None, Mapping[str, Any]] | None:
    """Ask the daemon, where one runs: its models are there, and a new process has to find them."""
    # Imported here, because it is not needed for `--help`.
    from coai_server.cli.console import notices  # noqa: PLC0415
    from coai_server.shared.client import Absent, ask  # noqa: PLC0415

    assert source.path is not None
    asked = {
        "path": str(source.path),
        "text": source.text,
        "language": source.language,
        "offset": offset,
    }
    told = ask("complete", asked, str(source.path.parent), ASK_SECONDS)
    if not isinstance(told, Absent):
        return told["text"], told["account"]
    if told.why:
        notices().print(f"Works without the daemon: {printable(told.why)}")
    return None


async def _suggest(source: Source, offset: int) -> tuple[str | None, Mapping[str, Any]]:
    # Imported here, because neither is needed for `--help` and wrong usage.
    from coai_server.cli.readiness import wait_until_ready  # noqa: PLC0415
    from coai_server.editor import Trigger, launched  # noqa: PLC0415

    assert source.path is not None
    async with launched(source.path.parent) as editor:
        buffer = editor.open(source.path, source.text, source.language)
        buffer.cursor = offset
        await wait_until_ready(editor)
        ghosts = await buffer.ask(Trigger.INVOKED, seconds=ASK_SECONDS)
        last: Mapping[str, Any] = (await editor.status())["last"] or {}
        return (ghosts[0].text if ghosts else None), last
