"""How many edits have to agree before a change is shown unasked, by what was changed.

Measured by `benchmarks.changes` on the packages that are for development.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.changes.patterns import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_agents.changes.patterns import Pattern

NEVER: Final = 1_000
"""More edits than there are."""

USUAL: Final = (2, 3)

UNASKED: Final[Mapping[Kind, tuple[int, int]]] = {
    Kind.KEYWORD_RENAMED: (1, 3),
    Kind.PARAMETER_ADDED: (1, 3),
    Kind.EXPRESSION_CHANGED: (3, 3),
    Kind.ATTRIBUTE_RENAMED: (NEVER, NEVER),
    Kind.NAME_CHANGED: (NEVER, NEVER),
    Kind.ARGUMENT_ADDED: (3, NEVER),
    Kind.TYPE_CHANGED: (NEVER, NEVER),
    Kind.WRAPPED: (NEVER, NEVER),
    Kind.UNWRAPPED: (3, NEVER),
}
"""Edits that it takes for a document in which one of them was, and for others."""

COMMON: Final = 4
"""Edits that it takes where a built-in function or type was replaced; others have reasons of their
own for using it."""

FILES: Final = 2
"""Files in which a change was made before it is shown in one more."""


def is_shown_unasked(pattern: Pattern, uri: str) -> bool:
    """Say whether a change is shown where the cursor comes to a line of a document that needs it.

    In a document without any of the edits only beside one that has some: what is done to a program
    is often not done to its tests and their data.
    """
    own, others = UNASKED.get(pattern.kind, USUAL)
    files = {site for site, _ in pattern.sites}
    if uri in files:
        return pattern.evidence >= (max(own, COMMON) if pattern.common else own)
    beside = any(_folder(site) == _folder(uri) for site in files)
    enough = len(files) >= FILES and pattern.evidence >= others
    return beside and enough and not pattern.common


def _folder(uri: str) -> str:
    return uri.rpartition("/")[0]
