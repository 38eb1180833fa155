"""The journal of runs in PostgreSQL: the same promises as the file's, for several machines.

A worker owns a run with a fencing token; who is dead the workers find out together, see `census`.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from coai_agents.workflows.cluster import tables
from coai_agents.workflows.cluster.connection import Writer, connect, driver, why
from coai_agents.workflows.cluster.names import is_gone, this_worker
from coai_agents.workflows.errors import (
    JournalError,
    RunNotFoundError,
    RunTakenError,
    WorkflowError,
)
from coai_agents.workflows.journal.records import ENDED, Event, Lease, encoded, plain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from coai_agents.workflows.cluster.connection import Connection
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.journal.records import RunRow, RunState, StepEnd, Story
    from coai_routing.cluster.databases import Shared

T = TypeVar("T")

KEPT_DAYS: Final = 30
"""Ended runs and kept answers are forgotten after so long."""


class PostgresJournal:
    """The journal of one process; it belongs to one event loop."""

    def __init__(self, store: Shared, *, owner: str | None = None) -> None:
        """Use `open_journal` instead, which sees that the tables are there."""
        self.store = store
        self.owner = owner or this_worker()
        self.handing_over = False
        """Whether runs that are paused from now on are to go on elsewhere."""
        self.writer = Writer(store)
        self._reader: Connection = None
        self._reading = asyncio.Lock()

    async def aclose(self) -> None:
        """Write what is under way and close the connections."""
        await self.writer.close()
        if self._reader is not None:
            await self._reader.close()

    def now(self) -> str:
        """Return the time as events have it."""
        return datetime.now(UTC).isoformat(timespec="milliseconds")

    # ------------------------------------------------------------------------ runs

    async def create(
        self,
        name: str,
        plan: str,
        given: Json,
        *,
        facts: Mapping[str, Json] | None = None,
        parent: str | None = None,
        steps: Sequence[StepEnd] = (),
    ) -> Lease:
        """Store a run with its plan and take it; `steps` are another run's that count here too."""
        return await self._created((name, plan, given), facts, parent, steps, owner=self.owner)

    async def submit(
        self, name: str, plan: str, given: Json, *, facts: Mapping[str, Json] | None = None
    ) -> str:
        """Store a run for whichever worker takes it; returns its name."""
        return (await self._created((name, plan, given), facts, None, (), owner=None)).run

    async def _created(
        self,
        what: tuple[str, str, Json],
        facts: Mapping[str, Json] | None,
        parent: str | None,
        steps: Sequence[StepEnd],
        *,
        owner: str | None,
    ) -> Lease:
        name, plan, given = what
        at, run = self.now(), secrets.token_hex(6)
        stored, said = encoded(given), encoded(dict(facts or {}))

        async def write(database: Connection) -> Lease:
            found = await database.execute(
                "INSERT INTO coai.runs (id, name, plan, input, facts, state, created, changed,"
                " parent, owner, fence) VALUES (%s, %s, %s, %s, %s, 'running', %s, %s, %s, %s, 1)"
                # Done once more after the connection broke: it is there, or it is not.
                " ON CONFLICT (id) DO UPDATE SET fence = 1 RETURNING number",
                (
                    *(run, plain(name)),
                    await tables.put(database, plan.encode(), always=True),
                    await tables.put(database, stored),
                    *(said, at, at, parent, owner),
                ),
            )
            number: int = (await found.fetchone())[0]
            lease = Lease(number, run, 1)
            await tables.add_events(database, lease.number, [Event(0, "created")], at)
            for seq, each in enumerate(steps, 1):
                await tables.add_events(
                    database, lease.number, [Event(seq, "ended", each.step)], at
                )
                await tables.add_step(database, number, seq, each)
            return lease

        return await self.writer.do(write)

    async def take(self, run: str, *, ended: bool = False) -> Lease:
        """Take a run whose owner is gone, or that has none; raises `RunTakenError` otherwise.

        Raises `WorkflowError` for one that has ended, unless `ended` ones are wanted.
        """
        at = self.now()

        async def write(database: Connection) -> Lease:
            row = _found(await tables.named(database, run, lock=True), run)
            if row.state in ENDED and not ended:
                raise WorkflowError(
                    f"The run {row.id} has ended: {row.state}.",
                    remedy="`coai runs resume --from NODE` does a part of it again.",
                )
            if row.owner is not None and not is_gone(row.owner):
                raise RunTakenError(
                    f"The run {row.id} is being carried out by another process.",
                    remedy=f"Pause it with `coai runs pause {row.id}`, or wait for its end.",
                )
            await database.execute(
                "UPDATE coai.runs SET owner = %s, fence = fence + 1, changed = %s, wish = NULL,"
                " state = 'running' WHERE number = %s",
                (self.owner, at, row.number),
            )
            return Lease(row.number, row.id, row.fence + 1)

        return await self.writer.do(write)

    async def release(self, lease: Lease, state: RunState, event: Event) -> None:
        """Give a run back in a state, with the event that says why; raises `RunTakenError`."""
        at = self.now()
        kept = state
        if state == "paused" and self.handing_over:
            # Nothing is given up: whoever goes on takes what was begun from where it is done.
            kept, event = "running", replace(event, body={"state": "running"})

        async def write(database: Connection) -> None:
            if await tables.is_released(database, lease, event):
                return
            changed = await database.execute(
                "UPDATE coai.runs SET state = %s, changed = %s, owner = NULL, wish = NULL"
                " WHERE number = %s AND fence = %s AND owner = %s",
                (kept, at, lease.number, lease.fence, self.owner),
            )
            if changed.rowcount != 1:
                raise _taken(lease)
            await tables.add_events(database, lease.number, [event], at)

        await self.writer.do(write)

    async def go_on(self, run: str) -> None:
        """Have a worker go on with a run that is paused, waits, or has nobody.

        Raises `WorkflowError` for one that has ended.
        """
        lease = await self.take(run)

        async def write(database: Connection) -> None:
            await database.execute(
                "UPDATE coai.runs SET owner = NULL WHERE number = %s AND fence = %s",
                (lease.number, lease.fence),
            )

        await self.writer.do(write)

    async def append(
        self, lease: Lease, events: Sequence[Event], steps: Sequence[StepEnd] = ()
    ) -> None:
        """Add what happened; when this returns it is on the disk. Raises `RunTakenError`."""
        await self.writer.do(self._adding(lease, events, steps))

    def append_soon(
        self, lease: Lease, events: Sequence[Event], steps: Sequence[StepEnd] = ()
    ) -> None:
        """Add what happened before whatever is added next, without waiting for it."""
        self.writer.soon(self._adding(lease, events, steps))

    def _adding(
        self, lease: Lease, events: Sequence[Event], steps: Sequence[StepEnd]
    ) -> Callable[[Connection], Awaitable[None]]:
        at = self.now()

        async def write(database: Connection) -> None:
            held = await database.execute(
                "SELECT 1 FROM coai.runs WHERE number = %s AND fence = %s AND owner = %s"
                " FOR NO KEY UPDATE",
                (lease.number, lease.fence, self.owner),
            )
            if await held.fetchone() is None:
                raise _taken(lease)
            await tables.add_events(database, lease.number, events, at)
            for each in steps:
                await tables.add_step(database, lease.number, each.seq, each)

        return write

    # ---------------------------------------------------------------------- wishes

    async def wish(self, run: str, wish: str) -> RunRow:
        """Have the owner of a run pause or cancel it; returns the run as it was.

        Raises `RunNotFoundError`, and `WorkflowError` for a run that has ended.
        """

        async def write(database: Connection) -> RunRow:
            row = _found(await tables.named(database, run, lock=True), run)
            if row.state in ENDED:
                raise WorkflowError(f"The run {row.id} has ended: {row.state}.")
            await database.execute(
                "UPDATE coai.runs SET wish = %s WHERE number = %s", (wish, row.number)
            )
            return row

        return await self.writer.do(write)

    async def beat(self) -> dict[str, str]:
        """Return what others wish of this process's runs, by their names; see `census.beat`."""

        async def write(database: Connection) -> dict[str, str]:
            found = await database.execute(
                "SELECT id, wish FROM coai.runs WHERE owner = %s AND wish IS NOT NULL",
                (self.owner,),
            )
            return dict(await found.fetchall())

        return await self.writer.do(write)

    # --------------------------------------------------------------------- reading

    async def story(self, run: str) -> Story:
        """Return all of a run; raises `RunNotFoundError`."""

        async def read(database: Connection) -> Story:
            return await tables.story(database, _found(await tables.named(database, run), run))

        return await self.read(read)

    async def since(
        self, run: str, seq: int
    ) -> tuple[RunRow, tuple[Event, ...], tuple[StepEnd, ...]]:
        """Return a run as it is, and what happened in it from an event on."""

        async def read(
            database: Connection,
        ) -> tuple[RunRow, tuple[Event, ...], tuple[StepEnd, ...]]:
            row = _found(await tables.named(database, run), run)
            events, steps = await tables.since(database, row.number, seq)
            return row, events, steps

        return await self.read(read)

    async def runs(self, most: int = 100) -> list[RunRow]:
        """Return the newest runs, the last one first."""
        return await self.read(
            lambda database: tables.rows(database, "ORDER BY number DESC LIMIT %s", most)
        )

    async def newest(self, most: int) -> list[tuple[RunRow, int]]:
        """Return the newest runs, each with the number of its last event, the last run first."""
        return await self.read(lambda database: tables.newest(database, most))

    async def orphans(self) -> list[RunRow]:
        """Return runs that are under way and that nobody carries out."""
        found = await self.read(
            lambda database: tables.rows(database, "WHERE state = 'running' ORDER BY number")
        )
        return [row for row in found if row.owner is None or is_gone(row.owner)]

    async def read(self, read: Callable[[Connection], Awaitable[T]]) -> T:
        """Read in one moment for all of it; raises `JournalError`."""
        broken = driver().OperationalError, driver().InterfaceError
        async with self._reading:
            for again in (True, False):
                if self._reader is None or self._reader.closed:
                    self._reader = await connect(self.store)
                try:
                    async with self._reader.transaction():
                        await self._reader.execute(
                            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
                        )
                        return await read(self._reader)
                except broken as error:
                    await self._reader.close()
                    if not again:
                        raise JournalError(f"{self.store} broke off: {why(error)}.") from None
        raise AssertionError

    # ----------------------------------------------------------------- kept answers

    async def kept(self, key: bytes) -> tuple[Json] | None:
        """Return what was kept under a key, in a tuple; None where nothing was."""

        async def read(database: Connection) -> tuple[Json] | None:
            found = await database.execute("SELECT output FROM coai.kept WHERE key = %s", (key,))
            row = await found.fetchone()
            return None if row is None else (await tables.get(database, row[0]),)

        return await self.writer.do(read)

    def keep(self, key: bytes, output: Json) -> None:
        """Keep what a step gave, for whoever does the very same again."""
        at, stored = self.now(), encoded(output)

        async def write(database: Connection) -> None:
            await database.execute(
                "INSERT INTO coai.kept (key, output, at) VALUES (%s, %s, %s)"
                " ON CONFLICT (key) DO UPDATE SET output = excluded.output, at = excluded.at",
                (key, await tables.put(database, stored), at),
            )

        self.writer.soon(write)

    async def prune(self, *, days: float = KEPT_DAYS) -> int:
        """Forget ended runs and kept answers that are older; returns how many runs."""
        oldest = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="milliseconds")

        async def forget(database: Connection) -> int:
            gone = await database.execute(
                "DELETE FROM coai.runs WHERE state = ANY(%s) AND owner IS NULL AND changed < %s",
                (list(ENDED), oldest),
            )
            await database.execute("DELETE FROM coai.kept WHERE at < %s", (oldest,))
            # Nobody stores a value while those that nobody refers to are forgotten.
            await database.execute("LOCK TABLE coai.artifacts IN SHARE ROW EXCLUSIVE MODE")
            await database.execute(
                "DELETE FROM coai.artifacts a WHERE"
                " NOT EXISTS (SELECT 1 FROM coai.runs WHERE plan = a.hash OR input = a.hash)"
                " AND NOT EXISTS (SELECT 1 FROM coai.steps WHERE output = a.hash)"
                " AND NOT EXISTS (SELECT 1 FROM coai.kept WHERE output = a.hash)"
            )
            return int(gone.rowcount)

        return await self.writer.do(forget)


async def open_journal(store: Shared, *, owner: str | None = None) -> PostgresJournal:
    """Open the journal of a database; makes its tables where they are not.

    Raises `JournalError` where it does not answer, and `ClusterError` without its client.
    """
    database = await connect(store)
    try:
        await tables.prepare(database)
    finally:
        await database.close()
    return PostgresJournal(store, owner=owner)


def _found(rows: list[RunRow], run: str) -> RunRow:
    if not rows or not run or (len(rows) > 1 and rows[0].id != run):
        many = "More than one run begins with" if rows and run else "There is no run"
        raise RunNotFoundError(f"{many} {run}.", remedy="`coai runs list` shows them.")
    return rows[0]


def _taken(lease: Lease) -> RunTakenError:
    return RunTakenError(f"Another process has taken the run {lease.run} over.")
