"""Small questions about Go's tree that every check asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

FUNCTIONS: Final = frozenset({"function_declaration", "method_declaration"})

BLOCKS: Final = frozenset(
    {"statement_list", "communication_case", "expression_case", "default_case", "type_case"}
)
"""What holds statements one after the other."""


def walk(node: Node, *, closures: bool = True) -> Iterator[Node]:
    """Yield a node and all within it, in their order; without `closures` not functions within."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        yield each
        if closures or each == node or each.type != "func_literal":
            waiting.extend(reversed(each.named_children))


def text(node: Node | None) -> str:
    """Return a node's text, nothing for none."""
    return "" if node is None or node.text is None else node.text.decode("utf-8", "replace")


def identifiers(node: Node) -> set[str]:
    """Return the names of variables within a node."""
    return {text(each) for each in walk(node) if each.type == "identifier"}


def callee(call: Node) -> Node | None:
    """Return what a call calls."""
    return call.child_by_field_name("function")


def arguments(call: Node) -> list[Node]:
    """Return what a call is passed."""
    listed = call.child_by_field_name("arguments")
    return [] if listed is None else [e for e in listed.named_children if e.type != "comment"]


def around(node: Node) -> Iterator[Node]:
    """Yield what a node is in, the nearest first, up to the function that is declared."""
    parent = node.parent
    while parent is not None:
        yield parent
        if parent.type in FUNCTIONS:
            return
        parent = parent.parent


def statements(block: Node) -> list[Node]:
    """Return what stands in a block, one after the other."""
    inner = next((e for e in block.named_children if e.type == "statement_list"), None)
    return (block if inner is None else inner).named_children
