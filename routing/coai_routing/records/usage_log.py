"""The ledger: a local record of what completion requests ended in and what became of suggestions.

Whoever records appends to a queue in memory and goes on. One thread writes what has gathered, a
batch at a time. When the file cannot be written, the ledger goes quiet with a problem that can be
asked for, keeps what still fits the queue, and tries again now and then; the daemon does not mind.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import threading
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from coai_routing.errors import LedgerError
from coai_routing.records.private_sqlite import transaction
from coai_routing.records.usage_file import (
    RefusedRowsError,
    UnusableFileError,
    number,
    open_ledger,
    translated,
)
from coai_routing.records.usage_rows import milliseconds

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from coai_routing.records.usage_rows import UsageRow

logger = logging.getLogger(__name__)

CAPACITY: Final = 10_000
"""Rows that wait to be written; what comes on top of them is lost, and counted. About 5 MB."""

BATCH_SECONDS: Final = 2.0
"""How long rows gather before they are written together; a process that is killed loses them."""

QUIET_SECONDS: Final = 0.3
"""Writing waits until so long nothing was recorded: writing takes the interpreter from a keystroke
that is being answered (measured: 5 ms on the slowest hundredth), and while somebody types, requests
end more often than that."""

MOST_SECONDS: Final = 10.0
"""Rows gather no longer than this, however busy it is."""

RETRY_SECONDS: Final = 60.0
"""The pause after a failure before the file is tried again."""

CLOSE_SECONDS: Final = 2.0
"""How long the last rows may take when the daemon ends."""

PRUNE_SECONDS: Final = 6 * 3600.0
"""How often old rows are looked for in a daemon that runs on."""

MOST_BYTES: Final = 64 * 1024 * 1024
"""The file's size above which the oldest rows go, whatever their age: some 300,000 requests."""

_OLDEST_SHARE: Final = 5
"""One in so many rows goes when the file is too large."""

_TABLES: Final = (("requests", "at"), ("suggestions", "shown_at"))
"""What is pruned, and each table's column with the time."""


