"""Go: what a variable stands for at a place, of which it is given several values before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.analysis.shapes.go.function import (
    DEPTH,
    NUMBERS,
    SIZES,
    bounds_of,
    combined,
    constant,
)
from coai_agents.analysis.shapes.go.tree import (
    BLOCKS,
    arguments,
    around,
    callee,
    text,
)

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.shapes.go.function import GoFunction

_AGAIN: Final = frozenset({"for_statement", "func_literal"})
"""What is carried out again, so that what comes later in it may come before."""


def latest(function: GoFunction, name: str, place: Node) -> Node | None:
    """Return the statement that gives a variable the value that it has at a place.

    None where that depends on the way to it, or on something that is not followed.
    """
    giving = function.giving.get(name, [])
    if any(each.type == "unary_expression" for each in giving):
        return None
    inner = place
    for outer in around(place):
        if outer.type in BLOCKS:
            before = [each for each in giving if _is_within(each, outer, until=inner)]
            if before:
                return before[-1] if before[-1].parent == outer else None
        elif outer.type in _AGAIN and any(_is_within(each, outer) for each in giving):
            return None
        inner = outer
    return None


def _is_within(node: Node, outer: Node, until: Node | None = None) -> bool:
    """Say whether a node is a part of another one, and ends before a third begins."""
    end = outer.end_byte if until is None else until.start_byte
    return outer.start_byte <= node.start_byte and node.end_byte <= end


def number_at(function: GoFunction, node: Node, place: Node, depth: int = 0) -> int | None:
    """Return the value that an expression of numbers has at a place; None if it is not known."""
    known = function.number(node)
    if known is not None or depth > DEPTH:
        return known
    match node.type:
        case "parenthesized_expression":
            return number_at(function, node.named_children[0], place, depth + 1)
        case "binary_expression":
            parts = [node.child_by_field_name(each) for each in ("left", "right")]
            one, other = (
                None if part is None else number_at(function, part, place, depth + 1)
                for part in parts
            )
            return combined(text(node.child_by_field_name("operator")), one, other)
        case "call_expression" if text(callee(node)) in SIZES and len(arguments(node)) == 1:
            value = number_at(function, arguments(node)[0], place, depth + 1)
            low, high = bounds_of(text(callee(node)))
            return value if value is not None and low <= value <= high else None
        case "identifier":
            statement = latest(function, text(node), place)
            return None if statement is None else _given_by(function, node, statement, depth + 1)
        case _:
            return constant(node, NUMBERS)


def _given_by(function: GoFunction, name: Node, statement: Node, depth: int) -> int | None:
    if statement.type in ("inc_statement", "dec_statement"):
        before = number_at(function, name, statement, depth)
        return combined("+" if statement.type == "inc_statement" else "-", before, 1)
    value = value_of(statement, text(name))
    if value is None:
        return None
    number = number_at(function, value, statement, depth)
    operator = text(statement.child_by_field_name("operator"))
    if operator in ("", "=", ":="):
        return number
    before = number_at(function, name, statement, depth)
    return combined(operator.removesuffix("="), before, number)


def value_of(statement: Node, name: str) -> Node | None:
    """Return what an assignment gives to a variable; None where it is one of several results."""
    left, right = statement.child_by_field_name("left"), statement.child_by_field_name("right")
    if left is None or right is None or len(left.named_children) != len(right.named_children):
        return None
    for target, value in zip(left.named_children, right.named_children, strict=True):
        if text(target) == name:
            return value
    return None
