"""What the engine asks of whoever does a step, and what it gets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from coai_agents.workflows.errors import WorkflowError
from coai_agents.workflows.journal.records import NOTHING, StepFacts, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_agents.workflows.definition.schema import Node
    from coai_agents.workflows.definition.types import Json


class StepFailedError(WorkflowError):
    """A step could not be done; `again` says whether another attempt may go better."""

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        again: bool = True,
        usage: Usage | None = None,
        unasked: bool = False,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.again = again
        self.unasked = unasked
        """Whether it failed because no model could be asked."""
        self.usage = usage or NOTHING
        self.step = ""
        """The step that failed, once the engine knows it."""

    def facts(self) -> StepFacts:
        """Return what is kept of a step that failed with this."""
        return StepFacts(error=str(self), unasked=self.unasked)


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt at a step."""

    run: str
    step: str
    attempt: int
    node: Node
    given: Mapping[str, Json]
    profile: str | None = None
    """The model profile of this attempt."""
    sensitive: bool = False
    most_usd: float | None = None
    """What the budgets leave for it."""
    paths: frozenset[str] = frozenset()
    """Files of the workspace that steps of this run have looked at: what is given may show any."""
    facts: Mapping[str, Json] = field(default_factory=dict[str, Any])
    """The run's: its workspace and what the user wished."""

    interrupted: int = 0
    """Attempts right before this one during which the process ended: nobody heard what became of
    them."""

    @property
    def key(self) -> str:
        """What tells this attempt from every other (idempotency key), for those with effects."""
        return f"{self.run}/{self.step}/{self.attempt}"


@dataclass(frozen=True, slots=True)
class Done:
    """What a step gave."""

    output: Json
    usage: Usage = NOTHING
    model: str = ""
    local: bool = True
    notes: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    """Files of the workspace of which `output` shows something."""


class Workers(Protocol):
    """Does steps; it holds no state of a run."""

    async def do(self, task: Task) -> Done:
        """Do one; raises `StepFailedError`. It may be cancelled at any time."""
        ...

    def has_effects(self, node: Node) -> bool:
        """Say whether doing a node changes something outside of the run."""
        ...
