"""What is kept of sessions, so that an editor can show one again and go on with it.

A user's words and our answers are kept in a database of the user's own and nowhere else. A session
belongs to its folder: it is loaded only there.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast
from uuid import uuid4

import platformdirs

from coai_routing.errors import CoaiError
from coai_routing.records.private_sqlite import open_private, set_aside, transaction, write_ahead

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MOST_SESSIONS: Final = 200
"""Sessions that are kept; the ones that were used longest ago go first."""

MOST_CHARACTERS: Final = 200_000
"""Of one turn that are kept."""

PAGE: Final = 50
"""Sessions that are listed at a time."""

Speaker: TypeAlias = Literal["user", "agent"]

_APPLICATION_ID: Final = 0x434F4143
_VERSION: Final = 1
_TABLES: Final = (
    """CREATE TABLE sessions (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        folder TEXT NOT NULL,
        mode TEXT NOT NULL,
        title TEXT NOT NULL,
        recent TEXT NOT NULL,
        changed TEXT NOT NULL
    )""",
    """CREATE TABLE turns (
        number INTEGER PRIMARY KEY,
        session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
        speaker TEXT NOT NULL,
        words TEXT NOT NULL
    )""",
    "CREATE INDEX turns_session ON turns (session)",
)


class SessionError(CoaiError):
    """A session is not there, or what is kept of sessions cannot be read or written."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One session as it is kept."""

    id: str
    folder: str
    """Absolute, with links followed."""
    mode: str
    title: str = ""
    """What was asked first, in one line."""
    recent: tuple[str, ...] = ()
    """What the last turn was about, as `FILE:LINES` relative to the folder."""
    changed: str = ""


def location() -> Path:
    """Return where the user's sessions are kept."""
    return platformdirs.user_state_path("coai", appauthor=False) / "sessions.sqlite3"


class Sessions:
    """The user's sessions; each call opens the database, because minutes lie between them.

    All of it raises `SessionError`.
    """

    def __init__(self, path: Path) -> None:
        """Open nothing yet."""
        self._path = path

    def new(self, folder: Path, mode: str) -> Kept:
        """Return a new session of a folder; it is kept from its first turn on."""
        return Kept(uuid4().hex, os.path.realpath(folder), mode)

    def find(self, name: str, folder: Path) -> Kept:
        """Return a session, if it is one of that folder."""
        with closing(self._opened()) as database:
            row = self._asked(database, "SELECT * FROM sessions WHERE id = ?", (name,)).fetchone()
        if row is None or row["folder"] != os.path.realpath(folder):
            raise SessionError(
                "There is no such session of this folder.", remedy="Begin a new one."
            )
        return _kept(row)

    def listed(self, folder: Path | None, after: int = 0) -> list[Kept]:
        """Return sessions, the last used first, a page from the given number on."""
        where, values = ("", ()) if folder is None else (" WHERE folder = ?", (str(folder),))
        query = f"SELECT * FROM sessions{where} ORDER BY changed DESC, number DESC LIMIT ? OFFSET ?"  # noqa: S608 - of two constants
        with closing(self._opened()) as database:
            rows = self._asked(database, query, (*values, PAGE, after)).fetchall()
        return [_kept(row) for row in rows]

    def turns(self, name: str) -> list[tuple[Speaker, str]]:
        """Return what was said in a session."""
        query = "SELECT speaker, words FROM turns WHERE session = ? ORDER BY number"
        with closing(self._opened()) as database:
            rows = self._asked(database, query, (name,)).fetchall()
        return [(cast("Speaker", row["speaker"]), row["words"]) for row in rows]

    def keep(self, session: Kept, said: Sequence[tuple[Speaker, str]] = ()) -> None:
        """Keep a session as it is now, and what was said since."""
        now = datetime.now(UTC).isoformat()
        values = (
            session.id,
            session.folder,
            session.mode,
            session.title,
            json.dumps(session.recent),
            now,
        )
        put = """INSERT INTO sessions (id, folder, mode, title, recent, changed)
            VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET mode = excluded.mode,
            title = excluded.title, recent = excluded.recent, changed = excluded.changed"""
        old = """DELETE FROM sessions WHERE number IN (
            SELECT number FROM sessions ORDER BY changed DESC, number DESC LIMIT -1 OFFSET ?)"""
        with closing(self._opened()) as database:
            try:
                with transaction(database):
                    database.execute(put, values)
                    database.executemany(
                        "INSERT INTO turns (session, speaker, words) VALUES (?, ?, ?)",
                        [(session.id, who, words[:MOST_CHARACTERS]) for who, words in said],
                    )
                    database.execute(old, (MOST_SESSIONS,))
            except sqlite3.Error as error:
                raise self._failed(error) from error

    def _asked(
        self, database: sqlite3.Connection, query: str, values: tuple[object, ...]
    ) -> sqlite3.Cursor:
        try:
            return database.execute(query, values)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _opened(self) -> sqlite3.Connection:
        try:
            try:
                return open_private(self._path, _prepare)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                set_aside(self._path)
            return open_private(self._path, _prepare)
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> SessionError:
        return SessionError(
            f"What is kept of sessions, {self._path}, cannot be used: {error}.",
            remedy="See that its folder can be written to and its disk has room.",
        )


def _kept(row: sqlite3.Row) -> Kept:
    recent = tuple(map(str, json.loads(row["recent"])))
    return Kept(row["id"], row["folder"], row["mode"], row["title"], recent, row["changed"])


def _prepare(database: sqlite3.Connection) -> None:
    database.row_factory = sqlite3.Row
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version > _VERSION:
        raise SessionError(
            "What is kept of sessions is of a newer COAI.", remedy="Install that version again."
        )
    write_ahead(database, "NORMAL")
    database.execute("PRAGMA foreign_keys = ON")
    with transaction(database):
        if database.execute("PRAGMA user_version").fetchone()[0] == 0:
            if database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
                raise sqlite3.DatabaseError("it is a database of something else")
            for table in _TABLES:
                database.execute(table)
            database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {_VERSION}")
    if database.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
        raise sqlite3.DatabaseError("it is a database of something else")
