"""`coai refactor`: one refactoring at a place, as a diff or written, checked before it is shown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from coai_server.cli.agents.models import asker
from coai_server.cli.agents.showing import Change, Outcome, finish
from coai_server.cli.console import run

if TYPE_CHECKING:
    from coai_agents.source import Source, Span
    from coai_agents.specialists.refactoring.agent import Made

_PLACE: Final = re.compile(
    r"(?P<file>.+?):(?P<line>\d+):(?P<column>\d+)-(?P<end>\d+):(?P<last>\d+)", re.DOTALL
)
"""`FILE:LINE:COLUMN-LINE:COLUMN`, counted from 1 in characters; the end is not included."""


def refactor(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="Which refactoring; `list` names them all.")
    ],
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE:LINE[-LINE]",
            help="Where: lines, FILE:LINE:COLUMN-LINE:COLUMN, or FILE:SYMBOL.",
        ),
    ] = "",
    *,
    text: Annotated[
        str | None, typer.Option(metavar="CODE", help="The code on those lines that is meant.")
    ] = None,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="The name of what is made, or the new name.")
    ] = "",
    every: Annotated[
        bool, typer.Option("--all", help="Extract a variable at all of its equal places.")
    ] = False,
    write: Annotated[bool, typer.Option("--write", help="Write into the file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Ask no model: what syntax decides, alone.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(metavar="ALIAS", help="Ask this model of `coai route models`.")
    ] = None,
) -> None:
    """Refactor code: by its syntax tree where that is possible, by a model where it is not.

    What is shown has passed its checks: the file parses, nothing else is touched, names mean what
    they meant. Prints a diff unless --write is given. Exit code 0 if it is written, 1 if a change
    is proposed, 2 if it could not be made, with the reason.
    """
    if kind == "list":
        _list()
        return
    outcome = run(_refactor(kind, what, text, name, every=every, alias=model, wanted=not no_model))
    outcome.done = write and bool(outcome.changes)
    finish(outcome, write=write, as_json=as_json)


def _list() -> None:
    from coai_agents.specialists.refactoring.agent import summary  # noqa: PLC0415 (not for `--help`)

    for name, title, by_model in summary():
        typer.echo(f"{name:<20}{title}{' (a model)' if by_model else ''}")


async def _refactor(
    kind: str,
    what: str,
    text: str | None,
    name: str,
    *,
    every: bool,
    alias: str | None,
    wanted: bool,
) -> Outcome:
    from coai_agents.specialists.refactoring.agent import Request, kind_named, make, needs_model  # noqa: PLC0415 (not for `--help`)
    from coai_agents.specialists.refactoring.site import RefusalError  # noqa: PLC0415 (as above)
    from coai_agents.specialists.targets import TargetError  # noqa: PLC0415 (as above)

    outcome = Outcome()
    try:
        path, source, span, lines = _place(what, text)
        request = Request(
            kind_named(kind), source, span, name=name, lines=lines, every=every, path=str(path)
        )
        if wanted and needs_model(request):
            async with asker(path, wanted=True, alias=alias) as asked:
                made = await make(request, asked)
        else:
            async with asker(path, wanted=False, alias=None) as asked:
                made = await make(request, asked)
    except (RefusalError, TargetError) as error:
        outcome.failed = True
        outcome.notes.append(str(error))
        return outcome
    _add(outcome, path, made)
    return outcome


def _add(outcome: Outcome, path: Path, made: Made) -> None:
    origin = "checked" if made.by_model else "fact"
    outcome.items.append({"path": str(path), "title": made.title, "by": made.by, "origin": origin})
    outcome.changes.append(Change(path, made.change))
    outcome.notes.append(f"{made.title} ({made.by}).")
    if made.note:
        outcome.notes.append(made.note)


def _place(what: str, text: str | None) -> tuple[Path, Source, Span, bool]:
    """Return the file and what is selected in it, and whether whole lines are."""
    from coai_agents.source import Encoding, Position, Span  # noqa: PLC0415 (not for `--help`)
    from coai_agents.specialists.targets import (  # noqa: PLC0415 (as above)
        TargetError,
        locate,
        parse_target,
    )
    from coai_server.cli.agents.showing import source_of  # noqa: PLC0415 (as above)

    if exact := _PLACE.fullmatch(what):
        path = Path(exact["file"])
        source = source_of(path)
        first = Position(int(exact["line"]) - 1, int(exact["column"]) - 1)
        last = Position(int(exact["end"]) - 1, int(exact["last"]) - 1)
        return path, source, source.span_at(first, last, Encoding.UTF_32), False
    target = parse_target(what)
    path = Path(target.file)
    source = source_of(path)
    span = locate(source, target).span
    if text is None:
        return path, source, span, True
    at = source.slice(span).find(text)
    if at < 0:
        raise TargetError("That code does not stand on these lines.")
    return path, source, Span(span.start + at, span.start + at + len(text)), False
