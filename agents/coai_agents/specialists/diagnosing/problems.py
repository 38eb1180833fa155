"""What a program or a tool complained about, in one form for all languages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Frame:
    """A place that a trace or a diagnostic names; lines and columns from 1, 0 if unknown."""

    path: str
    """As it was written: absolute, relative to some folder, or a bare name."""
    line: int
    column: int = 0
    function: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """An exception with its trace, or one diagnostic."""

    language: str
    """LSP's identifier; empty where the text could be of several."""
    kind: str
    """The exception's type or the tool's code, as `NameError`, `TS2304`, `E0382`; may be empty."""
    message: str
    frames: tuple[Frame, ...] = ()
    """Innermost first."""
    cause: Problem | None = None
    """What it was raised because of."""
    is_warning: bool = False
    at: int = 0
    """The line of the text in which it was found, from 0."""

    @property
    def title(self) -> str:
        """One line: what and why."""
        first = self.message.split("\n", 1)[0]
        return f"{self.kind}: {first}" if self.kind and first else self.kind or first

    @property
    def chain(self) -> tuple[Problem, ...]:
        """The problem and what is behind it, the root cause last."""
        found: list[Problem] = [self]
        while (behind := found[-1].cause) is not None:
            found.append(behind)
        return tuple(found)

    @property
    def root(self) -> Problem:
        """The last of the causes."""
        return self.chain[-1]


def chained(problems: Sequence[Problem]) -> Problem:
    """Return problems as one, each the cause of the one before; there must be one."""
    whole = problems[-1]
    for each in reversed(problems[:-1]):
        whole = replace(each, cause=whole)
    return whole
