"""What a structured file is read into: units, each with its values by path."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from coai_agents.source import Span

DEEPEST: Final = 60
"""Levels of a document that are read."""

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A value, the path that leads to it, and where it is."""

    path: Path
    text: str
    span: Span


@dataclass(slots=True)
class Unit:
    """What a rule speaks of: its type, where a finding about what is missing goes, its values."""

    type: str
    span: Span
    entries: list[Entry] = field(default_factory=list["Entry"])
    any_case: bool = False
    """Whether large letters and small ones are the same in its type and paths: programs name in
    camel case what templates write as the vendor does."""
    decided: bool = False
    """Whether somebody may have settled what is not named, so that its lack says nothing."""


class UnreadableError(Exception):
    """The file is not what its name says; the message is for a note."""
