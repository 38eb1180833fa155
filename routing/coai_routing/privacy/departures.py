"""What left this machine: when, to whom, how much, and why it was allowed. Never what it said.

A departure is on disk before its bytes go out, so that nothing can leave unseen. The log is the
user's own, in SQLite, and is read by `coai privacy log`.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import platformdirs

from coai_routing.errors import EgressLogError
from coai_routing.privacy.egress import host_of
from coai_routing.records.private_sqlite import open_private, open_read_only, write_ahead

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from coai_routing.router.calls import Departure

KEPT_DAYS: Final = 365

_PRUNE_EVERY: Final = 1000
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS departures (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    host TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    model TEXT NOT NULL,
    capability TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    why TEXT NOT NULL
)
"""


def location() -> Path:
    """Return where the user's log is."""
    return platformdirs.user_state_path("coai", appauthor=False) / "egress.sqlite3"


@dataclass(frozen=True, slots=True)
class Departed:
    """A departure as it was logged."""

    at: datetime
    host: str
    endpoint: str
    model: str
    capability: str
    content_bytes: int
    why: str

    def as_json(self) -> dict[str, str | int]:
        """Return it for scripts and editors."""
        return {
            "at": self.at.isoformat(),
            "host": self.host,
            "endpoint": self.endpoint,
            "model": self.model,
            "capability": self.capability,
            "bytes": self.content_bytes,
            "why": self.why,
        }


class EgressLog:
    """Writes departures. `record` is for an event loop; the file is used in threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._written = 0

    async def record(self, departure: Departure) -> None:
        """Write a departure; raises EgressLogError, and then nothing may depart."""
        await asyncio.to_thread(self.write, departure)

    def write(self, departure: Departure) -> None:
        """Write a departure; it is on disk when this returns. Raises EgressLogError."""
        with self._lock, _told(self.path):
            if self._database is None:
                self._database = open_private(self.path, _prepare, any_thread=True)
            self._database.execute(
                "INSERT INTO departures (at, host, endpoint, model, capability, bytes, why)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    datetime.now(UTC).isoformat(timespec="milliseconds"),
                    host_of(departure.host),
                    departure.endpoint,
                    departure.model,
                    departure.capability,
                    departure.content_bytes,
                    departure.why,
                ),
            )
            if self._written % _PRUNE_EVERY == 0:
                oldest = datetime.now(UTC) - timedelta(days=KEPT_DAYS)
                self._database.execute("DELETE FROM departures WHERE at < ?", (oldest.isoformat(),))
            self._written += 1

    async def aclose(self) -> None:
        """Close the file."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None


def read_departures(path: Path, *, limit: int = 50) -> tuple[Departed, ...]:
    """Return the last departures, the newest first; none where there is no log.

    Raises EgressLogError.
    """
    if not path.is_file():
        return ()
    with (
        _told(path),
        closing(open_read_only(path)) as db,
    ):
        rows = db.execute(
            "SELECT at, host, endpoint, model, capability, bytes, why FROM departures"
            " ORDER BY id DESC LIMIT ?",
            (limit,),
        ).fetchall()
    return tuple(Departed(datetime.fromisoformat(row[0]), *row[1:]) for row in rows)


def _prepare(database: sqlite3.Connection) -> None:
    write_ahead(database, "FULL")
    database.execute(_SCHEMA)


@contextmanager
def _told(path: Path) -> Generator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise EgressLogError(
            f"The log of what leaves this machine, {path}, cannot be used: {error}.",
            remedy="Nothing leaves until it can: make it writable, or move it away.",
        ) from error
