"""Asking a person: the question is in the journal, and so is the answer when it comes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from coai_agents.workflows.engine.planning import Settled
from coai_agents.workflows.engine.work import StepFailedError
from coai_agents.workflows.journal.records import StepEnd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_agents.workflows.definition.schema import HumanNode
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.running import Running


async def answer_of(
    running: Running, node: HumanNode, step: str, about: Mapping[str, Json]
) -> Settled | None:
    """Return a person's answer; None where it is still waited for, after the question is noted.

    `about` is what the person is shown with it.

    Raises `StepFailedError` for one that came too late, or not at all in the node's time.
    """
    replay = running.replay
    if step in replay.answers:
        answer = replay.answers[step]
        await running.ended(StepEnd(step, "done", answer))
        return Settled("done", answer)
    asked = replay.asked.get(step)
    if asked is None:
        body = {"question": node.question, "choices": list(node.choices), "about": dict(about)}
        await running.now("asked", step, body)
    elif node.timeout is not None and _seconds_since(asked) > node.timeout:
        raise StepFailedError(f"Nobody answered within {node.timeout:g} s.", again=False)
    return None


def _seconds_since(at: str) -> float:
    """Return the seconds since a time of the journal; none where the clock was set back."""
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds())
