"""A run while it is carried out: its right to write, what it has done, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from coai_agents.workflows.engine.replay import MOST_INTERRUPTED
from coai_agents.workflows.journal.records import Event, StepEnd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.purse import Purse
    from coai_agents.workflows.engine.replay import Replay
    from coai_agents.workflows.engine.shapes import Ready
    from coai_agents.workflows.engine.turns import Turns
    from coai_agents.workflows.engine.work import Workers
    from coai_agents.workflows.journal.interface import RunJournal
    from coai_agents.workflows.journal.records import Lease

Tell: TypeAlias = Callable[["Event | StepEnd"], None]
"""Told of everything that happens in a run, when it is on its way to the disk."""


@dataclass
class Running:
    """What every part of a run shares."""

    journal: RunJournal
    lease: Lease
    ready: Ready
    workers: Workers
    replay: Replay
    purse: Purse
    turns: Turns
    """Steps at a time in this run."""
    everyone: Turns
    """Steps at a time in all runs of the process."""
    tell: Tell
    facts: Mapping[str, Json] = field(default_factory=dict[str, Any])
    given_up: list[str] = field(default_factory=list[str])
    """Steps that were being done when they were cancelled."""
    paths: set[str] = field(default_factory=set[str])
    """Files of the workspace that were looked at: each one's own rules count from then on."""
    most_interrupted: int = MOST_INTERRUPTED
    """Times that a process may end during a step before the step is given up."""
    unasked: str = ""
    """Why the first step that wanted a model and had none failed."""
    answered: bool = False
    """Whether any model has answered."""
    _seq: int = 0

    def __post_init__(self) -> None:
        """Go on where the journal ends."""
        self._seq = self.replay.last
        self.paths |= {path for end in self.replay.ends.values() for path in end.facts.paths}
        self.paths |= set(self.facts.get("paths", ()))
        facts = [end.facts for end in self.replay.ends.values()]
        self.unasked = next((each.error for each in facts if each.unasked), "")
        self.answered = any(each.model for each in facts)

    def next_seq(self) -> int:
        """Return the number of the next event."""
        self._seq += 1
        return self._seq

    def soon(self, kind: Any, step: str = "", body: Json = None) -> None:  # noqa: ANN401 - a literal
        """Note what happened; it is on the disk before whatever is noted next."""
        event = Event(self.next_seq(), kind, step, body)
        self.journal.append_soon(self.lease, (event,))
        self.tell(event)

    async def now(self, kind: Any, step: str = "", body: Json = None) -> None:  # noqa: ANN401 - as above
        """Note what happened, and wait until it is on the disk."""
        event = Event(self.next_seq(), kind, step, body)
        await self.journal.append(self.lease, (event,))
        self.tell(event)

    async def ended(self, end: StepEnd) -> None:
        """Note what a step ended in, and wait until it is on the disk: then it counts."""
        event, end = self._end(end)
        await self.journal.append(self.lease, (event,), (end,))
        self.tell(end)

    def ended_soon(self, end: StepEnd) -> None:
        """Note what a step ended in that anybody would find again: nothing was asked for it."""
        event, end = self._end(end)
        self.journal.append_soon(self.lease, (event,), (end,))
        self.tell(end)

    def _end(self, end: StepEnd) -> tuple[Event, StepEnd]:
        seq = self.next_seq()
        numbered = StepEnd(end.step, end.state, end.output, end.attempt, end.facts, seq)
        return Event(seq, "ended", end.step), numbered
