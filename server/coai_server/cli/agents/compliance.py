"""`coai compliance`: a folder as security standards see it."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from coai_routing.errors import CoaiError
from coai_server.cli.agents.looking import shown_path
from coai_server.cli.console import error_document, report, write_json
from coai_server.terminal import printable


class Form(StrEnum):
    """How a view is written."""

    MARKDOWN = "markdown"
    JSON = "json"


def compliance(
    path: Annotated[Path, typer.Argument(metavar="[PATH]", help="A folder or a file.")] = Path(),
    *,
    standard: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Only this standard, such as asvs-5; may come again."),
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="How it is written.")] = Form.MARKDOWN,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Ask no model; this never asks one.")
    ] = False,
) -> None:
    """Show what breaks the controls of OWASP's Top 10, ASVS, SOC 2 and PCI DSS in a folder.

    Each control has what was found, which rules looked, and what a static look cannot tell. Exit
    code 0 if nothing was found, 1 if something was, 2 if it could not be looked at.
    """
    del no_model
    from coai_agents.application.security import compliance_of  # noqa: PLC0415 (not for `--help`)

    chosen = Form.JSON if as_json else form
    try:
        view, failed = compliance_of(path, standard or [], shown_path)
    except CoaiError as error:
        if chosen is Form.JSON:
            write_json(error_document(error))
        else:
            report(error)
        raise typer.Exit(2) from error
    if chosen is Form.JSON:
        write_json({"ok": True, **view.as_json()})
    else:
        text = view.as_markdown()
        sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    raise typer.Exit(1 if view.broken else 2 if failed else 0)
