"""The journal of runs: what happened is on the disk before it counts.

Events and steps are only ever added. A run belongs to who has taken it, and every write says with
which fencing token: what a process still writes after another one took its run over is refused, so
two daemons on one file cannot both carry a run on.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from coai_agents.workflows.errors import RunTakenError, WorkflowError
from coai_agents.workflows.journal import reading
from coai_agents.workflows.journal.owners import is_dead, this_process
from coai_agents.workflows.journal.records import ENDED, Event, Lease, as_text, encoded
from coai_agents.workflows.journal.tables import open_tables
from coai_agents.workflows.journal.writing import Writer
from coai_routing.records.private_sqlite import open_read_only

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.journal.records import RunRow, RunState, StepEnd, Story

LEASE_SECONDS: Final = 60.0
"""An owner on another machine is taken for dead when its heart has not beaten for so long, by the
clock of who watches it."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Journal:
    """The journal of one process; it belongs to one event loop."""

    def __init__(self, path: Path, *, now: Callable[[], datetime] = _utc_now) -> None:
        """Open it, or make it; raises `JournalError`. `now` is what events are dated with."""
        self.path = path
        self.owner = str(this_process())
        self._now = now
        database, self.set_aside = open_tables(path)
        self.writer = Writer(database)

    async def aclose(self) -> None:
        """Write what is under way and close it."""
        await self.writer.close()

    def now(self) -> str:
        """Return the time as events have it."""
        return self._now().isoformat(timespec="milliseconds")

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
        at, run = self.now(), secrets.token_hex(6)
        stored, said = encoded(given), json.dumps(dict(facts or {}))

        def write(database: sqlite3.Connection) -> Lease:
            number = database.execute(
                "INSERT INTO runs (id, name, plan, input, facts, state, created, changed, parent,"
                " owner, fence) VALUES (?, ?, ?, ?, ?, 'running', ?, ?, ?, ?, 1)",
                (
                    *(run, name, reading.put(database, plan.encode(), always=True)),
                    *(reading.put(database, stored), said, at, at, parent, self.owner),
                ),
            ).lastrowid
            assert number is not None
            _event(database, number, Event(0, "created"), at)
            for seq, each in enumerate(steps, 1):
                _event(database, number, Event(seq, "ended", each.step), at)
                _step(database, number, seq, each)
            return Lease(number, run, 1)

        return await self.writer.do(write)

    async def take(self, run: str, *, unchanged: int | None = None, ended: bool = False) -> Lease:
        """Take a run whose owner is gone, or that has none; raises `RunTakenError` otherwise.

        Raises `WorkflowError` for one that has ended, unless `ended` ones are wanted.

        `unchanged` is the heartbeat that was seen `LEASE_SECONDS` ago: an owner that still has it
        is taken for dead, too.
        """
        at = self.now()

        def write(database: sqlite3.Connection) -> Lease:
            row = reading.find(database, run)
            if row.state in ENDED and not ended:
                raise WorkflowError(
                    f"The run {row.id} has ended: {row.state}.",
                    remedy="`coai runs resume --from NODE` does a part of it again.",
                )
            beat = database.execute(
                "SELECT beat FROM runs WHERE number = ?", (row.number,)
            ).fetchone()[0]
            free = row.owner is None or is_dead(row.owner) or beat == unchanged
            if not free:
                raise RunTakenError(
                    f"The run {row.id} is being carried out by another process.",
                    remedy=f"Pause it with `coai runs pause {row.id}`, or wait for its end.",
                )
            database.execute(
                "UPDATE runs SET owner = ?, fence = fence + 1, beat = beat + 1, changed = ?,"
                " wish = NULL, state = 'running' WHERE number = ?",
                (self.owner, at, row.number),
            )
            return Lease(row.number, row.id, row.fence + 1)

        return await self.writer.do(write)

    async def release(self, lease: Lease, state: RunState, event: Event) -> None:
        """Give a run back in a state, with the event that says why; raises `RunTakenError`."""
        at = self.now()

        def write(database: sqlite3.Connection) -> None:
            changed = database.execute(
                "UPDATE runs SET state = ?, changed = ?, owner = NULL, wish = NULL"
                " WHERE number = ? AND fence = ? AND owner = ?",
                (state, at, lease.number, lease.fence, self.owner),
            )
            if changed.rowcount != 1:
                raise _taken(lease)
            _event(database, lease.number, event, at)

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
    ) -> Callable[[sqlite3.Connection], None]:
        at = self.now()

        def write(database: sqlite3.Connection) -> None:
            held = database.execute(
                "SELECT 1 FROM runs WHERE number = ? AND fence = ? AND owner = ?",
                (lease.number, lease.fence, self.owner),
            ).fetchone()
            if held is None:
                raise _taken(lease)
            for event in events:
                _event(database, lease.number, event, at)
            for each in steps:
                _step(database, lease.number, each.seq, each)

        return write

    # ---------------------------------------------------------------------- wishes

    async def wish(self, run: str, wish: str) -> RunRow:
        """Have the owner of a run pause or cancel it; returns the run as it was.

        Raises `RunNotFoundError`, and `WorkflowError` for a run that has ended.
        """

        def write(database: sqlite3.Connection) -> RunRow:
            row = reading.find(database, run)
            if row.state in ENDED:
                raise WorkflowError(f"The run {row.id} has ended: {row.state}.")
            database.execute("UPDATE runs SET wish = ? WHERE number = ?", (wish, row.number))
            return row

        return await self.writer.do(write)

    async def beat(self) -> dict[str, str]:
        """Show that this process lives; return what others wish of its runs, by their names."""

        def write(database: sqlite3.Connection) -> dict[str, str]:
            database.execute("UPDATE runs SET beat = beat + 1 WHERE owner = ?", (self.owner,))
            return dict(
                database.execute(
                    "SELECT id, wish FROM runs WHERE owner = ? AND wish IS NOT NULL", (self.owner,)
                ).fetchall()
            )

        return await self.writer.do(write)

    # --------------------------------------------------------------------- reading

    async def story(self, run: str) -> Story:
        """Return all of a run; raises `RunNotFoundError`."""
        return await asyncio.to_thread(self._read, lambda database: reading.story(database, run))

    async def happened(
        self, run: str, after: int = -1
    ) -> tuple[RunRow, list[tuple[Event, StepEnd | None]]]:
        """Return a run and what happened in it after an event's number, for who watches it.

        The first event has the number 0. Raises `RunNotFoundError`.
        """
        return await asyncio.to_thread(
            self._read, lambda database: reading.happened(database, run, after)
        )

    async def runs(self, most: int = 100) -> list[RunRow]:
        """Return the newest runs, the last one first."""
        return await asyncio.to_thread(self._read, lambda database: reading.rows(database, most))

    async def newest(self, most: int) -> list[tuple[RunRow, int]]:
        """Return the newest runs, each with the number of its last event, the last run first."""
        return await asyncio.to_thread(self._read, lambda database: reading.newest(database, most))

    async def orphans(self) -> list[RunRow]:
        """Return runs that were under way in processes that are gone."""
        rows = await asyncio.to_thread(self._read, reading.under_way)
        return [row for row in rows if row.owner is None or is_dead(row.owner)]

    def _read(self, read: Callable[[sqlite3.Connection], Any]) -> Any:  # noqa: ANN401 - what it reads
        with closing(open_read_only(self.path)) as database:
            # One moment for all of it, whatever is written meanwhile.
            database.execute("BEGIN")
            return read(database)

    # ----------------------------------------------------------------- kept answers

    async def kept(self, key: bytes) -> tuple[Json] | None:
        """Return what was kept under a key, in a tuple; None where nothing was."""

        def read(database: sqlite3.Connection) -> tuple[Json] | None:
            row = database.execute("SELECT output FROM kept WHERE key = ?", (key,)).fetchone()
            return None if row is None else (reading.get(database, row[0]),)

        return await self.writer.do(read)

    def keep(self, key: bytes, output: Json) -> None:
        """Keep what a step gave, for whoever does the very same again."""
        at, stored = self.now(), encoded(output)
        self.writer.soon(
            lambda database: database.execute(
                "INSERT OR REPLACE INTO kept (key, output, at) VALUES (?, ?, ?)",
                (key, reading.put(database, stored), at),
            )
        )


def _taken(lease: Lease) -> RunTakenError:
    return RunTakenError(f"Another process has taken the run {lease.run} over.")


def _event(database: sqlite3.Connection, run: int, event: Event, at: str) -> None:
    body = None if event.body is None else as_text(encoded(event.body))
    database.execute(
        "INSERT INTO events (run, seq, at, kind, step, body) VALUES (?, ?, ?, ?, ?, ?)",
        (run, event.seq, at, event.kind, event.step or None, body),
    )


def _step(database: sqlite3.Connection, run: int, seq: int, end: StepEnd) -> None:
    output = None if end.output is None else reading.put(database, encoded(end.output))
    database.execute(
        "INSERT INTO steps (run, seq, step, attempt, state, output, facts)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (run, seq, end.step, end.attempt, end.state, output, end.facts.as_text()),
    )
