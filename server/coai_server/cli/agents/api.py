"""`coai document --api`: an API reference or an OpenAPI skeleton, on stdout or in a file."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import typer

from coai_routing.errors import CoaiError
from coai_server.cli.console import error_document, notices, report, write_json
from coai_server.cli.files import write_text
from coai_server.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from coai_agents.application.specialists.documents import Document


class Form(StrEnum):
    """Which document is made; the application layer's names, known before it is loaded."""

    MARKDOWN = "markdown"
    OPENAPI = "openapi"
    OPENAPI_JSON = "openapi-json"


class OutputError(CoaiError):
    """A document is not written where it was asked to be."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of a document."""

    form: Form
    template: Path | None
    output: Path | None
    force: bool
    as_json: bool


def write_api(path: Path, wish: Wish) -> None:
    """Make a document, write it, and end the command: 0, or 2 where a file was left out."""
    from coai_agents.application.specialists.documents import DocumentForm, api_document  # noqa: PLC0415 (not for `--help`)

    with told(wish):
        check(wish)
        document = api_document(path, DocumentForm(wish.form), wish.template)
        finish_document(document, wish)


@contextmanager
def told(wish: Wish) -> Generator[None]:
    """Say what is wrong with a document, and end the command with 2."""
    try:
        yield
    except CoaiError as error:
        if wish.as_json:
            write_json(error_document(error))
        else:
            report(error)
        raise typer.Exit(2) from error


def finish_document(document: Document, wish: Wish) -> None:
    """Write a document where it is wanted, and end the command: 0, or 2 where it is not whole."""
    if wish.output is not None:
        write_text(wish.output, document.text)
    if wish.as_json:
        shown = {"text": document.text} if wish.output is None else {"path": str(wish.output)}
        write_json({"ok": not document.incomplete, **shown, "notes": document.notes})
    else:
        if wish.output is None:
            _say(document.text)
        for note in document.notes:
            notices().print(f"Note: {printable(note)}")
    raise typer.Exit(2 if document.incomplete else 0)


def check(wish: Wish) -> None:
    """Refuse what cannot be written, before anything is looked at."""
    if wish.template is not None and wish.form is not Form.MARKDOWN:
        raise OutputError(
            "A template is for the reference in Markdown.", remedy="Leave out --template."
        )
    if wish.output is not None and wish.output.exists() and not wish.force:
        raise OutputError(
            f"{wish.output} exists and is left as it is.",
            remedy="Name another file, or give --force to write it anew.",
        )


def _say(text: str) -> None:
    sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
