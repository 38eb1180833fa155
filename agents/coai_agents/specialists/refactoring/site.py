"""Where a refactoring is asked for: the selection in the tree, and what is found around it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from coai_agents.source import Edit, Source, Span
from coai_agents.specialists.refactoring.names import Names
from coai_agents.specialists.refactoring.shapes import family, shapes_of
from coai_agents.syntax.definitions import FUNCTIONS, definitions_around
from coai_agents.syntax.tree import ancestors, broken_places, parse
from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from coai_agents.specialists.refactoring.shapes import Shapes
    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.tree import SyntaxTree

BRACED: Final = frozenset({"javascript", "java", "go", "php", "csharp"})
"""Families whose blocks stand in curly brackets."""

ENDED: Final = frozenset({"javascript", "java", "php", "csharp"})
"""Families whose statements end with a semicolon."""

WIDEST: Final = 8
"""Blanks of one step of indentation; more are an alignment."""


class RefusalError(CoaiError):
    """A refactoring that was asked for is not possible here, or could not be shown to be right."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Edits that are one refactoring, not yet verified."""

    title: str
    edits: tuple[Edit, ...]
    fresh: tuple[str, ...] = ()
    """Names that it brings into the file."""
    moved: bool = False
    """Whether text moves into a function of its own, whose variables are others."""
    renaming: bool = False
    """Whether names alone are changed."""
    note: str = ""
    """What the user should know of it."""


