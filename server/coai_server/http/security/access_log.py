"""The log of access: who asked for what, when, and how it ended. Never what was said.

In SQLite, written by a thread of its own, so that nobody waits for it.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from coai_routing.errors import CoaiError
from coai_routing.records.private_sqlite import (
    open_private,
    open_read_only,
    transaction,
    write_ahead,
)

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

KEPT_DAYS: Final = 180
MOST_WAITING: Final = 10_000
"""Entries that wait for the disk; what comes on top is counted and not kept."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS access (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    tenant TEXT NOT NULL,
    who TEXT NOT NULL,
    address TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    status INTEGER NOT NULL,
    ms REAL NOT NULL
)
"""


class AccessLogError(CoaiError):
    """The log of access cannot be used."""


@dataclass(frozen=True, slots=True)
class Access:
    """One request. `path` is without its query."""

    at: str
    tenant: str
    who: str
    address: str
    method: str
    path: str
    status: int
    ms: float


class AccessLog:
    """Writes accesses in a thread."""

    def __init__(self, path: Path) -> None:
        """Open it; raises `AccessLogError`, because a door that cannot log does not open."""
        self.path = path
        try:
            self._database = open_private(path, _prepare, any_thread=True)
            oldest = (datetime.now(UTC) - timedelta(days=KEPT_DAYS)).isoformat()
            self._database.execute("DELETE FROM access WHERE at < ?", (oldest,))
        except (sqlite3.Error, OSError) as error:
            raise AccessLogError(
                f"The log of access, {path}, cannot be used: {error}.",
                remedy="See that its folder can be written to and its disk has room.",
            ) from error
        self._waiting: queue.Queue[Access | None] = queue.Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._write, name="coai-access", daemon=True)
        self._thread.start()
        self.lost = 0

    def note(self, access: Access) -> None:
        """Take an access in, without waiting."""
        try:
            self._waiting.put_nowait(access)
        except queue.Full:
            self.lost += 1

    def close(self) -> None:
        """Write what waits, and close the file; blocks until that is done."""
        self._waiting.put(None)
        self._thread.join()

    def _write(self) -> None:
        failing = False
        with closing(self._database) as database:
            while (first := self._waiting.get()) is not None:
                batch = [first]
                ended = False
                while not ended and len(batch) < MOST_WAITING and not self._waiting.empty():
                    more = self._waiting.get()
                    ended = more is None
                    if more is not None:
                        batch.append(more)
                try:
                    _insert(database, batch)
                    failing = False
                except sqlite3.Error as error:
                    self.lost += len(batch)
                    if not failing:
                        logger.error("The log of access cannot be written: %s", error)  # noqa: TRY400 - no defect of ours
                    failing = True
                if ended:
                    return


def _insert(database: sqlite3.Connection, batch: list[Access]) -> None:
    with transaction(database):
        database.executemany(
            "INSERT INTO access (at, tenant, who, address, method, path, status, ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (one.at, one.tenant, one.who, one.address, one.method, one.path, one.status, one.ms)
                for one in batch
            ],
        )


def read_accesses(path: Path, tenant: str | None, *, limit: int) -> list[Access]:
    """Return the last accesses, the newest first: a tenant's, or everybody's. Takes a while."""
    with closing(open_read_only(path)) as database:
        rows = database.execute(
            "SELECT at, tenant, who, address, method, path, status, ms FROM access"
            " WHERE ?1 IS NULL OR tenant = ?1 ORDER BY id DESC LIMIT ?2",
            (tenant, limit),
        ).fetchall()
    return [Access(*row) for row in rows]


def _prepare(database: sqlite3.Connection) -> None:
    write_ahead(database, "NORMAL")
    database.execute(_SCHEMA)


def access_file(state: Path) -> Path:
    """Return where the log is."""
    return state / "access.sqlite3"
