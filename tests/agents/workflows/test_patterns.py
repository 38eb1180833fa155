"""The patterns give plans that load, and do what their names say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_agents.tools.tool import Bench
from coai_agents.tools.workspace import Folder
from coai_agents.workflows.definition.known import Known
from coai_agents.workflows.definition.loading import checked
from coai_agents.workflows.definition.schema import AgentNode, DispatchNode, ToolNode
from coai_agents.workflows.engine.work import Done, StepFailedError
from coai_agents.workflows.patterns.patterns import (
    Stage,
    parallel,
    pipeline,
    reflective,
    supervisor,
)
from coai_agents.workflows.workers.roles import roles
from coai_agents.workflows.workers.tools import TOOLS, use_tool
from tests.agents.workflows.support import Scripted, engine_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coai_agents.workflows.definition.schema import Plan
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.engine import Outcome
    from coai_agents.workflows.engine.work import Task

KNOWN = Known(tools=TOOLS, roles=frozenset(roles()))


def agent(name: str, output: Json = None) -> AgentNode:
    return AgentNode(name=name, prompt="Do it.", output=output)


async def _used(task: Task, folder: Path) -> Done:
    assert isinstance(task.node, ToolNode)
    return Done(await use_tool(task.node.tool, task.given, Bench(Folder(folder))))


async def ran(plan: Plan, folder: Path, do: Callable[[Task], Json]) -> tuple[Outcome, Scripted]:
    """Carry a pattern's plan out with real tools; agents say what the test says."""

    def work(task: Task) -> Json:
        if task.node.kind == "tool":
            return _used(task, folder)
        return do(task)

    workers = Scripted(work)
    async with engine_at(folder, workers) as engine:
        return await engine.start(checked(plan, KNOWN), "the task"), workers


@pytest.mark.parametrize(("scores", "state"), [([1, 9], "done"), ([1, 2], "failed")])
async def test_a_pipeline_gates_each_stage_and_goes_back_to_the_last_good_one(
    tmp_path: Path, scores: list[int], state: str
) -> None:
    score = {"score": "number"}
    plan = pipeline(
        "two stages",
        [
            Stage(agent("design"), undo=agent("drop_design")),
            Stage(agent("build", score), "build.score > 5", undo=agent("drop_build")),
        ],
    )
    given = iter(scores)
    outcome, workers = await ran(
        plan, tmp_path, lambda t: {"score": next(given)} if t.node.name == "build" else t.step
    )
    assert outcome.state == state
    undone = [] if state == "done" else ["drop_build"]
    assert workers.steps == ["design", "build", "build~2", *undone]


@pytest.mark.parametrize(
    ("fusion", "answers", "fused"),
    [
        ("vote", ["yes", "no", "Yes "], "yes"),
        ("weighted", ["yes", "no", "yes"], "no"),
        ("union", [["a"], ["b", "a"], ["c"]], ["a", "b", "c"]),
        ("judge", ["a", "b", "c"], "judged"),
    ],
)
async def test_in_parallel_several_voices_become_one(
    tmp_path: Path, fusion: Json, answers: list[Json], fused: Json
) -> None:
    output = ["text"] if fusion == "union" else None
    plan = parallel("voices", [agent(name, output) for name in "abc"], fusion, weights={"b": 3.0})
    outcome, _ = await ran(
        plan, tmp_path, lambda t: "judged" if t.step == "fused" else answers["abc".index(t.step)]
    )
    assert outcome.result == fused


async def test_a_voice_that_fails_is_not_heard(tmp_path: Path) -> None:
    def do(task: Task) -> str:
        if task.step == "a":
            raise StepFailedError("Nothing.")
        return ", ".join(task.given) if task.step == "fused" else task.step

    outcome, _ = await ran(parallel("two", [agent("a"), agent("b")]), tmp_path, do)
    assert outcome.result == "input, b"


@pytest.mark.parametrize(
    ("scores", "best", "rounds"),
    [([3, 9], "draft 2", 2), ([5, 4, 9], "draft 1", 2), ([1, 2, 3], "draft 3", 3)],
)
async def test_reflection_keeps_the_best_draft_and_stops_in_time(
    tmp_path: Path, scores: list[int], best: str, rounds: int
) -> None:
    given = iter(scores)

    def do(task: Task) -> Json:
        if task.node.name == "judged":
            return {"score": next(given), "reasons": "more"}
        return f"draft {task.step[8]}"

    outcome, workers = await ran(reflective("essay", "Write."), tmp_path, do)
    assert outcome.result["draft"] == best
    drafts = [task for task in workers.asked if task.node.name == "draft"]
    assert len(drafts) == rounds
    assert drafts[1].given["criticism"] == "more"


async def test_a_supervisor_asks_whom_it_needs_and_delegates_again(tmp_path: Path) -> None:
    scores = iter([2, 9])

    def do(task: Task) -> Json:
        if task.node.name == "delegate":
            return ["tester"] if "#1" in task.step else ["coder"]
        if task.node.name == "content":
            return {"score": next(scores), "reasons": "The code is missing."}
        return task.step

    team = {"writes tests": agent("tester"), "writes code": agent("coder")}
    outcome, workers = await ran(supervisor("team", team), tmp_path, do)
    assert outcome.result == "rounds#2/integrate"
    asked = [each.partition("/")[2] for each in workers.steps]
    assert asked.count("tester") == asked.count("coder") == 1
    delegate = workers.asked[0].node
    assert isinstance(delegate, DispatchNode)
    assert "writes tests" in (delegate.prompt or "")
