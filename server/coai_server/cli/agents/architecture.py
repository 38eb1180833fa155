"""`coai architecture`: a folder's modules, circles, layers, hubs and hot spots."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from coai_server.cli.console import write_json
from coai_server.terminal import printable


class Form(StrEnum):
    """How an architecture is written."""

    TEXT = "text"
    JSON = "json"
    MERMAID = "mermaid"


def architecture(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The folder.")] = Path(),
    *,
    form: Annotated[Form, typer.Option("--format", help="How it is written.")] = Form.TEXT,
) -> None:
    """Show how a folder's files hang together, from their imports and their history.

    Every statement is a fact of the code or of git. Exit code 0, or 1 if files import one another
    in circles.
    """
    from coai_agents.application.explain import architecture_of  # noqa: PLC0415 (not for `--help`)

    found = architecture_of(folder.absolute())
    if form is Form.JSON:
        write_json(found.as_json())
    else:
        text = found.drawing() if form is Form.MERMAID else found.report().as_text()
        sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    raise typer.Exit(1 if found.circles else 0)
