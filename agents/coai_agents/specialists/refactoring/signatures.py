"""A function's signature with types, taken from a model's answer: types are all that may differ."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.source import Edit, Source, Span
from coai_agents.specialists.untrusted import from_model
from coai_agents.syntax.definitions import FUNCTIONS, outline
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.tree import SyntaxTree

_FENCED: Final = re.compile(r"```[^\n]*\n(.*?)(?:```|\Z)", re.DOTALL)
_TYPES: Final = frozenset({"type", "type_annotation", "return_type"})


def typed_signature(tree: SyntaxTree, function: Definition, answer: str) -> Edit | None:
    """Return the edit that adds an answer's types to a signature; None if it changes more."""
    text = from_model(answer)
    for block in _FENCED.findall(text) or [text]:
        new_tree = parse(Source("untitled:answer", block, tree.source.language))
        for new in () if new_tree is None else outline(new_tree):
            if new.kind not in FUNCTIONS or new.name != function.name or new_tree is None:
                continue
            old_parts = _parts(tree, function.span)
            new_parts = _parts(new_tree, new.span)
            if old_parts is None or new_parts is None or old_parts[1] != new_parts[1]:
                return None
            if old_parts[0] == new_parts[0]:
                return None
            return Edit(old_parts[2], new_parts[0])
    return None


def _parts(tree: SyntaxTree, span: Span) -> tuple[str, list[str], Span] | None:
    """Return a signature behind its name, its tokens without types, and its place."""
    start = tree.source.byte_offset(span.start)
    end = tree.source.byte_offset(span.end)
    node = tree.root.named_descendant_for_byte_range(start, end)
    while node is not None and node.child_by_field_name("parameters") is None:
        inner = node.child_by_field_name("definition") or node.child_by_field_name("declaration")
        node = inner
    parameters = None if node is None else node.child_by_field_name("parameters")
    if node is None or parameters is None:
        return None
    result = node.child_by_field_name("return_type")
    last = parameters if result is None else result
    where = Span(tree.start(parameters), tree.end(last))
    return tree.source.slice(where), list(_untyped(tree, parameters)), where


def _untyped(tree: SyntaxTree, node: Node) -> list[str]:
    if node.type in _TYPES:
        return []
    if not node.child_count:
        text = tree.text(node)
        return [] if text == ":" else [text]
    return [text for child in node.children for text in _untyped(tree, child)]
