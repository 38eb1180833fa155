"""What stands around a place: the code of its function or class, or what is done with an object.

What excuses a finding has to be there. A word elsewhere in the file, or in a comment, does not.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.syntax.tree import SyntaxTree

Around = Literal["function", "class", "object"]

_FUNCTIONS: Final = re.compile(
    r"^(function_definition|function_declaration|method_definition|method_declaration|method"
    r"|singleton_method|constructor_declaration|function_expression|local_function_statement"
    r"|arrow_function|generator_function_declaration|func_literal|anonymous_function"
    r"|accessor_declaration|compact_constructor_declaration)$"
)
_CLASSES: Final = re.compile(
    r"^(class_definition|class_declaration|class|record_declaration|struct_declaration|module"
    r"|interface_declaration|trait_declaration|type_declaration)$"
)
_COMMENT: Final = re.compile(r"comment$")
_HOLDERS: Final = re.compile(
    r"(assignment|assignment_expression|assignment_statement|variable_declarator|named_expression"
    r"|short_var_declaration|var_spec|resource|variable_declaration|property_element)$"
)
_STATEMENT: Final = re.compile(
    r"(_statement|_declaration|_definition)$|^(assignment|call|method_call)$"
)
_NAME: Final = re.compile(r"[$@\w]+")
_PROPERTIES: Final = frozenset({"kotlin", "scala"})
"""Languages that write what Java's setters do as assignments."""
_DECLARED: Final = re.compile(r"^(property_declaration|va[lr]_definition)$")
_ASSIGNED: Final = re.compile(
    r"(?<![\w\"])(?:is(?=[A-Z]))?([A-Za-z]\w*)[ \t]*=(?![=>])[ \t]*([^\n;=]{1,80})"
)


class Surroundings:
    """Answers for one tree, and remembers what it was asked."""

    def __init__(self, tree: SyntaxTree) -> None:
        self._tree = tree
        self._codes: dict[int, str] = {}

    def code(self, node: Node, around: Around) -> str:
        """Return the code around a place, comments left out."""
        if around == "object":
            return self._of_object(node)
        wanted = _FUNCTIONS if around == "function" else _CLASSES
        return self._code_of(_enclosing(node, wanted) or self._tree.root)

    def name_of(self, node: Node, around: Literal["function", "class"]) -> str:
        """Return the name of the function or class around a place, and whose method it is."""
        place = _enclosing(node, _FUNCTIONS if around == "function" else _CLASSES)
        if place is None:
            return ""
        parts = (place.child_by_field_name(field) for field in ("receiver", "name"))
        return " ".join(self._tree.text(part) for part in parts if part is not None)

    def _of_object(self, node: Node) -> str:
        """Return the lines of the function that name what a place makes or works on."""
        place = _enclosing(node, _FUNCTIONS) or self._tree.root
        code = self._code_of(place)
        name = self._object(node)
        if not name:
            return self._code_of(_enclosing(node, _STATEMENT) or node)
        wanted = _word(name)
        lines = [line for line in re.split(r"[\n;]", code) if wanted.search(line)]
        declared = _enclosing(node, _DECLARED, _FUNCTIONS)
        # What a block does with the object that it is behind does not name it.
        return "\n".join([*lines, *([] if declared is None else [self._code_of(declared)])])

    def _object(self, node: Node) -> str:
        """Return the variable that keeps what a place makes, or whose method it calls."""
        holder = node if _HOLDERS.search(node.type) else _enclosing(node, _HOLDERS, _STATEMENT)
        declared = _enclosing(node, _DECLARED, _FUNCTIONS)
        if declared is not None:
            named = next((e for e in declared.named_children if e.type in _NAMED), node)
            return self._tree.text(named).partition(":")[0].strip()
        target = None if holder is None else holder.child_by_field_name("left")
        if holder is not None and target is None:
            target = holder.child_by_field_name("name")
        text = self._tree.text(target if target is not None else node)
        found = _NAME.search(text)
        return "" if found is None else found[0]

    def _code_of(self, node: Node) -> str:
        known = self._codes.get(node.id)
        if known is None:
            known = _without_comments(node)
            if self._tree.source.language in _PROPERTIES:
                known = f"{known}\n{_as_setters(known)}"
            self._codes[node.id] = known
        return known


_NAMED: Final = frozenset({"variable_declaration", "identifier"})


def _as_setters(code: str) -> str:
    """Return the assignments of some code as the calls that they are in Java."""
    return "\n".join(
        f"set{match[1][:1].upper()}{match[1][1:]}({match[2].strip()})"
        for match in _ASSIGNED.finditer(code)
    )


@cache
def _word(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w$]){re.escape(name)}(?![\w$])")


MOST_ABOVE: Final = 500
"""Nodes that are looked at around one: code that a person writes is not nested that deep, and the
way up takes longer with each."""


def _enclosing(
    node: Node, wanted: re.Pattern[str], end: re.Pattern[str] | None = None
) -> Node | None:
    """Return the nearest node around one that is of a wanted kind, not looking beyond an end."""
    above = node.parent
    for _ in range(MOST_ABOVE):
        if above is None or wanted.search(above.type):
            return above
        if end is not None and end.search(above.type):
            return None
        above = above.parent
    return None


def function_around(node: Node) -> Node | None:
    """Return the function that a place is in, None at the level of the file."""
    return _enclosing(node, _FUNCTIONS)


def _without_comments(node: Node) -> str:
    """Return a node's text, each comment of which is a blank."""
    text = node.text or b""
    start = node.start_byte
    kept: list[bytes] = []
    at = 0
    waiting = [node]
    comments: list[Node] = []
    while waiting:
        each = waiting.pop()
        if _COMMENT.search(each.type):
            comments.append(each)
        else:
            waiting.extend(each.children)
    for comment in sorted(comments, key=lambda each: each.start_byte):
        kept.append(text[at : comment.start_byte - start])
        at = comment.end_byte - start
    kept.append(text[at:])
    return b" ".join(kept).decode("utf-8", "replace")
