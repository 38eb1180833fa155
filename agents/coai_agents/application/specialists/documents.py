"""Documents about a file or a folder, from its code alone: an API reference, an OpenAPI skeleton.

No model is asked. The same files make the same document, byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from coai_agents.application.sources import files_of, read_text, readable, source_of
from coai_agents.source import path_of
from coai_agents.specialists.documents.annotations import routes_by_annotation
from coai_agents.specialists.documents.calls import routes_by_call
from coai_agents.specialists.documents.frameworks import frameworks
from coai_agents.specialists.documents.openapi import as_json, as_yaml, openapi
from coai_agents.specialists.documents.reference import reference
from coai_agents.specialists.documents.routes import Found
from coai_agents.specialists.documents.schemas import models
from coai_agents.specialists.documents.symbols import module_of
from coai_agents.specialists.documents.tables.reading import routes_by_table
from coai_agents.specialists.documents.templates import templates
from coai_agents.syntax.language import GRAMMARS
from coai_agents.syntax.tree import parse
from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from coai_agents.specialists.documents.templates import Templates
    from coai_agents.syntax.tree import SyntaxTree

PARSE_BUDGET: Final = 10.0
"""Seconds for one file: nobody waits with the cursor, and a busy machine changes no document."""


class DocumentForm(StrEnum):
    """Which document is made, and how it is written."""

    MARKDOWN = "markdown"
    OPENAPI = "openapi"
    OPENAPI_JSON = "openapi-json"


class NothingToDocumentError(CoaiError):
    """What is named cannot be read as code."""


@dataclass
class Document:
    """A document, and what it does not say."""

    text: str = ""
    notes: list[str] = field(default_factory=list[str])
    incomplete: bool = False
    """Whether a file could not be looked at."""


def api_document(path: Path, form: DocumentForm, template: Path | None = None) -> Document:
    """Document a file, or the files of a folder that nothing excludes.

    Raises `SourceFileError` or `NothingToDocumentError` where what is named cannot be read, and
    `TemplateError` for a template that cannot be used.
    """
    document = Document()
    parts = templates(None if template is None else read_text(template), str(template))
    trees = trees_of(path, document)
    title = path.resolve().name or "API"
    if form is DocumentForm.MARKDOWN:
        document.text = _reference(title, trees, parts, document)
    else:
        document.text = _openapi(title, trees, form, document)
    return document


def _reference(
    title: str, trees: Iterator[tuple[str, SyntaxTree]], parts: Templates, document: Document
) -> str:
    modules = [module_of(tree, name) for name, tree in trees]
    if not any(each.symbols for each in modules):
        document.notes.append("No public symbol was found.")
    return reference(title, modules, parts)


def _openapi(
    title: str, trees: Iterator[tuple[str, SyntaxTree]], form: DocumentForm, document: Document
) -> str:
    found = [routes_of(name, tree) for name, tree in trees]
    document.notes += [note for each in found for note in each.notes]
    routes = [route for each in found for route in each.routes]
    if not routes:
        known = ", ".join(sorted(each.name for each in frameworks()))
        document.notes.append(f"No route was found ({known}).")
    made, notes = openapi(title, routes, [model for each in found for model in each.models])
    document.notes += dict.fromkeys(notes)
    return as_yaml(made) if form is DocumentForm.OPENAPI else as_json(made)


def routes_of(name: str, tree: SyntaxTree) -> Found:
    """Return the routes of a file of this name, and the classes that their bodies may be of."""
    called, notes = routes_by_call(tree)
    annotated, more = routes_by_annotation(tree)
    listed, others = routes_by_table(tree)
    routes = (*called, *annotated, *listed)
    return Found(routes, tuple(models(tree)), (*notes, *more, *others)).of(name)


def trees_of(path: Path, document: Document) -> Iterator[tuple[str, SyntaxTree]]:
    """Yield the trees of the files whose language is known, with their names in the folder."""
    is_folder = path.is_dir()
    before = len(document.notes)
    sources = readable(files_of(path), document.notes) if is_folder else [source_of(path)]
    for source in sources:
        file = path_of(source.uri)
        name = file.relative_to(path.absolute()).as_posix() if is_folder and file else path.name
        if source.language not in GRAMMARS:
            if not is_folder:
                raise NothingToDocumentError(
                    f"Nothing is known of the language of {path}.",
                    remedy="Name a file whose language `coai` has a grammar of.",
                )
            continue
        tree = parse(source, budget=PARSE_BUDGET)
        if tree is None:
            document.notes.append(f"{name}: too large to be parsed, and left out.")
        else:
            yield name, tree
    document.incomplete = document.incomplete or len(document.notes) > before
