"""No plan that loads can deadlock: whatever its shape, and whatever its steps do, a run ends."""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# Strategies of JSON: what they make has no type but that a plan is loaded from it.
from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coai_agents.workflows.definition.known import Known
from coai_agents.workflows.definition.loading import load_value
from coai_agents.workflows.engine.work import StepFailedError
from coai_agents.workflows.errors import PlanError
from tests.agents.workflows.support import Scripted, engine_at

if TYPE_CHECKING:
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.engine import Outcome
    from coai_agents.workflows.engine.work import Task

NAMES = [f"n{number}" for number in range(7)]
OUT = {"kind": "agent", "prompt": "p"}
CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
names: st.SearchStrategy[Json] = st.sampled_from(NAMES)
conditions: st.SearchStrategy[Json] = st.one_of(
    st.just("input"),
    st.just("1 == 2 or input"),
    names.map(lambda name: f"status({name}) == 'done'"),
    names.map(lambda name: f"exists({name})"),
)


def optional(**values: st.SearchStrategy[Json]) -> st.SearchStrategy[dict[str, Json]]:
    """Return mappings with some of these keys."""
    return st.fixed_dictionaries({}, optional=values)


common = optional(
    depends_on=st.lists(names, max_size=3, unique=True),
    when=conditions,
    on_failure=st.one_of(
        st.sampled_from(["fail", "skip"]),
        names.map(lambda name: {"compensate": [name]}),
    ),
)
agents: st.SearchStrategy[Json] = st.one_of(
    st.just({"kind": "agent", "prompt": "p", "output": "any"}),
    st.just({"kind": "agent", "prompt": "p", "output": ["any"], "fan_out": "[1, 2]"}),
    names.map(lambda name: {"kind": "agent", "prompt": "p", "output": "any", "fan_out": name}),
)
gates: st.SearchStrategy[Json] = st.builds(
    lambda check, otherwise: {"kind": "gate", "check": check, "otherwise": otherwise},
    conditions,
    st.one_of(
        st.just("stop"),
        st.builds(lambda name, times: {"revise": name, "times": times}, names, st.integers(1, 3)),
    ),
)
dispatches: st.SearchStrategy[Json] = st.builds(
    lambda among, pick: {"kind": "dispatch", "among": among, "choose": f"['{among[pick]}']"},
    st.lists(names, min_size=2, max_size=3, unique=True),
    st.integers(0, 1),
)
humans: st.SearchStrategy[Json] = st.just({"kind": "human", "question": "Go?"})
leaves: st.SearchStrategy[Json] = st.one_of(agents, agents, gates, dispatches, humans)
loops: st.SearchStrategy[Json] = st.builds(
    lambda body, keys, until: {
        "kind": "loop",
        "nodes": [
            {**body, **keys, "name": "body"},
            {"kind": "agent", "prompt": "p", "name": "out"},
        ],
        "result": "out",
        "until": until,
        "max_iterations": 3,
    },
    leaves,
    optional(when=conditions, on_failure=st.sampled_from(["fail", "skip"])),
    conditions,
)
plans: st.SearchStrategy[Json] = st.lists(
    st.tuples(st.one_of(leaves, leaves, loops), common), min_size=1, max_size=7
).map(
    lambda nodes: {
        "name": "random",
        "concurrency": 2,
        "nodes": [
            {**kind, **keys, "name": NAMES[number]} for number, (kind, keys) in enumerate(nodes)
        ],
    }
)


@settings(max_examples=250, suppress_health_check=CHECKS)
@given(plans, st.integers(0, 6))
def test_whatever_loads_ends(value: Json, mood: int) -> None:
    try:
        plan = load_value(value, Known())
    except PlanError:
        return
    asyncio.run(_ends(plan.as_json(), mood))


async def _ends(text: str, mood: int) -> None:
    def do(task: Task) -> Json:
        chance = crc32(task.key.partition("/")[2].encode()) + mood
        if chance % 5 == 0:
            raise StepFailedError("It is broken.")
        if task.node.name == "out":
            return "out"
        return [1, 2] if chance % 2 else {"x": 1}

    plan = load_value(json.loads(text), Known())
    with tempfile.TemporaryDirectory() as folder:
        async with engine_at(Path(folder), Scripted(do)) as engine:
            outcome = await asyncio.wait_for(engine.start(plan, "go"), 30)
            for _ in range(100):
                if outcome.state != "waiting":
                    break
                await _answer_all(engine, outcome)
                outcome = await asyncio.wait_for(engine.resume(outcome.run), 30)
            assert outcome.state in ("done", "failed")


async def _answer_all(engine: Json, outcome: Outcome) -> None:
    story = await engine.journal.story(outcome.run)
    answered = {event.step for event in story.events if event.kind == "answered"}
    asked = [event.step for event in story.events if event.kind == "asked"]
    waiting = [step for step in asked if step not in answered]
    assert waiting, "a run that waits has asked something"
    for step in waiting:
        await engine.answer(outcome.run, step, "yes")


def test_plans_of_many_shapes_load() -> None:
    """Most random plans are wrong; that enough are not is what makes the test above one."""
    loaded: list[int] = []

    @settings(max_examples=400, suppress_health_check=CHECKS, database=None, derandomize=True)
    @given(plans)
    def count(value: Json) -> None:
        try:
            loaded.append(len(load_value(value, Known()).nodes))
        except PlanError:
            return

    count()
    assert len(loaded) > 20
    assert max(loaded) > 2
