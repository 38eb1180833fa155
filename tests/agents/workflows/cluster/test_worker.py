"""Workers on real PostgreSQL: the same plans, events and answers as on one machine."""

from __future__ import annotations

import asyncio
import base64
import pickle
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from coai_agents.workflows.cluster import census
from coai_agents.workflows.cluster.durable import VERSION, Limit
from coai_agents.workflows.cluster.following import Following
from coai_agents.workflows.cluster.journal import open_journal
from coai_agents.workflows.cluster.worker import ClusterWorker, Setup
from coai_agents.workflows.definition.known import Known
from coai_agents.workflows.engine.replay import replayed
from coai_agents.workflows.engine.work import StepFailedError
from coai_agents.workflows.journal.records import Usage
from coai_routing.cluster.databases import shared
from tests.agents.workflows.support import Scripted, plan_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.work import Task, Workers


@asynccontextmanager
async def worker_at(
    url: str, workers: Scripted | None = None, setup: Setup | None = None
) -> AsyncGenerator[ClusterWorker]:
    hands = workers or Scripted()

    async def of(facts: Mapping[str, Json]) -> Workers:
        return hands

    journal = await open_journal(shared(url, "PostgreSQL"))
    worker = ClusterWorker(journal, of, setup)
    await worker.open()
    try:
        yield worker
    finally:
        await worker.aclose()
        await journal.aclose()


async def ended(worker: ClusterWorker, run: str) -> str:
    for _ in range(600):
        row = (await worker.journal.story(run)).row
        if row.state != "running":
            return row.state
        await asyncio.sleep(0.05)
    raise AssertionError(await worker.journal.story(run))


async def test_a_run_is_carried_out(database: str) -> None:
    plan = plan_of(
        """
        - {kind: agent, name: a, prompt: p}
        - {kind: agent, name: b, prompt: p, depends_on: [a]}
        """
    )
    workers = Scripted()
    async with worker_at(database, workers) as worker:
        run = await worker.journal.submit("test", plan.as_json(), "go", facts={"x": "\ud800\0"})
        assert await ended(worker, run) == "done"
        story = await worker.journal.story(run)
    assert [(end.step, end.output) for end in story.steps] == [("a", "a"), ("b", "b")]
    assert workers.steps == ["a", "b"]
    assert story.row.facts == {"x": "\ud800\0"}


async def test_a_run_that_waits_or_is_cancelled_goes_on_or_not(database: str) -> None:
    plan = plan_of(
        """
        - {kind: human, name: ask, question: "Shall it?", choices: [yes, no]}
        - {kind: agent, name: b, prompt: p, depends_on: [ask]}
        """
    )
    begun, never = asyncio.Event(), asyncio.Event()

    async def slow() -> str:
        begun.set()
        await never.wait()
        return "late"

    async with worker_at(database, Scripted(lambda _: slow())) as worker:
        run = await worker.journal.submit("test", plan.as_json(), "go")
        assert await ended(worker, run) == "waiting"
        client = await open_journal(worker.journal.store)
        engine = Following(client)
        await engine.answer(run, "ask", "yes")
        following = asyncio.create_task(engine.resume(run))
        await begun.wait()
        await engine.stop(run, "cancel")
        assert (await following).state == "cancelled"
        # What another machine was asked is given up there, too.
        for _ in range(100):
            if not worker.steps:
                break
            await asyncio.sleep(0.05)
        assert not worker.steps
        await client.aclose()


async def test_a_worker_that_closes_hands_its_runs_over(database: str) -> None:
    plan = plan_of("- {kind: agent, name: a, prompt: p}")
    begun, never = asyncio.Event(), asyncio.Event()

    async def slow() -> str:
        begun.set()
        await never.wait()
        return "late"

    async with worker_at(database, Scripted(lambda _: slow())) as worker:
        run = await worker.journal.submit("test", plan.as_json(), "go")
        await begun.wait()
    workers = Scripted()
    async with worker_at(database, workers) as worker:
        assert await ended(worker, run) == "done"
        story = await worker.journal.story(run)
        assert await census.workers(worker.journal) != []
    assert workers.steps == ["a"]
    assert [end.step for end in story.steps] == ["a"]


async def test_the_limit_of_a_model_holds(database: str) -> None:
    plan = plan_of(
        """
        - {kind: agent, name: a, prompt: p, profile: dear, fan_out: input, given: {i: item}}
        """,
        Known(profiles=frozenset({"dear"})),
        input="[number]",
    )
    workers = Scripted(lambda task: task.step)
    setup = Setup(limits={"dear": Limit(at_once=2)})
    async with worker_at(database, workers, setup) as worker:
        run = await worker.journal.submit("test", plan.as_json(), list(range(6)))
        assert await ended(worker, run) == "done"
    assert len(workers.asked) == 6
    assert workers.most_at_once <= 2


async def test_what_failed_says_so_and_is_tried_again(database: str) -> None:
    plan = plan_of("- {kind: agent, name: a, prompt: p, retries: {attempts: 2, backoff: 0}}")

    def fails(task: Task) -> str:
        if task.attempt == 1:
            raise StepFailedError("It did not work.", usage=Usage(1, 2, 3, 0.5))
        return "better"

    async with worker_at(database, Scripted(fails)) as worker:
        run = await worker.journal.submit("test", plan.as_json(), "go")
        assert await ended(worker, run) == "done"
        replay = replayed(await worker.journal.story(run))
    assert replay.ends["a"].output == "better"
    assert replay.usage == Usage(1, 2, 3, 0.5)


async def test_nothing_is_pickled(database: str) -> None:
    async with worker_at(database) as worker:
        run = await worker.journal.submit(
            "test", plan_of("- {kind: agent, name: a, prompt: p}").as_json(), "go"
        )
        assert await ended(worker, run) == "done"
        with psycopg.connect(database) as connection:
            found = connection.execute(
                "SELECT workflow_uuid, serialization, application_version FROM dbos.workflow_status"
            ).fetchall()
        assert {(how, version) for _, how, version in found} == {("portable_json", VERSION)}
        assert len(found) == 2
        serialization: Any = import_module("dbos._serialization")
        pickled = base64.b64encode(pickle.dumps("x")).decode()
        with pytest.raises(ValueError, match="unpickled"):
            serialization.deserialize_value(
                pickled, "py_pickle", serialization.DBOSPortableJSONSerializer()
            )
