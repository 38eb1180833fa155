"""What a fix is, known without loading what makes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coai_agents.fixes.site import Site
    from coai_agents.source import Edit, Span


class Fixer(Protocol):
    """Proposes edits of a place, the best first; what it proposes is not verified."""

    def __call__(self, site: Site, /) -> Iterable[list[Edit]]:
        """Return the proposals, none if the fixer does not fit."""
        ...


@dataclass(frozen=True, slots=True)
class Fix:
    """A verified fix of one finding of one version of a document."""

    title: str
    rule: str
    span: Span
    """The finding's."""
    edits: tuple[Edit, ...]
    preferred: bool
