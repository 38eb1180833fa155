"""Doing a part of a run again: in place, or as a run of its own with another input (a fork)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.workflows.definition.graph import after
from coai_agents.workflows.engine.replay import node_of, replayed
from coai_agents.workflows.engine.shapes import ready_plan
from coai_agents.workflows.errors import WorkflowError
from coai_agents.workflows.journal.records import Event

if TYPE_CHECKING:
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.shapes import Shape
    from coai_agents.workflows.journal.interface import RunJournal
    from coai_agents.workflows.journal.records import StepEnd, Story


def done_again(shape: Shape, node: str) -> frozenset[str]:
    """Return the nodes that a node's new result concerns, itself included."""
    if node not in shape.nodes:
        names = ", ".join(shape.nodes)
        raise WorkflowError(f"One of {names} was expected, not {node}.")
    names = {node, *after(shape.waits, node), *shape.undoing}
    while True:
        # What a gate decided goes with what it had revised.
        more = {each for gate in names & shape.again.keys() for each in shape.again[gate]}
        more |= {each for name in more for each in after(shape.waits, name)}
        if more <= names:
            return frozenset(names)
        names |= more


async def reset(journal: RunJournal, run: str, node: str) -> None:
    """Have a run do a node, and what follows from it, again; `Engine.resume` carries it out.

    Raises `RunTakenError` while the run is under way, and `WorkflowError` for no such node.
    """
    story = await journal.story(run)
    again = done_again(ready_plan(story.plan).shape, node)
    replay = replayed(story)
    steps = {*replay.ends, *replay.started, *replay.asked}
    forgotten = sorted(step for step in steps if node_of(step) in again)
    lease = await journal.take(run, ended=True)
    event = Event(replay.last + 1, "reset", "", {"steps": forgotten})
    await journal.release(lease, "paused", event)


async def fork(journal: RunJournal, run: str, *, node: str | None, given: Json = None) -> str:
    """Make a run of the same plan that goes on from a node; returns its name, and it is paused.

    What was done before the node counts in it. `given` is its input, None for the same one.
    """
    story = await journal.story(run)
    kept = _before(story, node)
    lease = await journal.create(
        story.row.name,
        story.plan,
        story.input if given is None else given,
        facts=story.row.facts,
        parent=story.row.id,
        steps=kept,
    )
    await journal.release(lease, "paused", Event(len(kept) + 1, "paused", "", None))
    return lease.run


def _before(story: Story, node: str | None) -> list[StepEnd]:
    if node is None:
        return []
    again = done_again(ready_plan(story.plan).shape, node)
    return [end for step, end in replayed(story).ends.items() if node_of(step) not in again]
