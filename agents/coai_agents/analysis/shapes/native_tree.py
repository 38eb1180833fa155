"""What the checks of C and C++ share: ways through a tree, and the names of what is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node


TAKING: Final = frozenset({"malloc", "calloc", "strdup", "strndup", "realloc", "aligned_alloc"})
"""Functions that give memory to whoever calls them."""

READING: Final = frozenset(
    {
        "printf",
        "fprintf",
        "sprintf",
        "snprintf",
        "puts",
        "fputs",
        "fgets",
        "fread",
        "fwrite",
        "fseek",
    }
    | {"ftell", "rewind", "fscanf", "sscanf", "fgetc", "getc", "fputc", "putc", "feof", "ferror"}
    | {"fflush", "strcpy", "strncpy", "strcat", "strncat", "strlen", "strcmp", "strncmp", "strchr"}
    | {"memcpy", "memmove", "memset", "memcmp", "read", "write", "atoi", "readdir", "getline"}
)
"""Functions that look at what they are passed, and keep nothing of it."""


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


def taken_by(value: Node | None) -> str:
    """Return how an expression takes memory; nothing if it does not."""
    while value is not None and value.type in ("cast_expression", "parenthesized_expression"):
        value = value.child_by_field_name("value") or value.named_children[-1]
    if value is None:
        return ""
    if value.type == "new_expression":
        if "nothrow" in text_of(value) or value.child_by_field_name("placement") is not None:
            return ""
        return "new[]" if value.child_by_field_name("declarator") is not None else "new"
    return "malloc" if value.type == "call_expression" and name_of(value) in TAKING else ""


def is_joined(node: Node) -> bool:
    """Say whether an expression puts text together of what is not constant."""
    if node.type == "call_expression":
        name = name_of(node)
        if name in ("format", "fmt::format", "arg", "QString", "string"):
            inner = arguments_of(node)
            return (len(inner) > 1 and inner[0].type == "string_literal") or any(
                map(is_joined, inner)
            )
        return False
    if node.type != "binary_expression" or text_of(node.child_by_field_name("operator")) != "+":
        return False
    parts = [
        each
        for each in walk(node)
        if each.type in ("string_literal", "identifier", "call_expression")
    ]
    return any(e.type == "string_literal" for e in parts) and any(
        e.type == "identifier" for e in parts
    )
