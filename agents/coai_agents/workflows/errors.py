"""What can go wrong with workflows, as part of the one tree of errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import Sequence


class WorkflowError(CoaiError):
    """Something about a workflow or a run is not as it has to be."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What does not hold in a plan, and where: `line` counts from 1, 0 where there is no file."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        """Return it as compilers do: file, line, message."""
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.message}" if where else self.message


class PlanError(WorkflowError):
    """A plan does not load; it has all the problems that were found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(
            "\n".join(map(str, problems)),
            remedy="Correct the plan; `coai ensembles check` reads it.",
        )
        self.problems = tuple(problems)


class RunNotFoundError(WorkflowError):
    """There is no run of that name, or more than one begins with it."""


class RunTakenError(WorkflowError):
    """Another process has taken the run over; what this one still wants to write is refused."""


class JournalError(WorkflowError):
    """The journal cannot be read or written."""
