"""`coai refactor`: one refactoring at a place, as a diff or written, checked before it is shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from coai_server.cli.agents.models import asker
from coai_server.cli.agents.showing import Change, Outcome, finish
from coai_server.cli.console import run

if TYPE_CHECKING:
    from coai_agents.application.specialists.refactor import Made, Request

_PLACE: Final = re.compile(
    r"(?P<file>.+?):(?P<line>\d+):(?P<column>\d+)-(?P<end>\d+):(?P<last>\d+)", re.DOTALL
)
"""`FILE:LINE:COLUMN-LINE:COLUMN`, counted from 1 in characters; the end is not included."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be done at a place."""

    kind: str
    code: str | None
    name: str
    every: bool


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
    wish = Wish(kind, text, name, every)
    outcome = run(_refactor(what, wish, alias=model, wanted=not no_model))
    outcome.done = write and bool(outcome.changes)
    finish(outcome, write=write, as_json=as_json)


def _list() -> None:
    from coai_agents.application.specialists.refactor import kinds  # noqa: PLC0415 (not for `--help`)

    for name, title, by_model in kinds():
        typer.echo(f"{name:<20}{title}{' (a model)' if by_model else ''}")


async def _refactor(what: str, wish: Wish, *, alias: str | None, wanted: bool) -> Outcome:
    from coai_agents.application.specialists.refactor import RefusalError, needs_model, refactor  # noqa: PLC0415 (not for `--help`)
    from coai_agents.specialists.targets import TargetError  # noqa: PLC0415 (as above)

    outcome = Outcome()
    try:
        path, request = _request(what, wish)
        wanted = wanted and needs_model(request)
        async with asker(
            path, agent="refactor", wanted=wanted, alias=alias if wanted else None
        ) as asked:
            made = await refactor(request, asked)
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


def _request(what: str, wish: Wish) -> tuple[Path, Request]:
    """Return the file, and what is to be done at the place that is named."""
    from coai_agents.application.sources import source_of  # noqa: PLC0415 (as above)
    from coai_agents.application.specialists.refactor import selected, selected_exactly  # noqa: PLC0415 (not for `--help`)
    from coai_agents.source import Encoding, Position  # noqa: PLC0415 (as above)
    from coai_agents.specialists.targets import parse_target  # noqa: PLC0415 (as above)

    if exact := _PLACE.fullmatch(what):
        path = Path(exact["file"])
        source = source_of(path)
        first = Position(int(exact["line"]) - 1, int(exact["column"]) - 1)
        last = Position(int(exact["end"]) - 1, int(exact["last"]) - 1)
        span = source.span_at(first, last, Encoding.UTF_32)
        return path, selected_exactly(
            source, span, wish.kind, name=wish.name, every=wish.every, path=str(path)
        )
    target = parse_target(what)
    path = Path(target.file)
    return path, selected(
        source_of(path), target, wish.kind, code=wish.code, name=wish.name, every=wish.every
    )