class UsageLog:
    """Writes rows to the user's ledger. `record` belongs to one thread, the event loop's."""

    def __init__(
        self,
        path: Path,
        *,
        days: Callable[[], int] = lambda: 90,
        most_bytes: int = MOST_BYTES,
        batch_seconds: float = BATCH_SECONDS,
        quiet_seconds: float = QUIET_SECONDS,
        most_seconds: float = MOST_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.path = path
        self.run: Final = secrets.randbits(62)
        """Names this run of the daemon, so that its suggestions' identities are its own."""
        self.lost = 0
        """Rows that were not recorded because too many waited."""
        self._days = days
        self._most_bytes = most_bytes
        self._batch_seconds = batch_seconds
        self._quiet_seconds = quiet_seconds
        self._most_seconds = most_seconds
        self._retry_seconds = retry_seconds
        self._now = now
        self._waiting: deque[UsageRow | threading.Event] = deque()
        self._pending = threading.Event()
        self._hurry = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._database: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._problem: LedgerError | None = None
        self._pruned_at = -math.inf
        self._recorded_at = -math.inf

    @property
    def problem(self) -> LedgerError | None:
        """Why nothing can be recorded at the moment, or None."""
        return self._problem

    # ------------------------------------------------------------ recording

    def record(self, row: UsageRow) -> None:
        """Have a row written soon. It costs an append; nothing is imported and nothing waited for.

        Rows that are recorded before `open` wait for it.
        """
        if len(self._waiting) >= CAPACITY:
            self.lost += 1
            return
        self._waiting.append(row)
        self._recorded_at = time.monotonic()
        if not self._pending.is_set():
            self._pending.set()

    # ----------------------------------------------------------- life cycle

    def open(self) -> None:
        """Begin to write, in a thread of its own; returns at once."""
        if self._thread is None and not self._closing:
            # It must not keep the process: a disk may hang.
            self._thread = threading.Thread(target=self._run, name="coai-ledger", daemon=True)
            self._thread.start()

    def flush(self, seconds: float) -> bool:
        """Wait until all that was recorded so far is committed; False if it was not in time."""
        written = threading.Event()
        self._waiting.append(written)
        self._pending.set()
        self._hurry.set()
        return written.wait(seconds)

    def close(self, seconds: float = CLOSE_SECONDS) -> bool:
        """Write what waits and close the file; False if that was not done in time."""
        self._closing = True
        self._hurry.set()
        self._pending.set()
        if self._thread is None:
            return True
        self._thread.join(seconds)
        ended = not self._thread.is_alive()
        if not ended:
            logger.warning("The ledger's last rows were not written in %.0f s.", seconds)
        return ended

    async def aclose(self, seconds: float = CLOSE_SECONDS) -> None:
        """Write what waits and close the file, within a deadline."""
        await asyncio.to_thread(self.close, seconds)

    # ----------------------------------------------------- the writer's thread

    def _run(self) -> None:
        while True:
            self._pending.wait()
            self._gather()
            # In this order: what is set after the clearing is seen in the next round.
            self._hurry.clear()
            self._pending.clear()
            closing = self._closing
            written = self._write_waiting()
            if closing:
                break
            if not written:
                self._hurry.wait(self._retry_seconds)
                self._pending.set()
        self._let_go()

    def _gather(self) -> None:
        """Wait for more rows, and then for a moment in which nothing is asked."""
        latest = time.monotonic() + max(self._batch_seconds, self._most_seconds)
        pause = self._batch_seconds
        while not self._hurry.wait(pause):
            now = time.monotonic()
            pause = min(self._recorded_at + self._quiet_seconds, latest) - now
            if pause <= 0:
                return

    def _write_waiting(self) -> bool:
        """Write all that waits; False if it could not be written and waits on."""
        batch: list[UsageRow | threading.Event] = []
        while self._waiting:
            batch.append(self._waiting.popleft())
        rows = _newest([one for one in batch if not isinstance(one, threading.Event)])
        try:
            self._write_twice(rows)
        except RefusedRowsError as error:
            logger.exception("%d rows were not recorded.", len(rows), exc_info=error)
        except LedgerError as error:
            self._go_quiet(error)
            self._waiting.extendleft(reversed(batch))
            return False
        if self._problem is not None:
            logger.warning("The ledger is written to again.")
            self._problem = None
        for one in batch:
            if isinstance(one, threading.Event):
                one.set()
        try:
            self._prune()
        except LedgerError as error:
            self._go_quiet(error)
        return True

    def _go_quiet(self, error: LedgerError) -> None:
        self._let_go()
        if self._problem is None or self._problem.message != error.message:
            logger.warning("Nothing is recorded at the moment. %s", error)
        self._problem = error

    def _write_twice(self, rows: Sequence[UsageRow]) -> None:
        """Write rows, once more where the file turns out to be damaged and is set aside."""
        try:
            self._write(rows)
        except UnusableFileError as error:
            logger.warning("%s It is opened anew.", error.message)
            self._let_go()
            self._write(rows, suspect=True)

    def _write(self, rows: Sequence[UsageRow], *, suspect: bool = False) -> None:
        """Commit rows; raises `LedgerError`."""
        database = self._opened(suspect=suspect)
        with translated(self.path), transaction(database):
            for row in rows:
                database.execute(row.statement, row.values(self.run))

    def _opened(self, *, suspect: bool) -> sqlite3.Connection:
        if self._database is not None and self._file != _identity(self.path):
            # The user deleted it, or another daemon set it aside.
            self._let_go()
        if self._database is None:
            self._database = open_ledger(self.path, suspect=suspect)
            self._file = _identity(self.path)
            self._pruned_at = -math.inf
        return self._database

    def _let_go(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _prune(self) -> None:
        """Delete what is too old, and the oldest rows where the file is too large."""
        database = self._database
        if database is None or time.monotonic() - self._pruned_at < PRUNE_SECONDS:
            return
        self._pruned_at = time.monotonic()
        oldest = milliseconds(self._now() - timedelta(days=self._days()))
        with translated(self.path):
            with transaction(database):
                for table, at in _TABLES:
                    database.execute(f"DELETE FROM {table} WHERE {at} < ?", (oldest,))  # noqa: S608 - names of our own
            while _bytes_used(database) > self._most_bytes:
                with transaction(database):
                    gone = sum(_drop_oldest(database, table) for table, _ in _TABLES)
                if not gone:
                    break
            # A page a step, and `execute` takes one step where no columns come back.
            database.executescript("PRAGMA incremental_vacuum")


def _newest(rows: Sequence[UsageRow]) -> list[UsageRow]:
    """Leave out what a later row of the same batch takes the place of."""
    newest = {row.key: row for row in rows if row.key is not None}
    return [row for row in rows if row.key is None or newest[row.key] is row]


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells this file from another one of its name; None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _bytes_used(database: sqlite3.Connection) -> int:
    pages, free, size = (
        number(database, f"PRAGMA {name}") for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def _drop_oldest(database: sqlite3.Connection, table: str) -> int:
    """Delete the oldest rows of a table; return how many."""
    first, last = database.execute(f"SELECT min(id), max(id) FROM {table}").fetchone()  # noqa: S608 - names of our own
    if first is None:
        return 0
    upto = first + (last - first) // _OLDEST_SHARE
    return database.execute(f"DELETE FROM {table} WHERE id <= ?", (upto,)).rowcount  # noqa: S608 - as above
