"""What a run has done so far, folded from its journal: pure, the same for whoever reads it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from coai_agents.workflows.journal.records import StepEnd, Usage

if TYPE_CHECKING:
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.journal.records import Story

MOST_INTERRUPTED: Final = 5
"""Times that a process may end during a step before the step is taken for what ends it."""


@dataclass(frozen=True)
class Replay:
    """What counts of what happened."""

    ends: dict[str, StepEnd] = field(default_factory=dict[str, StepEnd])
    started: Counter[str] = field(default_factory=Counter[str])
    """Attempts that were begun."""
    failures: Counter[str] = field(default_factory=Counter[str])
    """Attempts that failed."""
    released: Counter[str] = field(default_factory=Counter[str])
    """Attempts that were given up because the run was paused or cancelled."""
    asked: dict[str, str] = field(default_factory=dict[str, str])
    """When people were asked."""
    answers: dict[str, Json] = field(default_factory=dict[str, Any])
    spent: dict[str, Usage] = field(default_factory=dict[str, Usage])
    """By step, failed attempts included."""
    last: int = 0
    """The number of the last event."""

    def interrupted(self, step: str) -> int:
        """Return how often the process ended during a step."""
        return self.started[step] - self.failures[step] - self.released[step]

    @property
    def usage(self) -> Usage:
        """All that the run used up."""
        return sum(self.spent.values(), Usage())


def replayed(story: Story) -> Replay:
    """Return what a run has done."""
    replay = Replay(last=max((event.seq for event in story.events), default=0))
    by_seq = {end.seq: end for end in story.steps}
    for event in story.events:
        step = event.step
        match event.kind:
            case "started":
                replay.started[step] += 1
            case "tried":
                replay.failures[step] += 1
                _spend(replay, step, Usage(*event.body.get("use", ())))
            case "ended":
                end = by_seq[event.seq]
                replay.ends[step] = end
                # What is over was not interrupted.
                replay.failures[step] = replay.started[step] - replay.released[step]
                _spend(replay, step, end.facts.usage)
            case "asked":
                replay.asked[step] = event.at
            case "answered":
                replay.answers[step] = event.body
            case "paused" | "cancelled" | "finished":
                given_up: list[str] = event.body.get("steps", []) if event.body else []
                replay.released.update(given_up)
            case "reset":
                for each in event.body["steps"]:
                    _forget(replay, each)
            case _:
                pass
    return replay


def node_of(step: str) -> str:
    """Return the plan's node that a step belongs to."""
    return re.split(r"[~#\[/]", step, maxsplit=1)[0]


def _spend(replay: Replay, step: str, usage: Usage) -> None:
    replay.spent[step] = replay.spent.get(step, Usage()) + usage


def _forget(replay: Replay, step: str) -> None:
    """Let a step be done anew; what it cost was paid all the same."""
    for known in (replay.ends, replay.answers, replay.asked):
        known.pop(step, None)
    # Attempts go on being counted, so that each has a key of its own (`Task.key`).
    replay.failures.pop(step, None)
    replay.released[step] = replay.started[step]
