"""The tables of runs in PostgreSQL: those of the journal's file, and who is there.

What is JSON is stored as bytes, because text and `jsonb` of PostgreSQL cannot hold all of it (NUL,
lone surrogates).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from coai_agents.workflows.errors import JournalError
from coai_agents.workflows.journal.records import (
    ARTIFACT_BYTES,
    Event,
    Lease,
    RunRow,
    StepEnd,
    Story,
    decoded,
    encoded,
    is_reference,
    packed,
    plain,
    read_facts,
    reference,
    unpacked,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.workflows.cluster.connection import Connection
    from coai_agents.workflows.definition.types import Json

VERSION: Final = 1

_MAKING: Final = 0x434F4149
"""The advisory lock of whoever makes the tables."""

_TABLES: Final = """
CREATE SCHEMA IF NOT EXISTS coai;
CREATE TABLE IF NOT EXISTS coai.runs (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    name text NOT NULL,
    plan bytea NOT NULL,
    input bytea NOT NULL,
    facts bytea NOT NULL,
    state text NOT NULL,
    created text NOT NULL,
    changed text NOT NULL,
    parent text,
    owner text,
    fence bigint NOT NULL DEFAULT 0,
    wish text
);
CREATE INDEX IF NOT EXISTS runs_owner ON coai.runs (owner) WHERE owner IS NOT NULL;
CREATE INDEX IF NOT EXISTS runs_under_way ON coai.runs (number) WHERE state = 'running';
CREATE TABLE IF NOT EXISTS coai.events (
    run bigint NOT NULL REFERENCES coai.runs ON DELETE CASCADE,
    seq integer NOT NULL,
    at text NOT NULL,
    kind text NOT NULL,
    step text,
    body bytea,
    PRIMARY KEY (run, seq)
);
CREATE TABLE IF NOT EXISTS coai.steps (
    run bigint NOT NULL REFERENCES coai.runs ON DELETE CASCADE,
    seq integer NOT NULL,
    step text NOT NULL,
    attempt integer NOT NULL,
    state text NOT NULL,
    output bytea,
    facts bytea,
    PRIMARY KEY (run, seq)
);
CREATE TABLE IF NOT EXISTS coai.artifacts (hash bytea PRIMARY KEY, body bytea NOT NULL);
CREATE TABLE IF NOT EXISTS coai.kept (
    key bytea PRIMARY KEY, output bytea NOT NULL, at text NOT NULL
);
CREATE TABLE IF NOT EXISTS coai.workers (
    owner text PRIMARY KEY, beat bigint NOT NULL DEFAULT 0, facts bytea NOT NULL
);
CREATE TABLE IF NOT EXISTS coai.marks (name text PRIMARY KEY, value text NOT NULL);
"""

_COLUMNS: Final = "number, id, name, state, created, changed, parent, owner, fence, wish, facts"


async def prepare(database: Connection) -> None:
    """Make the tables where they are not; raises `JournalError` for those of a newer COAI."""
    async with database.transaction():
        await database.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING,))
        found = await database.execute("SELECT to_regclass('coai.marks')")
        if (await found.fetchone())[0] is None:
            await database.execute(_TABLES)
            await database.execute(
                "INSERT INTO coai.marks (name, value) VALUES ('version', %s)", (str(VERSION),)
            )
        found = await database.execute("SELECT value FROM coai.marks WHERE name = 'version'")
        version = int((await found.fetchone())[0])
    if version > VERSION:
        raise JournalError(
            "The runs in PostgreSQL are of a newer COAI.", remedy="Install that version here, too."
        )


async def put(database: Connection, content: bytes, *, always: bool = False) -> bytes:
    """Store a value: as it is, or as an artifact where it is large or `always` one."""
    if len(content) <= ARTIFACT_BYTES and not always:
        return content
    name = reference(content)
    await database.execute(
        "INSERT INTO coai.artifacts (hash, body) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        (name, packed(content)),
    )
    return name


async def content_of(database: Connection, stored: bytes) -> bytes:
    """Return what was stored; raises `JournalError` where an artifact is gone."""
    if not is_reference(stored):
        return stored
    found = await database.execute("SELECT body FROM coai.artifacts WHERE hash = %s", (stored,))
    row = await found.fetchone()
    if row is None:
        raise JournalError("A value of a run is gone from the journal.")
    return unpacked(row[0])


async def get(database: Connection, stored: bytes) -> Json:
    """Return a value that was stored."""
    return decoded(await content_of(database, stored))


async def named(database: Connection, run: str, *, lock: bool = False) -> list[RunRow]:
    """Return the run of that name, or at most two whose names begin so."""
    found = await database.execute(
        f"SELECT {_COLUMNS} FROM coai.runs WHERE id = %(run)s OR starts_with(id, %(run)s)"  # noqa: S608 - our own names
        f" ORDER BY id = %(run)s DESC LIMIT 2{' FOR UPDATE' if lock else ''}",
        {"run": plain(run)},
    )
    return [row_of(each) for each in await found.fetchall()]


async def rows(database: Connection, rest: str, *values: object) -> list[RunRow]:
    """Return runs; `rest` is our own SQL after the table's name."""
    found = await database.execute(f"SELECT {_COLUMNS} FROM coai.runs {rest}", values)  # noqa: S608 - as above
    return [row_of(each) for each in await found.fetchall()]


