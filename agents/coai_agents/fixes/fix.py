"""What a fix is, known without loading what makes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coai_agents.source import Edit, Span


@dataclass(frozen=True, slots=True)
class Fix:
    """A verified fix of one finding of one version of a document."""

    title: str
    rule: str
    span: Span
    """The finding's."""
    edits: tuple[Edit, ...]
    preferred: bool
