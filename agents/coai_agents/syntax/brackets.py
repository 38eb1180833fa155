"""Brackets around an offset: which are open there, and which the document never closes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

    from coai_agents.syntax.grammars import Grammar
    from coai_agents.syntax.tree import SyntaxTree


@dataclass(frozen=True, slots=True)
class OpenBracket:
    """A bracket that opens before an offset and is not closed before it."""

    text: str
    offset: int
    """Where it starts."""
    close: str
    """What closes it; a word in languages whose brackets are words."""
    closed_at: int | None
    """Where the closing one starts, or None if the document does not close it."""


def open_brackets(tree: SyntaxTree, offset: int) -> tuple[OpenBracket, ...]:
    """Return the brackets that are open at an offset, the outermost first.

    Brackets in strings and comments are none. A closing one belongs to the nearest open one that
    it can close, as the parser has it.
    """
    byte = tree.source.byte_offset(offset)
    found: list[OpenBracket] = []
    node: Node | None = tree.root
    while node is not None:
        before: list[Node] = []
        within: Node | None = None
        after: list[Node] = []
        for child in _children(node):
            if child.end_byte <= byte:
                before.append(child)
            elif child.start_byte < byte:
                within = child
            else:
                after.append(child)
        while within is None and before and before[-1].is_missing:
            before.pop()
        if within is None and before and before[-1].has_error:
            # It ended for want of what closes it, and the cursor stands where that belongs.
            within = before.pop()
        found += _left_open(tree, before, after)
        node = within
    return tuple(sorted(found, key=lambda bracket: bracket.offset))


def _children(node: Node) -> Iterator[Node]:
    """Yield a node's children, and for a child that is an error what is in it."""
    for child in node.children:
        if child.is_error:
            yield from _children(child)
        else:
            yield child


def missing_closers(tree: SyntaxTree, around: Sequence[OpenBracket]) -> str:
    """Return what closes those of the brackets around a place that are never closed."""
    text = ""
    for bracket in reversed(around):
        if bracket.closed_at is None:
            text += _on_own_line(bracket.close) if _ends_block(tree, bracket) else bracket.close
    return text


def _ends_block(tree: SyntaxTree, bracket: OpenBracket) -> bool:
    return bracket.close in tree.grammar.block_closing


def _on_own_line(close: str) -> str:
    return f"\n{close}\n" if close.isalpha() else f"\n{close}"


def bracket_kind(grammar: Grammar, node: Node) -> str | None:
    """Return the closing bracket that a leaf is or wants, or None if it is no bracket."""
    kind = node.type
    close = kind if kind in grammar.closing else grammar.closers.get(kind)
    if close is None or node.is_named:
        return None
    excepted = grammar.no_brackets_in.get(close)
    if excepted:
        parent = node.parent
        if parent is not None and parent.type in excepted:
            return None
    return close


def _left_open(tree: SyntaxTree, before: list[Node], after: list[Node]) -> list[OpenBracket]:
    """Return the brackets among a node's own children that are open between the two lists."""
    stack: list[tuple[Node, str]] = []
    for child in before:
        _match(tree.grammar, child, stack)
    left_open = list(stack)
    closed: dict[int, Node] = {}
    for child in after:
        if len(closed) == len(left_open):
            break
        opening = _match(tree.grammar, child, stack)
        if opening is not None:
            closed[opening.id] = child
    return [
        OpenBracket(
            opening.type,
            tree.start(opening),
            close,
            tree.start(closed[opening.id]) if opening.id in closed else None,
        )
        for opening, close in left_open
    ]


def _match(grammar: Grammar, child: Node, stack: list[tuple[Node, str]]) -> Node | None:
    """Put an opening bracket on the stack, or take off and return the one that a closing ends."""
    if child.child_count or child.is_missing:
        return None
    close = bracket_kind(grammar, child)
    if close is None:
        return None
    if child.type != close:
        stack.append((child, close))
        return None
    if not any(wanted == close for _, wanted in stack):
        return None
    while (opened := stack.pop())[1] != close:
        pass
    return opened[0]
