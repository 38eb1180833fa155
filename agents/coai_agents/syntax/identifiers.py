"""The names used around a place."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coai_agents.syntax.tree import SyntaxTree


def identifiers_near(tree: SyntaxTree, offset: int, radius: int) -> tuple[str, ...]:
    """Return the names within so many code points of an offset, each once.

    The nearest come first, and of those equally near the first in the text.
    """
    from tree_sitter import QueryCursor  # noqa: PLC0415 - native code, loaded on first use

    source = tree.source
    low, high = max(0, offset - radius), min(len(source.text), offset + radius)
    cursor = QueryCursor(tree.grammar.identifier_query)
    cursor.set_byte_range(source.byte_offset(low), source.byte_offset(high))
    distances: dict[str, tuple[int, int]] = {}
    for node in cursor.captures(tree.root).get("identifier", []):
        start, end = tree.start(node), tree.end(node)
        if start < low or end > high:
            continue
        name = source.text[start:end]
        distance = max(start - offset, offset - end, 0), start
        distances[name] = min(distance, distances.get(name, distance))
    return tuple(sorted(distances, key=lambda name: distances[name]))
