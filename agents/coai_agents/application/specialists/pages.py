"""Pages about a project: a folder in; a guide, a tutorial or its architecture out, as Markdown.

The facts are read from the code, the manifests and the readme, and are the whole page without a
model. A model words them where one may be asked; each of its sentences is marked and speaks only of
names that stand in the facts. Nothing of the project is run, unless the user names a command to run
the examples with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from coai_agents.application.explain import architecture
from coai_agents.application.sources import SourceFileError, read_text
from coai_agents.application.specialists.documents import (
    Document,
    routes_of,
    trees_of,
)
from coai_agents.specialists.documents.pages.examples import Example, fenced_in
from coai_agents.specialists.documents.pages.guide import Guide, guide
from coai_agents.specialists.documents.pages.project import READMES, Project, project_of
from coai_agents.specialists.documents.pages.shape import Shape, shape
from coai_agents.specialists.documents.pages.tutorial import (
    MADE,
    Step,
    Tutorial,
    tutorial,
    with_calls,
)
from coai_agents.specialists.documents.pages.wording import worded
from coai_agents.specialists.documents.templates import templates

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from coai_agents.specialists.asking import Asker
    from coai_agents.syntax.tree import SyntaxTree

MOST_PAGES: Final = 50
"""Pages of a folder's `docs` that are looked through for examples."""

MOST_BYTES: Final = 500_000
"""Of a manifest or a readme; larger ones are left out."""


class PageKind(StrEnum):
    """Which page is made."""

    GUIDE = "guide"
    TUTORIAL = "tutorial"
    ARCHITECTURE = "architecture"


Attempt = Callable[[Example, str], Awaitable[bool]]
"""Runs a program that stands for an example, with the user's command; says whether it held."""


@dataclass(frozen=True, slots=True)
class PageWish:
    """What is wanted of a page."""

    kind: PageKind
    template: Path | None = None
    attempt: Attempt | None = None
    """How the examples of a tutorial are run; None to parse them alone."""
    command: str = ""
    """How that is called where it is said that an example was run."""


@dataclass
class _Found:
    project: Project
    trees: list[tuple[str, SyntaxTree]]
    root: str
    """The folder that the trees' names are below, as the user named it."""
    document: Document = field(default_factory=Document)


async def page(path: Path, wish: PageWish, asker: Asker) -> Document:
    """Return a page about a folder, or a file.

    Raises `SourceFileError` or `NothingToDocumentError` where what is named cannot be read, and
    `TemplateError` for a template that cannot be used.
    """
    own = None if wish.template is None else read_text(wish.template)
    parts = templates(own, str(wish.template), wish.kind.value)
    found = await asyncio.to_thread(_looked_at, path)
    made = await asyncio.to_thread(_made, path, wish.kind, found)
    if isinstance(made, Tutorial):
        made = await with_calls(made, asker, found.root)
        if wish.attempt is not None:
            made = await _tried(made, wish, found.document.notes)
    said, notes = await worded(made.slots(), asker, found.root)
    found.document.notes += notes
    found.document.text = made.page(parts, said)
    return found.document


def _looked_at(path: Path) -> _Found:
    document = Document()
    trees = list(trees_of(path, document))
    folder = path if path.is_dir() else path.parent
    own = project_of(lambda name: _text_of(folder / name))
    return _Found(own, trees, str(folder), document)


def _text_of(path: Path) -> str | None:
    """Return the text of a file of the project; None where there is none that can be read."""
    try:
        text = read_text(path)
    except SourceFileError:
        return None
    return text if len(text) <= MOST_BYTES else None


def _made(path: Path, kind: PageKind, found: _Found) -> Guide | Tutorial | Shape:
    name, notes = path.resolve().name or "project", found.document.notes
    if kind is PageKind.ARCHITECTURE:
        return _shape(path, name, found)
    if kind is PageKind.GUIDE:
        routes = [each for tree in found.trees for each in routes_of(*tree).routes]
        made = guide(name, found.project, found.trees, routes, notes)
        if made.is_empty:
            notes.append("Nothing was found that a user starts, sets or calls.")
        return made
    steps = tutorial(name, found.project, found.trees, tuple(_written(path)))
    if not steps.steps:
        notes.append("No public function and no example was found.")
    return steps


def _shape(path: Path, name: str, found: _Found) -> Shape:
    folder = (path if path.is_dir() else path.parent).absolute()
    whole = architecture(folder, [tree.source for _, tree in found.trees])
    found.document.notes += whole.notes
    return shape(name, found.project, replace(whole, notes=()), found.trees)


def _written(path: Path) -> Iterator[Example]:
    """Yield the examples of a folder's readme and of the pages of its `docs`."""
    if not path.is_dir():
        return
    docs = path / "docs"
    pages = sorted(docs.glob("*.md"))[:MOST_PAGES] if docs.is_dir() else []
    for each in (*(path / name for name in READMES), *pages):
        if (text := _text_of(each)) is not None:
            yield from fenced_in(text, each.relative_to(path).as_posix())


async def _tried(found: Tutorial, wish: PageWish, notes: list[str]) -> Tutorial:
    """Return the tutorial without the steps whose example fails, the others marked as run."""
    assert wish.attempt is not None, "the caller has asked"
    kept: list[Step] = []
    for step in found.steps:
        if step.checked == MADE:
            kept.append(step)  # Its arguments are no values yet.
        elif await wish.attempt(step.example, step.program):
            kept.append(replace(step, checked=f"Run with `{wish.command}`, and it held"))
        else:
            notes.append(f"{step.example.place}: the example fails, and is left out.")
    return replace(found, steps=tuple(kept))
