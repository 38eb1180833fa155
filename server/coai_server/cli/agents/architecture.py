"""`coai architecture`: a folder's modules, circles, layers, hubs and hot spots."""

from __future__ import annotations

import asyncio
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coai_server.cli.agents.models import asker
from coai_server.cli.console import run, write_json
from coai_server.terminal import printable

if TYPE_CHECKING:
    from coai_agents.specialists.answers import Report


class Form(StrEnum):
    """How an architecture is written."""

    TEXT = "text"
    JSON = "json"
    MERMAID = "mermaid"


def architecture(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The folder.")] = Path(),
    *,
    form: Annotated[Form, typer.Option("--format", help="How it is written.")] = Form.TEXT,
    request: Annotated[
        str | None,
        typer.Option("--ask", metavar="REQUEST", help='Options for this: "we need a job queue".'),
    ] = None,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="With --ask: ask no model, the facts alone.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(metavar="ALIAS", help="With --ask: ask this model alone.")
    ] = None,
) -> None:
    """Show how a folder's files hang together, from their imports and their history.

    Every statement is a fact of the code or of git. Exit code 0, or 1 if files import one another
    in circles. With --ask: the options for a design decision, with what each gains and costs and
    how near it is to this code; a model chooses, and a second one without knowing of the first.
    Exit code 0.
    """
    if request is not None:
        if form is Form.MERMAID:
            raise typer.BadParameter("an answer to --ask is no drawing")
        report = run(_asked(request, folder, alias=model, wanted=not no_model))
        _show(report, as_json=form is Form.JSON)
        return
    from coai_agents.application.explain import architecture_of  # noqa: PLC0415 (not for `--help`)

    found = architecture_of(folder.absolute())
    if form is Form.JSON:
        write_json(found.as_json())
    else:
        text = found.drawing() if form is Form.MERMAID else found.report().as_text()
        sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    raise typer.Exit(1 if found.circles else 0)


async def _asked(request: str, folder: Path, *, alias: str | None, wanted: bool) -> Report:
    from coai_agents.application.explain import design_of  # noqa: PLC0415 (not for `--help`)

    where = await asyncio.to_thread(folder.absolute)
    async with asker(folder, agent="architecture", wanted=wanted, alias=alias) as someone:
        return await design_of(request, where, someone)


def _show(report: Report, *, as_json: bool) -> None:
    if as_json:
        write_json({"ok": True, **report.as_json()})
        return
    text = report.as_text()
    sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
