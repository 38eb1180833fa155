"""A documentation comment as a value: what it says, apart from how it is written down."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Described:
    """A parameter or an exception, and what is said of it."""

    name: str
    text: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class DocComment:
    """What a documentation comment says of a function."""

    summary: str = ""
    description: str = ""
    """Everything that is neither the summary nor about one of the others, as it stands."""
    parameters: tuple[Described, ...] = ()
    returns: Described | None = None
    yields: Described | None = None
    raises: tuple[Described, ...] = ()
    speaks_of: frozenset[str] = field(default=frozenset())
    """The sections that it has, also empty ones: `parameters`, `returns`, `yields`, `raises`."""
