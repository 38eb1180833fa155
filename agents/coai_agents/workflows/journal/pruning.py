"""What the journal forgets: runs that ended long ago, values nobody refers to, kept answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from coai_agents.workflows.journal.records import ENDED

if TYPE_CHECKING:
    import sqlite3

    from coai_agents.workflows.journal.journal import Journal

KEPT_DAYS: Final = 30
KEPT_RUNS: Final = 1000
"""Ended runs that stay at most, the newest ones."""
KEPT_ANSWER_DAYS: Final = 30

_ROUND: Final = "pruned"


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was forgotten."""

    runs: int
    bytes: int


async def prune(journal: Journal, *, days: float = KEPT_DAYS, most: int = KEPT_RUNS) -> Pruned:
    """Forget ended runs that are older or more than that, and give the room back to the disk."""
    before = _size(journal)
    now = datetime.now(UTC)
    oldest = (now - timedelta(days=days)).isoformat(timespec="milliseconds")
    answers = (now - timedelta(days=KEPT_ANSWER_DAYS)).isoformat(timespec="milliseconds")

    def forget(database: sqlite3.Connection) -> int:
        marks = ", ".join("?" * len(ENDED))
        numbers = database.execute(
            f"SELECT number FROM runs WHERE state IN ({marks}) AND owner IS NULL"  # noqa: S608 - marks only
            " AND (changed < ? OR number NOT IN"
            f" (SELECT number FROM runs WHERE state IN ({marks}) ORDER BY number DESC LIMIT ?))",
            (*ENDED, oldest, *ENDED, most),
        ).fetchall()
        for table, column in (("events", "run"), ("steps", "run"), ("runs", "number")):
            database.executemany(f"DELETE FROM {table} WHERE {column} = ?", numbers)  # noqa: S608 - as above
        database.execute("DELETE FROM kept WHERE at < ?", (answers,))
        database.execute(
            "DELETE FROM artifacts WHERE hash NOT IN (SELECT plan FROM runs)"
            " AND hash NOT IN (SELECT input FROM runs)"
            " AND hash NOT IN (SELECT output FROM steps WHERE output IS NOT NULL)"
            " AND hash NOT IN (SELECT output FROM kept)"
        )
        database.execute(
            "INSERT OR REPLACE INTO marks (name, value) VALUES (?, ?)", (_ROUND, now.isoformat())
        )
        return len(numbers)

    count = await journal.writer.do(forget)
    await journal.writer.outside(_give_back)
    return Pruned(count, max(0, before - _size(journal)))


async def prune_sometimes(journal: Journal) -> None:
    """Forget what is too old, once a day, whoever begins a run."""

    def last(database: sqlite3.Connection) -> str:
        row = database.execute("SELECT value FROM marks WHERE name = ?", (_ROUND,)).fetchone()
        return "" if row is None else str(row[0])

    day = datetime.now(UTC).date().isoformat()
    if (await journal.writer.do(last))[:10] != day:
        await prune(journal)


def _give_back(database: sqlite3.Connection) -> None:
    # Only rows that are fetched are steps of it.
    database.execute("PRAGMA incremental_vacuum").fetchall()
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _size(journal: Journal) -> int:
    names = (journal.path, journal.path.with_name(f"{journal.path.name}-wal"))
    return sum(each.stat().st_size for each in names if each.exists())
