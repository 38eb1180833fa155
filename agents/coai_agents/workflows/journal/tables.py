"""The tables of the journal, and how its file is opened."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

import platformdirs

from coai_agents.workflows.errors import JournalError
from coai_routing.records.private_sqlite import open_private, set_aside, transaction, write_ahead

if TYPE_CHECKING:
    from pathlib import Path

_APPLICATION_ID: Final = 0x434F4157
_VERSION: Final = 1

_TABLES: Final = (
    # `owner` has the run now, with the fencing token `fence`; `wish` is what others want of it.
    """CREATE TABLE runs (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        plan BLOB NOT NULL,
        input BLOB NOT NULL,
        facts TEXT NOT NULL,
        state TEXT NOT NULL,
        created TEXT NOT NULL,
        changed TEXT NOT NULL,
        parent TEXT,
        owner TEXT,
        fence INTEGER NOT NULL DEFAULT 0,
        beat INTEGER NOT NULL DEFAULT 0,
        wish TEXT
    )""",
    "CREATE INDEX runs_owner ON runs (owner) WHERE owner IS NOT NULL",
    """CREATE TABLE events (
        run INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        at TEXT NOT NULL,
        kind TEXT NOT NULL,
        step TEXT,
        body TEXT,
        PRIMARY KEY (run, seq)
    ) WITHOUT ROWID""",
    # What a step ended in; the event of the same number says when.
    """CREATE TABLE steps (
        run INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        step TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        state TEXT NOT NULL,
        output BLOB,
        facts TEXT
    )""",
    "CREATE UNIQUE INDEX steps_run ON steps (run, seq)",
    "CREATE TABLE artifacts (hash BLOB PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
    """CREATE TABLE kept (
        key BLOB PRIMARY KEY, output BLOB NOT NULL, at TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE TABLE marks (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
)


def location() -> Path:
    """Return where the user's runs are kept."""
    return platformdirs.user_state_path("coai", appauthor=False) / "runs.sqlite3"


def open_tables(path: Path) -> tuple[sqlite3.Connection, Path | None]:
    """Open the journal; a file that is none is set aside, and its new name is returned too.

    Raises `JournalError`.
    """
    try:
        try:
            return open_private(path, _prepare, any_thread=True), None
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            aside = set_aside(path)
        return open_private(path, _prepare, any_thread=True), aside
    except (sqlite3.Error, OSError) as error:
        raise JournalError(
            f"The journal of runs, {path}, cannot be opened: {error}.",
            remedy="See that its folder can be written to and its disk has room.",
        ) from error


def is_journal(database: sqlite3.Connection) -> bool:
    """Say whether a database is a journal; raises sqlite3.Error for what is no database."""
    return _pragma(database, "application_id") == _APPLICATION_ID


def _prepare(database: sqlite3.Connection) -> None:
    version = _pragma(database, "user_version")
    if version > _VERSION:
        raise JournalError(
            "The journal of runs is of a newer COAI.", remedy="Install that version again."
        )
    if version == 0:
        # Freed pages go back to the file system when the journal is pruned.
        database.execute("PRAGMA auto_vacuum = INCREMENTAL")
    # A step that was asked must not be asked again, whatever happens to the machine.
    write_ahead(database, "FULL")
    with transaction(database):
        if _pragma(database, "user_version") == 0:
            if database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
                raise sqlite3.DatabaseError("it is a database of something else")
            for table in _TABLES:
                database.execute(table)
            database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {_VERSION}")
    if _pragma(database, "application_id") != _APPLICATION_ID:
        raise sqlite3.DatabaseError("it is a database of something else")


def _pragma(database: sqlite3.Connection, name: str) -> int:
    return int(database.execute(f"PRAGMA {name}").fetchone()[0])
