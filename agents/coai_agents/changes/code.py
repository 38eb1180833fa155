"""What the patterns of changes ask of a syntax tree, in every language alike.

Grammars agree on more than their nodes' names: a call has a field `arguments`, a definition has
`parameters`, what a value is given to is a `name`, a `key` or a `left`. So nothing here names a
language.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from coai_agents.source import Span
from coai_agents.syntax.tree import ancestors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from coai_agents.syntax.tree import SyntaxTree

DOTS: Final = frozenset({".", "?.", "->", "::", "&."})
"""What stands before the name of a member."""

ITSELF: Final = frozenset({"self", "this", "cls", "super", "$this", "@"})

NAMED_BY: Final = ("name", "key", "left", "pattern")
"""The fields of what a value is given to."""


@dataclass(frozen=True, slots=True, eq=False)
class Code:
    """A tree with the bytes that its nodes count in."""

    tree: SyntaxTree
    bytes: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bytes", self.tree.source.text.encode())

    def text(self, node: Node) -> str:
        """Return a node's text, with a line end where the grammar counts one into it."""
        return self.bytes[node.start_byte : node.end_byte].decode()

    def span(self, start: int, end: int) -> Span:
        """Return bytes as a span of the snapshot."""
        source = self.tree.source
        return Span(source.offset_of_byte(start), source.offset_of_byte(end))

    def same(self, one: Node, other: Node, of: Code) -> bool:
        """Say whether a node of this code and one of another are written alike."""
        return (
            one.type == other.type
            and self.bytes[one.start_byte : one.end_byte]
            == of.bytes[other.start_byte : other.end_byte]
        )

    def is_name(self, node: Node) -> bool:
        """Say whether a node is a name: a variable's, a member's, a type's."""
        return not node.children and node.type in self.tree.grammar.spec.nodes.identifiers

    def is_string(self, node: Node) -> bool:
        """Say whether a node is a whole string."""
        return node.type in self.tree.grammar.strings

    def names(self, node: Node) -> Iterator[Node]:
        """Yield the names within a node that are no members and no argument's name."""
        for leaf in leaves(node):
            if self.is_name(leaf) and not is_member(leaf) and not is_label(leaf):
                yield leaf


def parts(node: Node) -> list[Node]:
    """Return a node's children without comments."""
    return [child for child in node.children if not child.is_extra]


def leaves(node: Node) -> Iterator[Node]:
    """Yield the nodes without children within a node, in the order of the text."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if each.children:
            waiting.extend(reversed(each.children))
        else:
            yield each


def is_member(node: Node) -> bool:
    """Say whether a name is that of a member: it stands behind a dot."""
    before = node.prev_sibling
    return before is not None and before.type in DOTS


def is_label(node: Node) -> bool:
    """Say whether a name is that of an argument or of an entry, no variable's."""
    above = node.parent
    if above is None:
        return False
    if above.child_by_field_name("key") == node:
        return True
    around = above.parent
    return (
        above.child_by_field_name("name") == node
        and above.child_by_field_name("value") is not None
        and around is not None
        and call_of(around) is not None
    )


def call_of(node: Node) -> Node | None:
    """Return the call whose arguments a node is, or None."""
    above = node.parent
    if above is not None and above.child_by_field_name("arguments") == node:
        return above
    return None


def callee_of(call: Node) -> Node | None:
    """Return what a call names: a function, a method, a class; None for what is no call."""
    arguments = call.child_by_field_name("arguments")
    before = arguments.prev_named_sibling if arguments is not None else None
    return before if before is not None and before.parent == call else None


def last_name(node: Node, code: Code) -> Node | None:
    """Return the last name of `a.b.c`: what a callee is called."""
    while node.children:
        inner = [child for child in node.children if child.is_named]
        if not inner:
            return None
        node = inner[-1]
    return node if code.is_name(node) else None


def statement_of(node: Node, code: Code) -> Node:
    """Return the statement, declaration or member that a node is in."""
    containers = code.tree.grammar.containers
    for each in ancestors(node):
        if each.parent is None or each.parent.type in containers:
            return each
    return node


def import_around(node: Node) -> Node | None:
    """Return the import that a node is in, if it is in one."""
    for each in ancestors(node):
        if "import" in each.type or each.type.startswith("use_") or each.type == "using_directive":
            return each
    return None


def function_around(node: Node, code: Code) -> Node | None:
    """Return the innermost definition with parameters around a node."""
    for each in ancestors(node):
        if each.child_by_field_name("parameters") is not None and (
            each.type in code.tree.grammar.definitions
        ):
            return each
    return None


def is_value(node: Node) -> bool:
    """Say whether a node stands where any expression could: it may differ from place to place."""
    return node.is_named and not is_member(node) and not is_label(node)
