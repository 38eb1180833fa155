"""Tasks have priorities, dependencies, states and retries; runs that were left are gone on with."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from coai_agents.workflows.definition.known import Known
from coai_agents.workflows.definition.loading import checked
from coai_agents.workflows.definition.schema import AgentNode
from coai_agents.workflows.engine.engine import Engine
from coai_agents.workflows.engine.turns import Turns
from coai_agents.workflows.engine.work import StepFailedError
from coai_agents.workflows.journal.journal import Journal
from coai_agents.workflows.patterns.tasks import Task as Wanted
from coai_agents.workflows.patterns.tasks import progress_of, tasks
from coai_agents.workflows.resuming import resume_orphans
from tests.agents.workflows.support import Scripted, engine_at, plan_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.work import Task
    from coai_agents.workflows.journal.records import RunRow


def task(name: str, *after: str, priority: int = 0, needed: bool = True) -> Wanted:
    node = AgentNode(name=name, prompt="Do it.")
    return Wanted(node, after, priority=priority, attempts=2, backoff=0.0, needed=needed)


async def test_tasks_go_by_priority_and_after_those_before_them(tmp_path: Path) -> None:
    wanted = [task("low", priority=-5), task("high", priority=5), task("mid"), task("end", "high")]
    workers = Scripted()
    async with engine_at(tmp_path, workers) as engine:
        outcome = await engine.start(checked(tasks("work", wanted, at_once=1), Known()), "go")
    # The first one had begun before the others asked.
    assert outcome.state == "done"
    assert workers.steps in (["low", "high", "mid", "end"], ["low", "high", "end", "mid"])


async def test_how_far_each_task_is(tmp_path: Path) -> None:
    wanted = [task("good"), task("bad", needed=False), task("after", "good"), task("more", "bad")]

    def do(asked: Task) -> Json:
        if asked.node.name == "bad":
            raise StepFailedError("no")
        return "done"

    async with engine_at(tmp_path, Scripted(do)) as engine:
        outcome = await engine.start(checked(tasks("work", wanted), Known()), "go")
        progress = progress_of(await engine.journal.story(outcome.run))
    assert {name: each.state for name, each in progress.items()} == {
        "good": "done",
        "bad": "failed",
        "after": "done",
        "more": "done",
    }
    assert progress["bad"].attempts == 2


async def test_what_is_blocked_ready_running_and_asked(tmp_path: Path) -> None:
    plan = plan_of(
        """
        - {kind: agent, name: first, prompt: p}
        - {kind: agent, name: second, prompt: p, depends_on: [first]}
        - {kind: human, name: who, question: Who?}
        """
    )
    began, on = asyncio.Event(), asyncio.Event()

    async def slow() -> Json:
        began.set()
        await on.wait()
        return "x"

    async with engine_at(tmp_path, Scripted(lambda _: slow())) as engine:
        running = asyncio.create_task(engine.start(plan, "go"))
        await began.wait()
        # What was noted before this is on the disk after it.
        await engine.journal.beat()
        [row] = await engine.journal.runs()
        progress = progress_of(await engine.journal.story(row.id))
        on.set()
        assert (await running).state == "waiting"
        later = progress_of(await engine.journal.story(row.id))
    assert {name: each.state for name, each in progress.items()} == {
        "first": "running",
        "second": "blocked",
        "who": "asked",
    }
    assert (later["first"].state, later["second"].state) == ("done", "done")


@settings(deadline=None)
@given(
    st.integers(1, 3),
    st.lists(st.tuples(st.integers(-10, 10), st.booleans()), min_size=1, max_size=20),
)
def test_turns_go_by_priority_and_none_is_lost(most: int, wanted: list[tuple[int, bool]]) -> None:
    order: list[int] = []
    at_once = 0

    async def one(turns: Turns, number: int) -> None:
        nonlocal at_once
        async with turns.of(wanted[number][0]):
            at_once += 1
            assert at_once <= most
            order.append(number)
            try:
                await asyncio.sleep(0)
            finally:
                at_once -= 1

    async def all_of_them() -> None:
        turns = Turns(most)
        waiting = [asyncio.create_task(one(turns, n)) for n in range(len(wanted))]
        await asyncio.sleep(0)
        for each, (_, cancelled) in zip(waiting, wanted, strict=True):
            if cancelled and not each.done():
                each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for _ in range(most):
            # Every turn is there again.
            await asyncio.wait_for(turns._begin(0), 1)  # pyright: ignore[reportPrivateUsage] - it is not given back

    asyncio.run(all_of_them())
    later = [n for n in order if n >= most and not wanted[n][1]]
    assert later == sorted(later, key=lambda n: (-wanted[n][0], n))
    assert set(order) >= {n for n in range(len(wanted)) if not wanted[n][1]}


async def test_what_a_killed_process_left_is_gone_on_with(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys, pathlib\n"
        "from tests.agents.workflows.support import Scripted, engine_at, plan_of\n"
        "async def main():\n"
        "    folder = pathlib.Path(sys.argv[1])\n"
        "    plan = plan_of('- {kind: agent, name: a, prompt: p}\\n'\n"
        "        '- {kind: agent, name: b, prompt: p, depends_on: [a]}')\n"
        "    async def hang(): print('at b', flush=True); await asyncio.sleep(600)\n"
        "    do = lambda task: hang() if task.step == 'b' else task.step\n"
        "    async with engine_at(folder, Scripted(do)) as engine:\n"
        "        for workspace in (str(folder), '/no/such/folder'):\n"
        "            facts = {'workspace': workspace}\n"
        "            asyncio.create_task(engine.start(plan, 'go', facts=facts))\n"
        "        await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=Path(__file__).parents[3], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    for _ in range(2):
        await process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    workers = Scripted()
    journal = Journal(tmp_path / "runs.sqlite3")

    @asynccontextmanager
    async def engine_for(row: RunRow, workspace: Path) -> AsyncGenerator[Engine]:
        assert (row.state, workspace) == ("running", tmp_path)
        engine = Engine(journal, workers)
        yield engine
        await engine.aclose()

    outcomes = await resume_orphans(journal, engine_for)
    assert [each.state for each in outcomes] == ["done"]
    assert workers.steps == ["b"], "what was finished is not asked again"
    assert await resume_orphans(journal, engine_for) == []
    states = {row.facts["workspace"]: row.state for row in await journal.runs()}
    assert states == {str(tmp_path): "done", "/no/such/folder": "running"}
    await journal.aclose()
