"""How many edits have to agree before a change is offered, by what was changed.

Measured by `benchmarks.changes` on the packages that are for development: what is shown unasked is
right nine times out of ten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.changes.patterns import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_agents.changes.patterns import Pattern

NEVER: Final = 1_000
"""More edits than there are."""

USUAL: Final = (2, 2)

UNASKED: Final[Mapping[Kind, tuple[int, int]]] = {
    Kind.CALLEE_RENAMED: (1, 2),
    Kind.TYPE_CHANGED: (1, 3),
    Kind.PARAMETER_ADDED: (1, 2),
    Kind.DEFINITION_RENAMED: (2, 3),
    Kind.ATTRIBUTE_RENAMED: (3, NEVER),
    Kind.NAME_CHANGED: (3, NEVER),
    Kind.ARGUMENT_ADDED: (3, 3),
    Kind.EXPRESSION_CHANGED: (3, 3),
    Kind.WRAPPED: (3, NEVER),
    Kind.UNWRAPPED: (3, NEVER),
}
"""Edits that it takes in the document itself, and for other documents."""


def is_shown_unasked(pattern: Pattern, *, here: bool) -> bool:
    """Say whether a change is shown where the cursor comes to a line that needs it."""
    own, others = UNASKED.get(pattern.kind, USUAL)
    least = own if here else others
    return pattern.evidence >= (max(least, 2) if pattern.common else least)
