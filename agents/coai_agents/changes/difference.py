"""The smallest place in which two trees differ.

A syntactic difference in the sense of GumTree's (Falleri et al., 2014), as far as one edit needs
it: what is equal before and behind is left out at every level, as long as one node is left on each
side and both are of one kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.changes.code import Code, parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

LONGEST: Final = 300
"""Characters of what was replaced or written: more is no change that others need just so."""


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """Children of one node that became others."""

    before: Code
    after: Code
    parent: Node
    """The node before, whose children from `start` to `end` (without comments) were replaced."""
    start: int
    end: int
    new_parent: Node
    new_end: int
    """The new children are those from `start` to here."""

    @property
    def old(self) -> Sequence[Node]:
        """What was replaced; nothing where something was put in."""
        return parts(self.parent)[self.start : self.end]

    @property
    def new(self) -> Sequence[Node]:
        """What stands there now; nothing where something was taken out."""
        return parts(self.new_parent)[self.start : self.new_end]


def difference(before: Code, after: Code) -> Difference | None:
    """Return where two trees differ; None if nowhere, or in too much.

    Also None where either does not parse there: a half-written line says nothing yet.
    """
    one, other = before.tree.root, after.tree.root
    while True:
        old, new = parts(one), parts(other)
        start = _alike(before, after, old, new)
        behind = _alike(before, after, old[start:][::-1], new[start:][::-1])
        end, new_end = len(old) - behind, len(new) - behind
        if (start, start) == (end, new_end):
            return None
        if not _goes_deeper(before, old[start:end], new[start:new_end]):
            break
        one, other = old[start], new[start]
    found = Difference(before, after, one, start, end, other, new_end)
    return found if _is_clear(found) else None


def _alike(before: Code, after: Code, old: Sequence[Node], new: Sequence[Node]) -> int:
    count = 0
    for one, other in zip(old, new, strict=False):
        if not before.same(one, other, after):
            break
        count += 1
    return count


def _goes_deeper(code: Code, old: Sequence[Node], new: Sequence[Node]) -> bool:
    """Say whether one node became another of its kind, so that the difference is within it.

    A string is one thing, unless there is code in it.
    """
    if len(old) != 1 or len(new) != 1 or old[0].type != new[0].type:
        return False
    if not old[0].children or not new[0].children:
        return False
    if not code.is_string(old[0]):
        return True
    inside = code.tree.grammar.interpolations
    return any(child.type in inside for child in old[0].children)


def _is_clear(found: Difference) -> bool:
    if found.parent.has_error or found.new_parent.has_error:
        return False
    sizes = [
        sum(node.end_byte - node.start_byte for node in side) for side in (found.old, found.new)
    ]
    return max(sizes) <= LONGEST
