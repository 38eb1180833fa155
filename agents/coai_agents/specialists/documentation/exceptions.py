"""Which exceptions a function raises itself and does not catch again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from coai_agents.syntax.tree import SyntaxTree

_THROWING: Final = frozenset(
    {"raise_statement", "throw_statement", "throw_expression", "throw_expression_statement"}
)
_TRYING: Final = frozenset({"try_statement", "try_with_resources_statement", "begin", "try"})
_CATCHING: Final = frozenset({"except_clause", "except_group_clause", "catch_clause", "rescue"})
_EVERYTHING: Final = frozenset(
    {"BaseException", "Exception", "Throwable", "Error", "StandardError", "..."}
)
_NAME: Final = re.compile(
    r"\\?(?:[A-Za-z_]\w*(?:\.|::|\\))*(?P<last>[A-Z]\w*|runtime_error|"
    r"invalid_argument|out_of_range|logic_error|domain_error|length_error)"
)


def raised_in(tree: SyntaxTree, function: Node, inside: Sequence[Node]) -> tuple[str, ...]:
    """Return the names of exceptions, without what they are members of, each once.

    `inside` are the nodes of the function's body, see `own_nodes`.
    """
    found: dict[str, None] = {}
    for clause in function.named_children:
        if clause.type == "throws":
            found |= dict.fromkeys(_last(tree.text(each)) for each in clause.named_children)
    for node in inside:
        name = _thrown(tree, node)
        if name and not _is_caught(tree, node, name, function):
            found[name] = None
    return tuple(name for name in found if name)


def _thrown(tree: SyntaxTree, node: Node) -> str:
    """Return the exception that a node throws; nothing where it throws none, or one it caught."""
    if node.type in _THROWING:
        value = next(iter(node.named_children), None)
        return "" if value is None else _exception(tree, value)
    if node.type == "call" and tree.source.language == "ruby":
        method = node.child_by_field_name("method")
        arguments = node.child_by_field_name("arguments")
        if method is None or tree.text(method) not in {"raise", "fail"} or arguments is None:
            return ""
        first = next(iter(arguments.named_children), None)
        return "" if first is None else _exception(tree, first)
    return ""


def _exception(tree: SyntaxTree, value: Node) -> str:
    for field in ("constructor", "type", "function", "receiver"):
        inner = value.child_by_field_name(field)
        if inner is not None:
            return _last(tree.text(inner))
    if value.type == "object_creation_expression" and value.named_child_count:
        return _last(tree.text(value.named_children[0]))
    if value.type in {"identifier", "attribute", "constant", "scope_resolution", "type_identifier"}:
        return _last(tree.text(value))
    return ""


def _last(text: str) -> str:
    """Return the last part of a qualified name that an exception can have, or nothing."""
    match = _NAME.fullmatch(re.split(r"[(<]", text.strip(), maxsplit=1)[0])
    return match["last"] if match else ""


def _is_caught(tree: SyntaxTree, node: Node, name: str, function: Node) -> bool:
    """Say whether a handler around a node, within its function, catches what it throws."""
    at, around = node, node.parent
    while around is not None and at.id != function.id:
        if around.type in _TRYING and at.type not in _CATCHING | {"finally_clause", "ensure"}:
            handlers = [each for each in around.named_children if each.type in _CATCHING]
            if any(_catches(tree, handler, name) for handler in handlers):
                return True
        at, around = around, around.parent
    return False


def _catches(tree: SyntaxTree, handler: Node, name: str) -> bool:
    head = re.split(r"[{\n]|:\s*(?:\n|$)", tree.text(handler), maxsplit=1)[0]
    words = set(re.findall(r"\w+|\.\.\.", head)) - {"except", "catch", "rescue", "as", "e"}
    typed = {word for word in words if word[:1].isupper() or word == "..."}
    return not typed or name in typed or bool(typed & _EVERYTHING)