async def newest(database: Connection, most: int) -> list[tuple[RunRow, int]]:
    """Return the newest runs, each with the number of its last event."""
    found = await database.execute(
        f"SELECT {_COLUMNS}, (SELECT MAX(seq) FROM coai.events WHERE run = number)"  # noqa: S608 - as above
        " FROM coai.runs ORDER BY number DESC LIMIT %s",
        (most,),
    )
    return [(row_of(each[:-1]), each[-1] or 0) for each in await found.fetchall()]


async def story(database: Connection, row: RunRow) -> Story:
    """Return all of a run."""
    found = await database.execute(
        "SELECT plan, input FROM coai.runs WHERE number = %s", (row.number,)
    )
    plan, given = await found.fetchone()
    events, steps = await since(database, row.number, 0)
    return Story(
        row,
        (await content_of(database, plan)).decode(),
        await get(database, given),
        events,
        steps,
    )


async def since(
    database: Connection, number: int, seq: int
) -> tuple[tuple[Event, ...], tuple[StepEnd, ...]]:
    """Return what happened in a run from an event on."""
    found = await database.execute(
        "SELECT seq, kind, step, body, at FROM coai.events WHERE run = %s AND seq >= %s"
        " ORDER BY seq",
        (number, seq),
    )
    events = tuple(
        Event(seq, kind, step or "", None if body is None else decoded(body), at)
        for seq, kind, step, body, at in await found.fetchall()
    )
    found = await database.execute(
        "SELECT step, state, output, attempt, facts, seq FROM coai.steps"
        " WHERE run = %s AND seq >= %s ORDER BY seq",
        (number, seq),
    )
    steps: list[StepEnd] = []
    for step, state, output, attempt, facts, place in await found.fetchall():
        value = None if output is None else await get(database, output)
        told = read_facts(None if facts is None else facts.decode("utf-8", "surrogatepass"))
        steps.append(StepEnd(step, state, value, attempt, told, place))
    return events, tuple(steps)


def row_of(values: tuple[Any, ...]) -> RunRow:
    """Return a run from its columns."""
    number, name, title, state, created, changed, parent, owner, fence, wish, facts = values
    return RunRow(
        *(number, name, title, state, created, changed, parent, owner, fence, wish), decoded(facts)
    )


async def is_released(database: Connection, lease: Lease, event: Event) -> bool:
    """Say whether this very release was written already, before a connection broke."""
    found = await database.execute(
        "SELECT 1 FROM coai.runs r JOIN coai.events e ON e.run = r.number WHERE r.number = %s"
        " AND r.fence = %s AND r.owner IS NULL AND e.seq = %s AND e.kind = %s",
        (lease.number, lease.fence, event.seq, event.kind),
    )
    return await found.fetchone() is not None


async def add_events(database: Connection, number: int, events: Sequence[Event], at: str) -> None:
    """Add events to a run, once each."""
    for event in events:
        body = None if event.body is None else encoded(event.body)
        # The lease says that nobody else writes here: what is there is this very event.
        await database.execute(
            "INSERT INTO coai.events (run, seq, at, kind, step, body)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (number, event.seq, at, event.kind, event.step or None, body),
        )


async def add_step(database: Connection, run: int, seq: int, end: StepEnd) -> None:
    """Add what a step ended in to a run, once."""
    output = None if end.output is None else await put(database, encoded(end.output))
    facts = end.facts.as_text()
    await database.execute(
        "INSERT INTO coai.steps (run, seq, step, attempt, state, output, facts)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (
            *(run, seq, end.step, end.attempt, end.state, output),
            None if facts is None else facts.encode("utf-8", "surrogatepass"),
        ),
    )
