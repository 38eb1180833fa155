"""`coai threats`: a threat model of a file or a folder, from following its values."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coai_routing.errors import CoaiError
from coai_server.cli.agents.looking import shown_path
from coai_server.cli.agents.models import asker
from coai_server.cli.console import error_document, notices, report, run, write_json
from coai_server.terminal import printable

if TYPE_CHECKING:
    from coai_agents.specialists.answers import Statement
    from coai_agents.specialists.security.threats.model import ThreatModel


class Form(StrEnum):
    """How a threat model is written."""

    MARKDOWN = "markdown"
    JSON = "json"
    MERMAID = "mermaid"


def threats(
    path: Annotated[Path, typer.Argument(metavar="[PATH]", help="A folder or a file.")] = Path(),
    *,
    form: Annotated[Form, typer.Option("--format", help="How it is written.")] = Form.MARKDOWN,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Ask no model: the facts alone.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(metavar="ALIAS", help="Ask this model of `coai route models`.")
    ] = None,
) -> None:
    """Show who can reach what in a folder: entry points, assets, boundaries, flows, and STRIDE.

    All of it is what the flow engine saw; a model only sums it up. Exit code 0 if every flow is
    guarded, 1 if one is open, 2 if it could not be looked at.
    """
    from coai_agents.application.security import threats_in  # noqa: PLC0415 (not for `--help`)

    chosen = Form.JSON if as_json else form
    try:
        found, failed = threats_in(path, shown_path)
        wanted = not no_model and chosen is not Form.MERMAID and found.open
        said, why = run(_worded(path, found, wanted=wanted, alias=model))
    except CoaiError as error:
        if chosen is Form.JSON:
            write_json(error_document(error))
        else:
            report(error)
        raise typer.Exit(2) from error
    _write(found, said, chosen)
    if why and wanted:
        notices().print(f"Note: {printable(why)}")
    raise typer.Exit(1 if found.open else 2 if failed else 0)


def _write(found: ThreatModel, said: list[Statement], form: Form) -> None:
    from coai_agents.application.specialists.threats import as_markdown, mermaid  # noqa: PLC0415 (not for `--help`)

    if form is Form.JSON:
        words = [each.as_json() for each in said]
        write_json({"ok": True, **found.as_json(), "mermaid": mermaid(found), "summary": words})
        return
    text = mermaid(found) if form is Form.MERMAID else as_markdown(found, said)
    sys.stdout.write(printable(text) if sys.stdout.isatty() else text)


async def _worded(
    path: Path, found: ThreatModel, *, wanted: bool, alias: str | None
) -> tuple[list[Statement], str]:
    from coai_agents.application.specialists.threats import worded  # noqa: PLC0415 (as above)

    async with asker(path, agent="threats", wanted=wanted, alias=alias) as asked:
        return await worded(found, asked)
