"""Reading the journal: rows into values, and artifacts by their hash."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from coai_agents.workflows.errors import JournalError, RunNotFoundError
from coai_agents.workflows.journal.records import (
    ARTIFACT_BYTES,
    Event,
    RunRow,
    StepEnd,
    Story,
    decoded,
    is_reference,
    packed,
    plain,
    read_facts,
    reference,
    unpacked,
)

if TYPE_CHECKING:
    import sqlite3

    from coai_agents.workflows.definition.types import Json

_COLUMNS: Final = "number, id, name, state, created, changed, parent, owner, fence, wish, facts"


def put(database: sqlite3.Connection, content: bytes, *, always: bool = False) -> bytes:
    """Store a value: as it is, or as an artifact where it is large or `always` one."""
    if len(content) <= ARTIFACT_BYTES and not always:
        return content
    name = reference(content)
    database.execute(
        "INSERT OR IGNORE INTO artifacts (hash, body) VALUES (?, ?)", (name, packed(content))
    )
    return name


def content_of(database: sqlite3.Connection, stored: bytes) -> bytes:
    """Return what was stored; raises `JournalError` where an artifact is gone."""
    if not is_reference(stored):
        return stored
    row = database.execute("SELECT body FROM artifacts WHERE hash = ?", (stored,)).fetchone()
    if row is None:
        raise JournalError("A value of a run is gone from the journal.")
    return unpacked(row[0])


def get(database: sqlite3.Connection, stored: bytes) -> Json:
    """Return a value that was stored."""
    return decoded(content_of(database, stored))


def find(database: sqlite3.Connection, run: str) -> RunRow:
    """Return a run by its name, or the beginning of it; raises `RunNotFoundError`."""
    found = database.execute(
        f"SELECT {_COLUMNS} FROM runs WHERE id = ?1 OR substr(id, 1, length(?1)) = ?1"  # noqa: S608 - our own names
        " ORDER BY id = ?1 DESC LIMIT 2",
        (plain(run),),
    ).fetchall()
    if not found or not run or (len(found) > 1 and found[0][1] != run):
        many = "More than one run begins with" if found and run else "There is no run"
        raise RunNotFoundError(f"{many} {run}.", remedy="`coai runs list` shows them.")
    return _row(found[0])


def rows(database: sqlite3.Connection, most: int) -> list[RunRow]:
    """Return the newest runs."""
    found = database.execute(
        f"SELECT {_COLUMNS} FROM runs ORDER BY number DESC LIMIT ?",  # noqa: S608 - as above
        (most,),
    )
    return [_row(each) for each in found]


def newest(database: sqlite3.Connection, most: int) -> list[tuple[RunRow, int]]:
    """Return the newest runs, each with the number of its last event."""
    found = database.execute(
        f"SELECT {_COLUMNS}, (SELECT MAX(seq) FROM events WHERE run = number) FROM runs"  # noqa: S608 - as above
        " ORDER BY number DESC LIMIT ?",
        (most,),
    )
    return [(_row(each[:-1]), each[-1] or 0) for each in found]


def under_way(database: sqlite3.Connection) -> list[RunRow]:
    """Return the runs that somebody carries out, or did when it was killed."""
    found = database.execute(
        f"SELECT {_COLUMNS} FROM runs WHERE state = 'running' ORDER BY number"  # noqa: S608 - as above
    )
    return [_row(each) for each in found]


def story(database: sqlite3.Connection, run: str) -> Story:
    """Return all of a run; raises `RunNotFoundError`."""
    row = find(database, run)
    plan, given = database.execute(
        "SELECT plan, input FROM runs WHERE number = ?", (row.number,)
    ).fetchone()
    events = database.execute(
        "SELECT seq, kind, step, body, at FROM events WHERE run = ? ORDER BY seq", (row.number,)
    ).fetchall()
    steps = database.execute(
        "SELECT step, state, output, attempt, facts, seq FROM steps WHERE run = ? ORDER BY seq",
        (row.number,),
    ).fetchall()
    return Story(
        row,
        content_of(database, plan).decode(),
        get(database, given),
        tuple(
            Event(seq, kind, step or "", None if body is None else json.loads(body), at)
            for seq, kind, step, body, at in events
        ),
        tuple(
            StepEnd(
                step,
                state,
                None if output is None else get(database, output),
                attempt,
                read_facts(facts),
                seq,
            )
            for step, state, output, attempt, facts, seq in steps
        ),
    )


def happened(
    database: sqlite3.Connection, run: str, after: int
) -> tuple[RunRow, list[tuple[Event, StepEnd | None]]]:
    """Return a run and its events of higher numbers, each with the step's end that it tells of.

    What steps gave is left out. Raises `RunNotFoundError`.
    """
    row = find(database, run)
    found = database.execute(
        "SELECT e.seq, e.kind, e.step, e.body, e.at, s.state, s.attempt, s.facts FROM events e"
        " LEFT JOIN steps s ON s.run = e.run AND s.seq = e.seq"
        " WHERE e.run = ? AND e.seq > ? ORDER BY e.seq",
        (row.number, after),
    ).fetchall()
    return row, [
        (
            Event(seq, kind, step or "", None if body is None else json.loads(body), at),
            None if state is None else StepEnd(step, state, None, attempt, read_facts(facts), seq),
        )
        for seq, kind, step, body, at, state, attempt, facts in found
    ]


def _row(values: tuple[Any, ...]) -> RunRow:
    number, name, title, state, created, changed, parent, owner, fence, wish, facts = values
    return RunRow(
        *(number, name, title, state, created, changed, parent, owner, fence, wish),
        json.loads(facts),
    )
