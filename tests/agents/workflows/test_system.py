"""What is said of all runs together, and of what each agent of one cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from coai_agents.workflows.definition.known import Known
from coai_agents.workflows.engine.work import Done, StepFailedError
from coai_agents.workflows.journal.records import Event, Usage
from coai_agents.workflows.reports.report import report_of
from coai_agents.workflows.reports.system import system_of
from tests.agents.workflows.support import Scripted, engine_at, plan_of

if TYPE_CHECKING:
    from pathlib import Path

    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.work import Task

PLAN = """
    - {kind: agent, name: many, role: critic, fan_out: input, given: {i: item}}
    - kind: loop
      name: loop
      max_iterations: 2
      result: draft
      nodes: [{kind: agent, name: draft, prompt: p, retries: {attempts: 2, backoff: 0},
               budget: {calls: 5}}]
    - {kind: human, name: ask, question: q, depends_on: [many, loop]}
"""


def _does(task: Task) -> Json:
    use = Usage(1, 10, 5, 0.25)
    if task.step == "loop#1/draft" and task.attempt == 1:
        raise StepFailedError("no", usage=use)
    return Done("x", use, "model")


async def test_agents_tasks_and_throughput(tmp_path: Path) -> None:
    plan = plan_of(PLAN, Known(roles=frozenset({"critic"})), input="[number]")
    async with engine_at(tmp_path, Scripted(_does)) as engine:
        outcome = await engine.start(plan, [1, 2])
        assert outcome.state == "waiting"
        lease = await engine.journal.create("test", plan.as_json(), [1])
        await engine.journal.append(lease, [Event(1, "started", "many[0]")])
        stories = [await engine.journal.story(row.id) for row in await engine.journal.runs()]
    told = system_of(stories).as_json()
    assert told["runs"] == {"waiting": 1, "running": 1}
    assert (told["tasks"]["running"], told["tasks"]["waiting"]) == (1, 1)
    agents = {each["name"]: each for each in told["agents"]}
    assert (agents["critic"]["state"], agents["critic"]["busy"]) == ("busy", 1)
    assert agents["draft"]["state"] == "idle"
    assert agents["draft"]["usd"] == 0.75, "what failed was paid, too"
    assert told["under_way"] == [{"run": lease.run, "name": "test", "steps": ["many[0]"]}]
    steps = told["throughput"]["steps"]
    assert steps == len(stories[1].steps)
    later = datetime.now(UTC) + timedelta(days=1)
    assert system_of(stories, now=later).as_json()["throughput"]["steps"] == 0
    before = datetime.now(UTC) - timedelta(days=1)
    assert system_of(stories, now=before).as_json()["throughput"]["steps"] == 0
    report = report_of(stories[1]).as_json()
    assert {name: used["usd"] for name, used in report["agents"].items()} == {
        "many": 0.5,
        "loop": 0.75,
    }


async def test_four_fifths_of_any_budget_are_told_once(tmp_path: Path) -> None:
    plan = plan_of(
        """
        - kind: agent
          name: a
          prompt: p
          fan_out: input
          given: {i: item}
          on_failure: skip
          budget: {usd: 1.0}
        - {kind: agent, name: b, prompt: p, fan_out: input, given: {i: item}, depends_on: [a]}
        """,
        input="[number]",
        budget="{calls: 10}",
        concurrency=1,
    )
    told: list[object] = []
    async with engine_at(tmp_path, Scripted(lambda _: Done("x", Usage(1, 1, 1, 0.2)))) as engine:
        outcome = await engine.start(plan, [1, 2, 3, 4, 5], tell=told.append)
        report = report_of(await engine.journal.story(outcome.run))
    assert outcome.state == "done"
    assert report.warnings == [f"The run {outcome.run} has used up four fifths of its budget."]
    assert sum(isinstance(each, Event) and each.kind == "warned" for each in told) == 1
    assert "four fifths" in report.as_markdown()
