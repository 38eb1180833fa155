"""`coai architecture`: a folder's modules, circles, layers, hubs and hot spots."""

from __future__ import annotations

import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coai_server.cli.console import write_json
from coai_server.terminal import printable

if TYPE_CHECKING:
    from coai_agents.source import Source
    from coai_agents.specialists.architecture.report import Architecture


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
    found = architecture_of(folder.absolute())
    if form is Form.JSON:
        write_json(found.as_json())
    else:
        text = found.drawing() if form is Form.MERMAID else found.report().as_text()
        sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    raise typer.Exit(1 if found.circles else 0)


def architecture_of(folder: Path) -> Architecture:
    """Return what is known of a folder; raises what reading it raises."""
    from coai_agents.analysis.run.survey import files_in  # noqa: PLC0415 (not for `--help`)
    from coai_agents.application.explain import architecture  # noqa: PLC0415 (as above)
    from coai_server.cli.agents.showing import source_of  # noqa: PLC0415 (as above)
    from coai_server.cli.files import SourceFileError  # noqa: PLC0415 (as above)

    sources: list[Source] = []
    notes: list[str] = []
    for path in files_in([folder]):
        try:
            sources.append(source_of(path))
        except SourceFileError as error:
            notes.append(str(error))
    found = architecture(folder, sources)
    return replace(found, notes=(*notes, *found.notes))
