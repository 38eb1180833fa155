"""Where a name gets its meaning: definitions, parameters, assignments, imports.

No name resolution: it reads the fields that grammars agree on, and is asked only whether a name has
such a place somewhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.changes.code import function_around, import_around, is_label, is_member
from coai_agents.syntax.tree import ancestors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from coai_agents.changes.code import Code

MOST: Final = 400
"""Places of one name that are looked at."""

_BINDING: Final = ("left", "pattern", "alias", "parameter")
_USING: Final = frozenset(
    {"value", "right", "default_value", "type", "body", "arguments", "object"}
)


def words(code: Code, name: str, start: int = 0, end: int | None = None) -> Iterator[Node]:
    """Yield the leaves that hold a name as a word, in the order of the text."""
    pattern = re.compile(rb"(?<![\w$])" + re.escape(name.encode()) + rb"(?![\w$])")
    last = len(code.bytes) if end is None else end
    for count, found in enumerate(pattern.finditer(code.bytes, start, last)):
        if count == MOST:
            return
        node = code.tree.root.descendant_for_byte_range(found.start(), found.end())
        if node is not None:
            yield node


def bindings(code: Code, within: Node, name: str) -> Iterator[Node]:
    """Yield the places in which a name is given a meaning."""
    for node in words(code, name, within.start_byte, within.end_byte):
        if code.is_name(node) and not is_member(node) and is_binding(node, code):
            yield node


def bound_in(code: Code, within: Node, name: str) -> bool:
    """Say whether a name is given a meaning within a node."""
    return next(bindings(code, within, name), None) is not None


def bound_outside(code: Code, name: str) -> bool:
    """Say whether a name is given a meaning outside of functions, for the whole file."""
    for node in bindings(code, code.tree.root, name):
        function = function_around(node, code)
        if function is None:
            return True
        # A function's own name belongs to what is around it.
        if function.child_by_field_name("name") == node and (
            function.parent is None or function_around(function.parent, code) is None
        ):
            return True
    return False


def is_binding(node: Node, code: Code) -> bool:
    """Say whether a name is given its meaning here."""
    if import_around(node) is not None:
        return True
    if is_label(node):
        return False
    known = code.tree.grammar.definitions
    child = node
    for above in list(ancestors(node))[1:6]:
        field = _field(above, child)
        if above.type in known and field in ("name", "declarator"):
            return True
        if field == "parameters":
            return True
        if field in _BINDING or (field == "name" and above.child_by_field_name("value")):
            return "augmented" not in above.type and "operator" not in above.type
        if field in _USING or above.type in code.tree.grammar.containers:
            return False
        child = above
    return False


def _field(above: Node, child: Node) -> str:
    for number, each in enumerate(above.children):
        if each == child:
            return above.field_name_for_child(number) or ""
    return ""
