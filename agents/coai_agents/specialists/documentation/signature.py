"""What a function's documentation has to speak of, read from its syntax tree.

Grammars name the same things alike often enough that one reading serves all of them: a parameter
has its name in the field `name`, `pattern`, `left` or `declarator`, its default in `value`,
`right` or `default_value`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.documentation.exceptions import raised_in
from coai_agents.specialists.documentation.walking import own_nodes
from coai_agents.syntax.language import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.tree import SyntaxTree

_NAMES: Final = ("name", "pattern", "left", "declarator")
_DEFAULTS: Final = ("value", "right", "default_value")
_RETURNS: Final = ("return_type", "result", "returns", "type")
_INWARD: Final = ("definition", "declaration", "declarator", "value", "right", "left")

_RECEIVERS: Final = frozenset({"self_parameter", "receiver_parameter", "this"})
_TAKEN_APART: Final = frozenset({"object_pattern", "array_pattern", "tuple_pattern", "tuple"})
_IDENTIFIERS: Final = frozenset(
    {"identifier", "variable_name", "field_identifier", "simple_identifier"}
)
_NOTHING: Final = frozenset({"void", "None", "NoReturn", "never", "unit", "()", "Promise<void>"})

_RETURNING: Final = frozenset({"return_statement", "return", "return_expression"})
_YIELDING: Final = frozenset({"yield", "yield_expression", "yield_statement"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter as its caller knows it."""

    name: str
    type: str = ""
    default: str = ""
    rest: bool = False
    """Whether it takes any number of arguments."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What is known of a function without a word about it."""

    name: str
    parameters: tuple[Parameter, ...]
    returns: str | None
    """The type; nothing where it is not declared; None where no value is returned."""
    yields: bool
    raises: tuple[str, ...]
    """What the body raises itself and does not catch again, in the order of the text."""

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names."""
        return tuple(each.name for each in self.parameters)


def signature_of(tree: SyntaxTree, definition: Definition) -> Signature | None:
    """Return the facts of a function; None where its parameters cannot be found."""
    function = function_node(tree, definition)
    if function is None:
        return None
    body = function.child_by_field_name("body") or _body_around(function)
    parameters = tuple(_parameters(tree, function, method=definition.kind is Kind.METHOD))
    inside = () if body is None else tuple(own_nodes(tree, body))
    # Ruby's `yield` calls the block that a method was given.
    yields = tree.source.language != "ruby" and any(node.type in _YIELDING for node in inside)
    return Signature(
        name=definition.name,
        parameters=parameters,
        returns=_returned(tree, function, body, inside),
        yields=yields,
        raises=raised_in(tree, function, inside),
    )


def function_node(tree: SyntaxTree, definition: Definition) -> Node | None:
    """Return the node that has a definition's parameters."""
    start, end = (
        tree.source.byte_offset(at) for at in (definition.span.start, definition.span.end)
    )
    node = tree.root.descendant_for_byte_range(start, max(start, end - 1))
    waiting = [] if node is None else [node]
    for at in waiting:
        if _list_of(at) is not None:
            return at
        inner = [at.child_by_field_name(field) for field in _INWARD]
        found = [each for each in inner if each is not None]
        waiting += found or at.named_children[-1:]
    # Ruby leaves the brackets out where nothing is between them.
    return node if node is not None and node.type in {"method", "singleton_method"} else None


def _list_of(node: Node) -> Node | None:
    if node.type == "template_declaration":  # its parameters are types
        return None
    return node.child_by_field_name("parameters") or node.child_by_field_name("parameter")


def _body_around(node: Node) -> Node | None:
    """Return the body of what a C function's declarator belongs to."""
    parent = node.parent
    while parent is not None and parent.type.endswith("declarator"):
        parent = parent.parent
    return None if parent is None else parent.child_by_field_name("body")


def _parameters(tree: SyntaxTree, function: Node, *, method: bool) -> Iterator[Parameter]:
    listed = _list_of(function)
    if listed is None:
        return
    if listed.type in _IDENTIFIERS:
        yield Parameter(tree.text(listed))
        return
    first = True
    for number, child in enumerate(listed.children):
        if not child.is_named or child.type in tree.grammar.comments:
            continue
        # In C# the words of `params T[] rest` stand in the list itself.
        if listed.field_name_for_child(number) == "name":
            yield Parameter(tree.text(child), rest=True)
            continue
        if listed.field_name_for_child(number) == "type" or _is_receiver(child):
            continue
        kind, default = _text(tree, child, ("type",)), _text(tree, child, _DEFAULTS)
        for name in _names(tree, child):
            if first and method and name in {"self", "cls", "mcs", "metacls"}:
                continue
            yield Parameter(name, kind.removeprefix(":").strip(), default, rest=_is_rest(child))
        first = False


def _is_receiver(node: Node) -> bool:
    inner = node.child_by_field_name("pattern")
    return node.type in _RECEIVERS or (inner is not None and inner.type in _RECEIVERS)


def _is_rest(node: Node) -> bool:
    words = ("splat", "rest", "variadic", "spread")
    inner = node.named_children[0] if node.named_child_count else node
    return any(word in each.type for each in (node, inner) for word in words)


def _names(tree: SyntaxTree, node: Node) -> list[str]:
    if node.type in _IDENTIFIERS:
        return [tree.text(node).lstrip("$")]
    if node.type in _TAKEN_APART:
        return []
    for field in _NAMES:
        named = node.children_by_field_name(field)
        if named:
            return [name for each in named for name in _names(tree, each)]
    inner = [each for each in node.named_children if each.type != "type"]
    for each in inner:
        if found := _names(tree, each):
            return found
    return []


def _text(tree: SyntaxTree, node: Node, fields: tuple[str, ...]) -> str:
    for field in fields:
        child = node.child_by_field_name(field)
        if child is not None:
            return " ".join(tree.text(child).split())
    return ""


def _returned(
    tree: SyntaxTree, function: Node, body: Node | None, inside: Sequence[Node]
) -> str | None:
    owner = function
    while owner.type.endswith("declarator") and owner.parent is not None:
        owner = owner.parent
    declared = _text(tree, owner, _RETURNS).removeprefix(":").strip()
    if declared:
        return None if declared in _NOTHING else declared
    if owner.type in {"constructor_declaration", "destructor_name"} or body is None:
        return None
    if "arrow" in function.type and "block" not in body.type:
        return ""
    returning = (node for node in inside if node.type in _RETURNING)
    return "" if any(_says_something(node) for node in returning) else None


def _says_something(node: Node) -> bool:
    values = [each for each in node.named_children if "comment" not in each.type]
    return bool(values) and values[0].type not in {"none", "undefined"}
