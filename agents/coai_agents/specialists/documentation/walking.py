"""The nodes of a function without those of the functions in it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from coai_agents.syntax.language import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from coai_agents.syntax.grammars import Grammar
    from coai_agents.syntax.tree import SyntaxTree


@cache
def _inner(grammar: Grammar) -> frozenset[str]:
    """Return the types of nodes that are functions or classes."""
    kinds = (Kind.FUNCTION, Kind.CLASS)
    return frozenset(name for name, rule in grammar.definitions.items() if rule.kind in kinds)


def own_nodes(tree: SyntaxTree, root: Node) -> Iterator[Node]:
    """Yield a body's nodes in the order of the text; other functions and classes are left out."""
    inner = _inner(tree.grammar)
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(each for each in reversed(node.children) if each.type not in inner)
