"""A tree in which the brackets that are open at the cursor are closed.

While a function is being typed, its closing bracket is often not there yet. The parser then sees
no function at all, only an error up to the end of the file. With the missing brackets put in at
the cursor it sees what the author means.
"""

from __future__ import annotations

from dataclasses import dataclass

from coai_agents.source import Edit, Span
from coai_agents.syntax.brackets import missing_closers, open_brackets
from coai_agents.syntax.tree import SyntaxTree, parse


@dataclass(frozen=True, slots=True)
class Repaired:
    """A tree with something inserted at an offset, or with nothing."""

    tree: SyntaxTree
    offset: int
    inserted: int
    """How many code points the repaired text has more than the original one."""

    def original(self, span: Span) -> Span:
        """Return a span of the repaired text as one of the original text."""
        return Span(self._before(span.start), self._before(span.end))

    def _before(self, offset: int) -> int:
        return offset if offset <= self.offset else max(self.offset, offset - self.inserted)


def repaired(tree: SyntaxTree, offset: int) -> Repaired:
    """Close what is open at an offset and never closed; the tree as it is if that is nothing."""
    missing = missing_closers(tree, open_brackets(tree, offset)) if tree.has_error else ""
    if missing:
        closed = parse(tree.source.apply(Edit(Span(offset, offset), missing)), tree)
        if closed is not None:
            return Repaired(closed, offset, len(missing))
    return Repaired(tree, offset, 0)
