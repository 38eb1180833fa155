"""The trees of open documents."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from math import inf
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Final

from coai_agents.syntax.tree import BUDGET, SyntaxTree, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_agents.source import Source

CAPACITY: Final = 64
"""So many documents' trees are kept; a tree takes some ten times its text's size."""

_REST: Final = 20.0
"""After giving up, so many times the time spent passes before the next attempt."""


@dataclass(slots=True)
class _Entry:
    tree: SyntaxTree | None = None
    retry_at: float = -inf


class SyntaxStore:
    """The last tree of each document, so that the next one costs only what changed.

    Its owner calls it from one thread. A document that took too long to parse is left alone for
    twenty times that long, so that hopeless ones cost at most a twentieth of the time.
    """

    def __init__(
        self,
        *,
        capacity: int = CAPACITY,
        budget: float = BUDGET,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._capacity = capacity
        self._budget = budget
        self._clock = clock

    def tree(self, source: Source, *, budget: float | None = None) -> SyntaxTree | None:
        """Return the tree of a snapshot, or None where `parse` returns none.

        `budget` is in seconds, by default the store's. Where time does not press, as when a
        document is opened, a longer one lets larger documents have syntax: once there is a tree,
        keeping it up to date is cheap.
        """
        entry = self._entries.setdefault(source.uri, _Entry())
        self._entries.move_to_end(source.uri)
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)
        if entry.tree is not None and _same(entry.tree.source, source):
            return entry.tree
        if budget is None and self._clock() < entry.retry_at:
            return None
        started = perf_counter()
        tree = parse(source, entry.tree, budget=self._budget if budget is None else budget)
        if tree is None:
            entry.retry_at = self._clock() + _REST * (perf_counter() - started)
        else:
            entry.tree = tree
        return tree

    def forget(self, uri: str) -> None:
        """Drop a document's tree, when it is closed."""
        self._entries.pop(uri, None)


def _same(one: Source, other: Source) -> bool:
    return one is other or (
        one.version == other.version and one.language == other.language and one.text == other.text
    )
