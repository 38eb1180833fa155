"""The nodes of a function without those of the functions in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.syntax.language import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from coai_agents.syntax.tree import SyntaxTree


def own_nodes(tree: SyntaxTree, root: Node) -> Iterator[Node]:
    """Yield a body's nodes in the order of the text; other functions and classes are left out."""
    known = tree.grammar.definitions
    inner = {kind for kind, rule in known.items() if rule.kind in (Kind.FUNCTION, Kind.CLASS)}
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(each for each in reversed(node.children) if each.type not in inner)
