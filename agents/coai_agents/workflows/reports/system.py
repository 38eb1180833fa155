"""What goes on in all runs together: agents, what they do, tasks, and how fast it goes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from coai_agents.workflows.definition.checking import every_node
from coai_agents.workflows.definition.schema import AgentNode, DispatchNode
from coai_agents.workflows.engine.replay import node_of, replayed
from coai_agents.workflows.engine.shapes import ready_plan
from coai_agents.workflows.journal.records import Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.workflows.definition.schema import Node
    from coai_agents.workflows.journal.records import StepEnd, Story

SECONDS: Final = 3600.0
"""The time that throughput is counted over, up to now."""


@dataclass
class Agent:
    """Somebody who does steps: a role, a specialist, or the tool that it is."""

    name: str
    busy: int = 0
    """Steps that are being done now."""
    done: int = 0
    failed: int = 0
    ms: float = 0.0
    usage: Usage = field(default_factory=Usage)

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {
            "name": self.name,
            "state": "busy" if self.busy else "idle",
            "busy": self.busy,
            "done": self.done,
            "failed": self.failed,
            "mean_ms": round(self.ms / self.done, 1) if self.done else None,
            "tokens": self.usage.tokens,
            "usd": round(self.usage.usd, 6),
        }


@dataclass
class System:
    """What is known of runs."""

    runs: Counter[str] = field(default_factory=Counter[str])
    """By state."""
    tasks: Counter[str] = field(default_factory=Counter[str])
    """Steps by state: running, waiting (for a person), done, partial, skipped, failed, revised."""
    agents: dict[str, Agent] = field(default_factory=dict[str, Agent])
    under_way: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    recent: int = 0
    """Steps that ended in the last hour."""

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {
            "agents": [self.agents[name].as_json() for name in sorted(self.agents)],
            "runs": dict(self.runs),
            "under_way": self.under_way,
            "tasks": dict(self.tasks),
            "throughput": {
                "seconds": SECONDS,
                "steps": self.recent,
                "steps_per_minute": round(self.recent / (SECONDS / 60.0), 2),
            },
        }


def system_of(stories: Sequence[Story], *, now: datetime | None = None) -> System:
    """Return what goes on in these runs."""
    system, at = System(), now or datetime.now(UTC)
    for story in stories:
        _add(system, story, at)
    return system


def _add(system: System, story: Story, now: datetime) -> None:
    plan = ready_plan(story.plan).plan
    nodes = {node.name: node for each in (plan, *plan.ensembles.values())
             for node in every_node(each.nodes)}  # fmt: skip
    replay = replayed(story)
    system.runs[story.row.state] += 1
    at = {event.seq: event.at for event in story.events}
    for end in story.steps:
        system.tasks[end.state] += 1
        system.recent += _is_recent(at.get(end.seq, ""), now)
        _note(system, nodes.get(_inner(end.step)), end)
    for step, spent in replay.spent.items():
        if (agent := _agent(system, nodes.get(_inner(step)))) is not None:
            agent.usage += spent
    if story.row.state != "running":
        system.tasks["waiting"] += sum(step not in replay.answers for step in replay.asked)
        return
    busy = [
        step for step in replay.started if step not in replay.ends and replay.interrupted(step) > 0
    ]
    system.tasks["running"] += len(busy)
    for step in busy:
        if (agent := _agent(system, nodes.get(_inner(step)))) is not None:
            agent.busy += 1
    system.under_way.append({"run": story.row.id, "name": story.row.name, "steps": sorted(busy)})


def _note(system: System, node: Node | None, end: StepEnd) -> None:
    agent = _agent(system, node)
    if agent is None:
        return
    agent.done += end.state in ("done", "partial")
    agent.failed += end.state == "failed"
    agent.ms += end.facts.ms


def _agent(system: System, node: Node | None) -> Agent | None:
    if not isinstance(node, AgentNode | DispatchNode):
        return None
    role = node.role if isinstance(node, AgentNode) else None
    name = (node.specialist if isinstance(node, AgentNode) else None) or role or node.name
    return system.agents.setdefault(name, Agent(name))


def _inner(step: str) -> str:
    """Return the innermost node that a step belongs to: of `loop#1/draft`, `draft`."""
    return node_of(step.rpartition("/")[2])


def _is_recent(at: str, now: datetime) -> bool:
    try:
        seconds = (now - datetime.fromisoformat(at)).total_seconds()
    except ValueError:
        return False
    return 0.0 <= seconds <= SECONDS