@dataclass(frozen=True)
class Site:
    """A selection in a file; an empty one is a cursor."""

    tree: SyntaxTree
    span: Span
    name: str = ""
    """The name that the user wants for what is made."""
    lines: bool = False
    """Whether whole lines were named, of which the first thing that fits is meant."""
    shapes: Shapes = field(init=False)
    family: str = field(init=False)

    def __post_init__(self) -> None:
        shapes = shapes_of(self.source.language)
        if shapes is None:
            raise RefusalError("Nothing is refactored in this language.")
        object.__setattr__(self, "shapes", shapes)
        object.__setattr__(self, "family", family(self.source.language))

    @property
    def source(self) -> Source:
        """The snapshot."""
        return self.tree.source

    @cached_property
    def names(self) -> Names:
        """The variables of the file."""
        return Names(self.tree)

    @cached_property
    def trimmed(self) -> Span:
        """The selection without white space at its ends."""
        text = self.source.slice(self.span)
        start = self.span.start + len(text) - len(text.lstrip())
        return Span(start, max(start, self.span.end - (len(text) - len(text.rstrip()))))

    @cached_property
    def newline(self) -> str:
        """The line end of the file."""
        return "\r\n" if "\r\n" in self.source.text else "\n"

    @cached_property
    def unit(self) -> str:
        """One step of indentation, as the file has it."""
        lines = [each for each in self.source.text.split("\n") if each.strip()]
        indents = [each[: len(each) - len(each.lstrip())] for each in lines]
        if any(each.startswith("\t") for each in indents):
            return "\t"
        widths = [len(each) for each in indents]
        steps = Counter(b - a for a, b in pairwise(widths) if 1 < b - a <= WIDEST)
        usual = 2 if self.family in ("ruby", "javascript") else 4
        return " " * (steps.most_common(1)[0][0] if steps else usual)

    def text(self, node: Node | None) -> str:
        """Return a node's text; of none, nothing."""
        return "" if node is None else self.tree.text(node)

    def start(self, node: Node) -> int:
        """Return the offset of a node's start."""
        return self.tree.start(node)

    def end(self, node: Node) -> int:
        """Return the offset of a node's end."""
        return self.tree.end(node)

    def replaced(self, node: Node, text: str) -> Edit:
        """Return the edit that puts a text in a node's place."""
        return Edit(self.tree.span(node), text)

    def around(self) -> Iterator[Node]:
        """Yield the smallest node that holds the selection, and all that it is in."""
        first = self.source.byte_offset(self.trimmed.start)
        last = max(self.source.byte_offset(self.trimmed.end), first)
        node = self.tree.root.named_descendant_for_byte_range(first, last)
        yield from () if node is None else ancestors(node)

    def inside(self, *kinds: str) -> list[Node]:
        """Return what of some kinds begins on the selection's lines, outer ones first."""
        first = self.source.line_at(self.trimmed.start)
        last = self.source.line_at(self.trimmed.end)
        start, end = self.source.line_start(first), self.source.line_end(last)
        low, high = self.source.byte_offset(start), self.source.byte_offset(end)
        return [
            each
            for each in walk(self.tree.root)
            if each.type in kinds and low <= each.start_byte < high
        ]

    def nearest(self, *kinds: str) -> Iterator[Node]:
        """Yield nodes of some kinds: around the cursor, or on the lines that were named."""
        if self.lines:
            yield from self.inside(*kinds)
            return
        for each in self.around():
            if each.type in kinds:
                yield each

    def statement(self, node: Node) -> Node | None:
        """Return the statement that a node is in: the child of a block or a file."""
        for each in ancestors(node):
            if each.parent is not None and each.parent.type in self.tree.grammar.containers:
                if self.family == "ruby" and each.type in ("then", "else", "do", "ensure"):
                    continue
                return each
        return None

    def function(self, node: Node) -> Node | None:
        """Return the innermost function that a node is in, whose variables are its own."""
        shapes = self.shapes
        return next(
            (
                each
                for each in ancestors(node)
                if each.type in shapes.functions
                and (each.type not in shapes.inner or self.family == "php")
            ),
            None,
        )

    def definition(self) -> Definition | None:
        """Return the innermost named function around the selection."""
        offset = self.trimmed.start
        found = [e for e in definitions_around(self.tree, offset) if e.kind in FUNCTIONS and e.name]
        return found[-1] if found else None

    def indent(self, offset: int) -> str:
        """Return the white space that the line of an offset begins with."""
        line = self.source.line_text(self.source.line_at(offset))
        return line[: len(line) - len(line.lstrip())]

    def unused(self, name: str, taken: frozenset[str]) -> str:
        """Return a name that is not taken: this one, or it with a number."""
        if name not in taken:
            return name
        numbers = (f"{name}{'_' if self.snake else ''}{at}" for at in range(2, 1000))
        return next(each for each in numbers if each not in taken)

    @property
    def snake(self) -> bool:
        """Whether names of the language are written with underscores."""
        return self.family in ("python", "ruby")

    def whole_lines(self, node: Node) -> Span:
        """Return a statement, with all of its lines if it is alone on them."""
        start, end = self.start(node), self.end(node)
        text = self.source.text
        if self.family in ENDED and text[end : end + 1] == ";":
            end += 1
        first, last = self.source.line_at(start), self.source.line_at(end)
        alone = not text[self.source.line_start(first) : start].strip()
        alone &= not text[end : self.source.line_end(last)].strip()
        if not alone:
            return Span(start, end)
        after = last + 1
        below = self.source.line_start(after) if after < self.source.line_count else len(text)
        return Span(self.source.line_start(first), below)


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it in the order of the text."""
    waiting = [node]
    while waiting:
        at = waiting.pop()
        yield at
        waiting.extend(reversed(at.children))


def same(one: Node | None, other: Node | None) -> bool:
    """Say whether two nodes are one."""
    return one is not None and other is not None and one.id == other.id


def holds(outer: Node, inner: Node) -> bool:
    """Say whether a node's text is within another's."""
    return outer.start_byte <= inner.start_byte and inner.end_byte <= outer.end_byte


def in_string(site: Site, offset: int) -> bool:
    """Say whether a line begins within a string, where white space is text."""
    strings = site.tree.grammar.strings | {"heredoc_body", "text_block"}
    return any(
        each.type in strings and site.start(each) < offset < site.end(each)
        for each in ancestors(site.tree.leaf_after(offset))
    )


def bare(node: Node) -> Node:
    """Return what stands in brackets, and a node that has none as it is."""
    while node.type in ("parenthesized_expression", "parenthesized_statements"):
        inner = node.named_children
        if len(inner) != 1:
            return node
        node = inner[0]
    return node


def fitted(site: Site, span: Span, text: str) -> str:
    """Return an expression's text as it may stand in a span: in brackets where they are needed.

    It is put there and parsed: without brackets it has to be one node again. JavaScript does not
    allow `??` beside `||` without them, which the parser does.
    """
    after = site.source.apply(Edit(span, text))
    tree = parse(after)
    if tree is not None and "??" not in text and broken_places(tree) <= broken_places(site.tree):
        start = after.byte_offset(span.start)
        end = after.byte_offset(span.start + len(text))
        node = tree.root.named_descendant_for_byte_range(start, end)
        if node is not None and (node.start_byte, node.end_byte) == (start, end):
            alone = parse(Source("untitled:x", _alone(site, text), site.source.language))
            kinds = set[str]() if alone is None else _kinds(alone, text)
            if not kinds or any(each.type in kinds for each in _of_span(node)):
                return text
    return f"({text})"


def _of_span(node: Node) -> Iterator[Node]:
    """Yield the nodes that have exactly a node's text."""
    at: Node | None = node
    while at is not None and (at.start_byte, at.end_byte) == (node.start_byte, node.end_byte):
        yield at
        at = at.parent


def _alone(site: Site, text: str) -> str:
    match site.family:
        case "java" | "csharp":
            return f"class A {{ void f() {{ x = {text}; }} }}"
        case "go":
            return f"package a\nfunc f() {{ x = {text} }}\n"
        case "php":
            return f"<?php $x = {text};"
        case _:
            return f"x = {text}\n"


def _kinds(tree: SyntaxTree, text: str) -> set[str]:
    """Return the kinds of the nodes that have a text."""
    return {e.type for e in walk(tree.root) if e.is_named and tree.text(e) == text}
