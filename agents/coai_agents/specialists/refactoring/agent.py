"""The code agent's front door: what is asked for, made by syntax if it can be, else by a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.asking import NobodyError
from coai_agents.specialists.refactoring.catalogue import KINDS, refactorings
from coai_agents.specialists.refactoring.rewriting import MODEL_KINDS, proposed
from coai_agents.specialists.refactoring.site import RefusalError, Site
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.source import Source, Span
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.edits import Change

UNPROVEN: Final = "That it does the same is not proven: run the tests."


@dataclass(frozen=True, slots=True)
class Request:
    """Which refactoring is asked for, and where."""

    kind: str
    source: Source
    span: Span
    name: str = ""
    lines: bool = False
    """Whether whole lines are meant, and the first thing on them that fits."""
    every: bool = False
    """Whether a variable is extracted at all equal places."""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """A refactoring that was made and checked."""

    title: str
    change: Change
    by: str
    """What made it: the syntax tree, or a model by its name."""
    by_model: bool = False
    note: str = ""


def summary() -> Iterator[tuple[str, str, bool]]:
    """Yield the name and title of each kind, and whether a model is needed."""
    for kind in KINDS.values():
        yield kind.name, kind.title, False
    for kind in MODEL_KINDS.values():
        if kind.name not in KINDS:
            yield kind.name, kind.title, True


_ALSO: Final = {
    "add-types": "types", "convert-async": "async", "convert-comprehension": "comprehension",
    "demorgan": "de-morgan", "extract-method": "extract-function", "f-string": "template",
    "fstring": "template", "if-to-ternary": "ternary", "inline": "inline-variable",
    "invert-condition": "invert-if", "loop-to-comprehension": "comprehension",
    "organize-imports": "sort-imports", "rename-variable": "rename",
    "template-literal": "template", "ternary-to-if": "if", "to-if": "if", "to-ternary": "ternary",
}  # fmt: skip
"""What other tools call the kinds."""


def kind_named(text: str) -> str:
    """Return the kind that a user means: its own name, or another tool's for it."""
    name = text.strip().lower().replace("_", "-")
    return _ALSO.get(name, name)


def needs_model(request: Request) -> bool:
    """Say whether a model has to be asked: nothing deterministic is there, or it was refused."""
    if request.kind not in MODEL_KINDS:
        return False
    try:
        _by_syntax(request)
    except RefusalError:
        return True
    return False


async def make(request: Request, asker: Asker) -> Made:
    """Return a refactoring; raises `RefusalError` that says why there is none."""
    if request.kind not in KINDS and request.kind not in MODEL_KINDS:
        names = ", ".join(dict.fromkeys((*KINDS, *MODEL_KINDS)))
        raise RefusalError(f"There is no refactoring {request.kind}; there are {names}.")
    refused: RefusalError | None = None
    try:
        return _by_syntax(request)
    except RefusalError as error:
        if request.kind not in MODEL_KINDS:
            raise
        refused = error if request.kind in KINDS else None
    try:
        return await by_model(request, asker)
    except NobodyError as error:
        why = str(error) if refused is None else f"{refused} {error}"
        raise RefusalError(why) from error


def _by_syntax(request: Request) -> Made:
    kind = KINDS.get(request.kind)
    tree = parse(request.source)
    if kind is None or tree is None:
        raise RefusalError("Nothing is refactored in this language without a model.")
    found = refactorings(kind, tree, request.span, name=request.name, lines=request.lines)
    chosen = found[-1] if request.every else found[0]
    return Made(chosen.title, chosen.change, "by the syntax tree", note=chosen.note)


async def by_model(request: Request, asker: Asker) -> Made:
    """Return what a model makes; raises `RefusalError`, or `NobodyError` where none answers."""
    tree = parse(request.source)
    if tree is None:
        raise RefusalError("Nothing is known of this language.")
    site = Site(tree, request.span, request.name, request.lines)
    made = await proposed(MODEL_KINDS[request.kind], site, request.path, asker)
    return Made(made.title, made.change, made.model, by_model=True, note=UNPROVEN)
