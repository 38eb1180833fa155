"""What the checks of C and C++ share: ways through a tree, and the names of what is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all that is in it, in the order of the text."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        yield each
        waiting.extend(reversed(each.named_children))


def text_of(node: Node | None) -> str:
    """Return a node's text; nothing if there is no node."""
    return "" if node is None or node.text is None else node.text.decode("utf-8", "replace")


def name_of(call: Node) -> str:
    """Return the name of what is called, without `std::` and the object it is a method of."""
    function = call.child_by_field_name("function")
    if function is not None and function.type == "field_expression":
        function = function.child_by_field_name("field")
    return text_of(function).removeprefix("::").removeprefix("std::")


def arguments_of(call: Node) -> list[Node]:
    """Return the arguments of a call."""
    listed = call.child_by_field_name("arguments")
    return [] if listed is None else [e for e in listed.named_children if e.type != "comment"]
