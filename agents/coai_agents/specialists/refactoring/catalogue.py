"""Which refactorings there are, and how one is asked for: each verified before it is offered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.source import Span
from coai_agents.specialists.refactoring.site import RefusalError, Site
from coai_agents.specialists.refactoring.transforms.annotations import add_types
from coai_agents.specialists.refactoring.transforms.choices import to_if, to_ternary
from coai_agents.specialists.refactoring.transforms.conditions import apply_de_morgan, invert_if
from coai_agents.specialists.refactoring.transforms.declarations import (
    join_declaration,
    split_declaration,
)
from coai_agents.specialists.refactoring.transforms.functions import extract_function
from coai_agents.specialists.refactoring.transforms.imports import sort_imports
from coai_agents.specialists.refactoring.transforms.inlining import inline_variable
from coai_agents.specialists.refactoring.transforms.loops import to_comprehension
from coai_agents.specialists.refactoring.transforms.renaming import rename
from coai_agents.specialists.refactoring.transforms.texts import to_template
from coai_agents.specialists.refactoring.transforms.variables import extract_variable
from coai_agents.specialists.refactoring.verifying import verified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tree_sitter import Node

    from coai_agents.specialists.edits import Change
    from coai_agents.specialists.refactoring.site import Offer
    from coai_agents.syntax.tree import SyntaxTree

EXTRACT: Final = "refactor.extract"
INLINE: Final = "refactor.inline"
REWRITE: Final = "refactor.rewrite"
SORT: Final = "source.coai.sortImports"

MOST_CHARACTERS: Final = 100_000
"""Of a file in which refactorings are looked for unasked: some 3,000 lines, whose names take 0.1 s
to resolve (measured), and again for what each refactoring would leave."""

DEEPEST: Final = 200
"""Nodes around a place; nobody writes more, and with thousands the answer would take minutes."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A refactoring that needs no model."""

    name: str
    """As the command line has it."""
    title: str
    lsp: str
    """LSP's kind of code action."""
    make: Callable[[Site], Iterator[Offer]]
    selection: bool = False
    """Whether something has to be selected."""
    named: bool = False
    """Whether it needs a name from the user."""
    whole: bool = False
    """Whether it is about the file."""


KINDS: Final = {
    each.name: each
    for each in (
        Kind("extract-variable", "Extract variable", EXTRACT, extract_variable, selection=True),
        Kind("extract-function", "Extract function", EXTRACT, extract_function, selection=True),
        Kind("inline-variable", "Inline variable", INLINE, inline_variable),
        Kind("invert-if", "Invert if, or return early", REWRITE, invert_if),
        Kind("de-morgan", "Apply De Morgan's law", REWRITE, apply_de_morgan),
        Kind("template", "String with holes: f-string, template literal", REWRITE, to_template),
        Kind("comprehension", "Loop to comprehension, map or filter", REWRITE, to_comprehension),
        Kind("ternary", "If to conditional expression", REWRITE, to_ternary),
        Kind("if", "Conditional expression to if", REWRITE, to_if),
        Kind("split-declaration", "Split declaration", REWRITE, split_declaration),
        Kind("join-declaration", "Join declaration and assignment", REWRITE, join_declaration),
        Kind("types", "Add types that are evident", REWRITE, add_types),
        Kind("rename", "Rename a local variable", REWRITE, rename, named=True),
        Kind("sort-imports", "Sort imports", SORT, sort_imports, whole=True),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refactoring:
    """A change that has passed its checks."""

    kind: Kind
    title: str
    change: Change
    note: str = ""


def refactorings(
    kind: Kind, tree: SyntaxTree, span: Span, *, name: str = "", lines: bool = False
) -> list[Refactoring]:
    """Return the ways in which a refactoring can be made at a place, the likeliest first.

    Raises `RefusalError` that says why there is none. With `lines`, whole lines were named.
    """
    site = Site(tree, span, name, lines)
    return _of(kind, site)


def _of(kind: Kind, site: Site) -> list[Refactoring]:
    if site.tree.has_error:
        raise RefusalError("The file does not parse as it is.")
    if sum(1 for _ in site.around()) > DEEPEST:
        raise RefusalError("It is nested too deeply.")
    found: list[Refactoring] = []
    why = "There is nothing of the kind here."
    allowed = None if kind.whole else _allowed(site)
    for offer in _offers(kind, site):
        change, wrong = verified(site, offer, allowed)
        if change is None:
            why = wrong
        else:
            found.append(Refactoring(kind, offer.title, change, offer.note))
    if not found:
        raise RefusalError(why)
    return found


def _offers(kind: Kind, site: Site) -> Iterator[Offer]:
    try:
        yield from kind.make(site)
    except RecursionError as error:
        raise RefusalError("It is nested too deeply.") from error


def offered(tree: SyntaxTree, span: Span) -> Iterator[Refactoring]:
    """Yield all refactorings at a selection or a cursor that need nothing more from the user."""
    if len(tree.source.text) > MOST_CHARACTERS:
        return
    try:
        site = Site(tree, span)
    except RefusalError:
        return
    for kind in KINDS.values():
        if kind.named or kind.whole or (kind.selection and not len(site.trimmed)):
            continue
        try:
            yield from _of(kind, site)
        except RefusalError:
            continue


def _allowed(site: Site) -> Span:
    """Return what may be touched: the outermost statement of the file, or of a class, around."""
    holder: Node | None = None
    for each in site.around():
        above = each.parent
        if above is None:
            break
        if (
            above.type in ("class_body", "declaration_list", "block", "body_statement")
            and (above.parent is not None and "class" in above.parent.type)
        ) or (above.parent is None and holder is None):
            holder = each
    whole = Span(0, len(site.source.text))
    if holder is None:
        return whole
    definitions = ("function_definition", "decorated_definition", "class_definition")
    at_the_top = holder.parent is not None and holder.parent.parent is None
    if at_the_top and site.function(holder) is None and holder.type not in definitions:
        # At the level of the file, statements stand beside each other.
        return whole
    first = site.source.line_start(site.source.line_at(site.start(holder)))
    last = site.source.line_at(site.end(holder))
    end = (
        site.source.line_start(last + 1)
        if last + 1 < site.source.line_count
        else len(site.source.text)
    )
    return Span(first, end)
