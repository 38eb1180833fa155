"""How many edits have to agree before a change is offered, by what was changed.

Measured by `benchmarks.changes` on the packages that are for development.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.changes.patterns import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_agents.changes.patterns import Pattern

NEVER: Final = 99

UNASKED: Final[Mapping[Kind, tuple[int, int]]] = {
    Kind.CALLEE_RENAMED: (2, 2),
    Kind.KEYWORD_RENAMED: (2, 2),
}
"""Edits for the document itself and for others; two for what is not listed."""


def is_shown_unasked(pattern: Pattern, *, here: bool) -> bool:
    """Say whether a change is shown where the cursor comes to a line that needs it."""
    own, others = UNASKED.get(pattern.kind, (2, 2))
    return pattern.evidence >= (own if here else others)


def is_worth_a_menu(pattern: Pattern) -> bool:
    """Say whether a change is offered to who opens the menu of actions."""
    return pattern.evidence >= 1
