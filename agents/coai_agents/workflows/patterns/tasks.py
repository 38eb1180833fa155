"""Tasks: work with priorities, dependencies and retries, as an ordinary plan, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from coai_agents.workflows.definition.schema import Plan, Retries
from coai_agents.workflows.engine.replay import replayed
from coai_agents.workflows.engine.shapes import ready_plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coai_agents.workflows.definition.schema import Node
    from coai_agents.workflows.engine.replay import Replay
    from coai_agents.workflows.journal.records import Story

TaskState: TypeAlias = Literal[
    "blocked", "ready", "running", "asked", "done", "partial", "skipped", "failed", "revised"
]
"""Blocked: what it waits for has not ended. Asked: it waits for a person. Revised: done again."""


@dataclass(frozen=True, slots=True)
class Task:
    """Something that is to be done once."""

    node: Node
    after: tuple[str, ...] = ()
    """The tasks that have to be done before."""
    priority: int = 0
    """Which goes first where not all can be done at once, from -10 to 10."""
    attempts: int = 3
    backoff: float = 1.0
    """Seconds before the second attempt; doubled each time."""
    needed: bool = True
    """Whether the others are pointless without it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task is."""

    state: TaskState
    priority: int
    attempts: int


def tasks(name: str, wanted: Sequence[Task], *, at_once: int = 4) -> Plan:
    """Return a plan of tasks, each of which begins when those before it are done."""
    nodes: list[Node] = []
    for task in wanted:
        waits = dict.fromkeys((*task.node.depends_on, *task.after))
        changes: dict[str, object] = {
            "depends_on": tuple(waits),
            "priority": task.priority,
            "retries": Retries(attempts=task.attempts, backoff=task.backoff),
        }
        if not task.needed:
            changes["on_failure"] = "skip"
        nodes.append(task.node.model_copy(update=changes))
    return Plan(name=name, nodes=tuple(nodes), concurrency=at_once)


def progress_of(story: Story) -> Mapping[str, Progress]:
    """Return how far each task of a run is, by name; of a plan's nodes, not of what is in them."""
    shape, replay = ready_plan(story.plan).shape, replayed(story)
    return {
        name: Progress(
            _state(name, shape.waits[name], replay), node.priority, _attempts(name, replay)
        )
        for name, node in shape.nodes.items()
    }


def _state(name: str, waits: Sequence[str], replay: Replay) -> TaskState:
    if (end := replay.ends.get(name)) is not None:
        return end.state
    if name in replay.asked:
        return "asked"
    if any(
        step == name or step.startswith((f"{name}#", f"{name}[", f"{name}/", f"{name}~"))
        for step in replay.started
    ):
        return "running"
    return "ready" if all(each in replay.ends for each in waits) else "blocked"


def _attempts(name: str, replay: Replay) -> int:
    end = replay.ends.get(name)
    return max(replay.started[name], 0 if end is None else end.attempt)
