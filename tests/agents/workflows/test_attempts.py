"""Each attempt at a step has a key of its own, also after the step is done again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_agents.workflows.engine.again import reset
from coai_agents.workflows.errors import WorkflowError
from tests.agents.workflows.support import Scripted, engine_at, plan_of

if TYPE_CHECKING:
    from pathlib import Path

    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.work import Task


async def test_a_step_that_is_done_again_has_another_key(tmp_path: Path) -> None:
    workers = Scripted()
    async with engine_at(tmp_path, workers) as engine:
        outcome = await engine.start(plan_of("- {kind: agent, name: a, prompt: p}"), "go")
        for _ in range(7):
            await reset(engine.journal, outcome.run, "a")
            outcome = await engine.resume(outcome.run)
            assert outcome.state == "done", "what was done again was not interrupted"
    keys = [task.key for task in workers.asked]
    assert len(set(keys)) == len(keys) == 8
    assert {task.interrupted for task in workers.asked} == {0}


async def test_what_cannot_be_kept_has_cost_what_it_cost(tmp_path: Path) -> None:
    plan = plan_of("- {kind: agent, name: a, prompt: p, output: number, retries: {attempts: 2}}")

    def words(task: Task) -> Json:
        return "no number"

    async with engine_at(tmp_path, Scripted(words)) as engine:
        outcome = await engine.start(plan, "go")
        assert outcome.state == "failed"
        assert "not what was asked for" in outcome.error
        with pytest.raises(WorkflowError, match="has ended"):
            await engine.resume(outcome.run)
        story = await engine.journal.story(outcome.run)
    assert [e.body["error"] for e in story.events if e.kind == "tried"] == [
        "What it gave is not what was asked for: it is no number."
    ] * 2
