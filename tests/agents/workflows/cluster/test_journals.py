"""Both journals keep the same promises: a table of them, each tried on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import pytest

from coai_agents.workflows.cluster import census
from coai_agents.workflows.cluster.journal import PostgresJournal, open_journal
from coai_agents.workflows.engine.again import fork, reset
from coai_agents.workflows.engine.engine import Engine, stop_run
from coai_agents.workflows.engine.replay import replayed
from coai_agents.workflows.errors import (
    JournalError,
    RunNotFoundError,
    RunTakenError,
    WorkflowError,
)
from coai_agents.workflows.journal.journal import Journal
from coai_agents.workflows.journal.records import (
    ARTIFACT_BYTES,
    Event,
    StepEnd,
    StepFacts,
    Usage,
)
from coai_routing.cluster.databases import shared
from tests.agents.workflows.support import Scripted, plan_of
from tests.support.databases import PASSWORD, own_postgres

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    from coai_agents.workflows.cluster.connection import Connection
    from coai_agents.workflows.definition.types import Json

    AnyJournal: TypeAlias = Journal | PostgresJournal
    Open: TypeAlias = Callable[[], Awaitable[AnyJournal]]

PLAN = plan_of("- {kind: agent, name: a, prompt: p}\n- {kind: agent, name: b, prompt: p}").as_json()
VALUES: list[Json] = [
    *(None, "", "\0", "\ud800 lone", "é 漢 🙂", [1, 2.5, True, None]),
    *({"a\0": {"b": []}}, 10**30, "x" * 100_000),
]


@pytest.fixture(params=["sqlite", "postgres"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    if request.param == "sqlite":

        async def of_file() -> AnyJournal:
            return Journal(tmp_path / "runs.sqlite3")

        return of_file
    url: str = request.getfixturevalue("database")

    async def of_database() -> AnyJournal:
        return await open_journal(shared(url, "PostgreSQL"))

    return of_database


@asynccontextmanager
async def opened(opening: Open, count: int = 1) -> AsyncGenerator[list[AnyJournal]]:
    journals = [await opening() for _ in range(count)]
    try:
        yield journals
    finally:
        for each in journals:
            await each.aclose()


async def test_what_is_written_is_read_again(opening: Open) -> None:
    facts = StepFacts(5.0, Usage(1, 2, 3, 0.25), "m", local=False, notes=("\ud800",), paths=("p",))
    async with opened(opening) as (journal,):
        lease = await journal.create("name\0", PLAN, VALUES, facts={"\0": VALUES})
        for seq, value in enumerate(VALUES, 1):
            end = StepEnd(f"s{seq}", "done", value, 2, facts, seq)
            await journal.append(lease, [Event(seq, "ended", end.step, value)], [end])
        await journal.release(lease, "done", Event(len(VALUES) + 1, "finished"))
    async with opened(opening) as (journal,):
        story = await journal.story(lease.run)
        assert [row.id for row in await journal.runs()] == [lease.run]
    assert (story.plan, story.input, story.row.facts) == (PLAN, VALUES, {"\0": VALUES})
    assert [end.output for end in story.steps] == VALUES
    assert {end.facts for end in story.steps} == {facts}
    assert [event.body for event in story.events[1:-1]] == VALUES
    assert [event.seq for event in story.events] == list(range(len(VALUES) + 2))


async def test_a_run_has_one_owner(opening: Open) -> None:
    async with opened(opening, 2) as (one, other):
        lease = await one.create("r", PLAN, None)
        with pytest.raises(RunTakenError):
            await other.take(lease.run)
        await one.release(lease, "paused", Event(1, "paused"))
        took = await asyncio.gather(
            *(each.take(lease.run) for each in (one, other)), return_exceptions=True
        )
        assert sum(isinstance(each, RunTakenError) for each in took) == 1
        late = [one.append(lease, [Event(2, "started", "a")]),
                one.release(lease, "done", Event(2, "finished"))]  # fmt: skip
        for each in late:
            with pytest.raises(RunTakenError):
                await each
        assert len((await other.story(lease.run)).events) == 2


async def test_what_has_ended_has_ended(opening: Open) -> None:
    async with opened(opening) as (journal,):
        lease = await journal.create("r", PLAN, None)
        await journal.release(lease, "done", Event(1, "finished"))
        for each in (journal.take(lease.run), journal.wish(lease.run, "pause")):
            with pytest.raises(WorkflowError, match="has ended"):
                await each
        assert (await journal.take(lease.run, ended=True)).fence == 2


@pytest.mark.parametrize("name", ["", "nothing", "\0", "%", "' OR 1=1 --", "\ud800"])
async def test_what_there_is_not_is_not_found(opening: Open, name: str) -> None:
    async with opened(opening) as (journal,):
        await journal.create("r", PLAN, None)
        with pytest.raises((RunNotFoundError, JournalError)):
            await journal.story(name)


async def test_wishes_reach_the_owner(opening: Open) -> None:
    async with opened(opening, 2) as (one, other):
        lease = await one.create("r", PLAN, None)
        assert await stop_run(other, lease.run[:8], "cancel") == "running"
        assert await one.beat() == {lease.run: "cancel"}
        assert await other.beat() == {}
        await one.release(lease, "paused", Event(1, "paused"))
        assert await stop_run(other, lease.run, "cancel") == "cancelled"


async def test_answers_are_kept_and_old_runs_forgotten(opening: Open) -> None:
    large = secrets.token_hex(ARTIFACT_BYTES)
    async with opened(opening) as (journal,):
        key = secrets.token_bytes(20)
        assert await journal.kept(key) is None
        for value in VALUES:
            journal.keep(key, value)
            assert await journal.kept(key) == (value,)
        for state in ("done", "paused"):
            lease = await journal.create("r", PLAN, large)
            await journal.release(lease, state, Event(1, "finished"))
        if isinstance(journal, PostgresJournal):
            assert await journal.prune(days=-1) == 1
            assert await journal.kept(key) is None
            assert (await journal.story(lease.run)).input == large, "others still refer to it"


async def test_runs_are_reset_and_forked_on_both(opening: Open) -> None:
    async with opened(opening) as (journal,):
        engine, workers = Engine(journal, Scripted()), Scripted()
        again = Engine(journal, workers)
        outcome = await engine.start(plan_of("- {kind: agent, name: a, prompt: p}"), "go")
        other = await fork(journal, outcome.run, node="a", given="else")
        assert (await again.resume(other)).state == "done"
        await reset(journal, outcome.run, "a")
        assert (await again.resume(outcome.run)).state == "done"
        assert workers.steps == ["a", "a"]
        assert (await journal.story(other)).input == "else"
        for each in (engine, again):
            await each.aclose()


async def test_postgres_may_be_restarted_during_a_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with own_postgres() as server:
        journal = await open_journal(shared(server.database(), "PostgreSQL"))
        plan = plan_of(
            """
            - {kind: agent, name: a, prompt: p}
            - {kind: agent, name: b, prompt: p, depends_on: [a]}
            """
        )

        def restarts(task: object) -> Json:
            server.stop()
            server.start()
            return "x"

        outcome = await Engine(journal, Scripted(restarts)).start(plan, "go")
        assert outcome.state == "done", outcome
        story = await journal.story(outcome.run)
        assert [event.seq for event in story.events] == list(range(len(story.events)))
        assert set(replayed(story).ends) == {"a", "b"}
        await journal.aclose()
        server.stop()
        with pytest.raises(JournalError) as away:
            await open_journal(journal.store)
        assert PASSWORD not in f"{away.value} {away.value.remedy} {caplog.text}"
        assert away.value.__cause__ is None


async def test_the_dead_are_missed_without_comparing_clocks(database: str) -> None:
    now = 0.0
    async with opened(lambda: open_journal(shared(database, "PostgreSQL")), 2) as (one, other):
        assert isinstance(one, PostgresJournal)
        assert isinstance(other, PostgresJournal)
        far = one.owner.replace("|", "~elsewhere|", 1)
        other.owner = far
        for each in (one, other):
            await census.register(each, {})
        lease = await other.create("r", PLAN, None)
        watch = census.Watch(one, 15.0, clock=lambda: now)
        for beats in (True, True, False, False):
            assert await watch.dead() == []
            now += 10
            if beats:
                assert await census.beat(other)
        assert await watch.dead() == [far]
        claims = await asyncio.gather(*(census.claim(each, far) for each in (one, other)))
        assert sorted(claims) == [False, True], "one takes over"
        await census.forget(one, far)
        assert await watch.free() == [row for row in await one.runs() if row.id == lease.run]
        assert not await census.beat(other), "it hears that it was taken for dead"
        with pytest.raises(RunTakenError):
            await other.append(lease, [Event(1, "started", "a")])


def _certificate(folder: Path, name: str) -> None:
    command = [
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
        *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
        *("-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt")),
    ]
    subprocess.run(command, check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_a_certificate_is_checked(tmp_path: Path) -> None:
    with own_postgres() as server:
        server.stop()
        for name in ("its", "another"):
            _certificate(tmp_path, name)
        for kind in ("key", "crt"):
            there = server.server.folder / f"its.{kind}"
            shutil.copy(tmp_path / f"its.{kind}", there)
            there.chmod(0o600)
            if os.geteuid() == 0:
                shutil.chown(there, "nobody", "nogroup")
        server.start("ssl=on", "ssl_cert_file=its.crt", "ssl_key_file=its.key")
        url = f"{server.database()}?sslmode=verify-full&sslrootcert={tmp_path}"

        async def encrypted(address: str) -> bool:
            journal = await open_journal(shared(address, "PostgreSQL"))
            try:
                found = await journal.read(_is_encrypted)
            finally:
                await journal.aclose()
            return found

        assert asyncio.run(encrypted(f"{url}/its.crt"))
        with pytest.raises(JournalError, match="certificate"):
            asyncio.run(encrypted(f"{url}/another.crt"))


async def _is_encrypted(database: Connection) -> bool:
    found = await database.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    return bool((await found.fetchone())[0])
