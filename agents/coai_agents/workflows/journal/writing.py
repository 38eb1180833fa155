"""The one writer of a journal: a thread that commits all that has come in, together (group commit).

A commit costs a wait for the disk, however much is in it. So whatever is handed in while one is
under way goes into the next one, and everybody waits for their own only.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from coai_agents.workflows.errors import JournalError
from coai_routing.records.private_sqlite import transaction

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
Work: TypeAlias = "Callable[[sqlite3.Connection], Any]"

MOST_AT_ONCE: Final = 512
"""Pieces of work in one commit, so that none waits for ever more of them."""


@dataclass(frozen=True, slots=True)
class _Outside:
    """Work that is done after the transaction that it came in."""

    work: Work

    def __call__(self, _: sqlite3.Connection) -> None:
        """Do nothing within it."""


_Outcome: TypeAlias = tuple[asyncio.Future[Any], Any, BaseException | None]


class Writer:
    """Writes from one event loop to one database."""

    def __init__(self, database: sqlite3.Connection) -> None:
        """Take a database over; `close` closes it."""
        self._database = database
        self._work: queue.SimpleQueue[tuple[Work, asyncio.Future[Any] | None] | None]
        self._work = queue.SimpleQueue()
        self.commits = 0
        self._thread = threading.Thread(target=self._write, name="coai-journal", daemon=True)
        self._thread.start()

    async def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something in a transaction; returns what it returned when that is on the disk.

        Raises what it raised, and `JournalError` where nothing can be written.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._work.put((work, future))
        return await future

    def soon(self, work: Work) -> None:
        """Do something before whatever is handed in after it; nobody waits for it."""
        self._work.put((work, None))

    async def outside(self, work: Work) -> None:
        """Do something that cannot be in a transaction, such as making the file smaller."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._work.put((_Outside(work), future))
        await future

    async def close(self) -> None:
        """Write what was handed in, and close the database."""
        self._work.put(None)
        await asyncio.to_thread(self._thread.join)

    def _write(self) -> None:
        try:
            while (batch := self._batch()) is not None:
                outcomes = self._committed(batch)
                for loop in {future.get_loop() for future, _, _ in outcomes}:
                    mine = [each for each in outcomes if each[0].get_loop() is loop]
                    # A loop that is closed has nobody who waits.
                    with contextlib.suppress(RuntimeError):
                        loop.call_soon_threadsafe(_tell, mine)
        finally:
            self._database.close()

    def _batch(self) -> list[tuple[Work, asyncio.Future[Any] | None]] | None:
        first = self._work.get()
        if first is None:
            return None
        batch = [first]
        while len(batch) < MOST_AT_ONCE:
            try:
                following = self._work.get_nowait()
            except queue.Empty:
                break
            if following is None:
                self._work.put(None)
                break
            batch.append(following)
        return batch

    def _committed(self, batch: list[tuple[Work, asyncio.Future[Any] | None]]) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        try:
            try:
                with transaction(self._database):
                    values = [work(self._database) for work, _ in batch]
                outcomes = [
                    (future, value, None)
                    for (_, future), value in zip(batch, values, strict=True)
                    if future is not None
                ]
            except Exception:  # noqa: BLE001 - found out and told below, each to whom it concerns
                outcomes = self._one_by_one(batch)
            self.commits += 1
            for work, _ in batch:
                if isinstance(work, _Outside):
                    work.work(self._database)
        except sqlite3.Error as error:
            failed = JournalError(
                f"The journal of runs cannot be written: {error}.",
                remedy="See that its disk has room; `coai runs resume` goes on where it stopped.",
            )
            return [(future, None, failed) for _, future in batch if future is not None]
        return outcomes

    def _one_by_one(self, batch: list[tuple[Work, asyncio.Future[Any] | None]]) -> list[_Outcome]:
        """Do all again, so that what fails concerns nobody else; twice as slow, and seldom."""
        outcomes: list[_Outcome] = []
        with transaction(self._database):
            for work, future in batch:
                value, error = self._done(work)
                if future is not None:
                    outcomes.append((future, value, error))
        return outcomes

    def _done(self, work: Work) -> tuple[Any, BaseException | None]:
        """Do one piece; what it did is undone where it fails, and the others' stays."""
        self._database.execute("SAVEPOINT work")
        try:
            value = work(self._database)
        except sqlite3.DatabaseError as error:
            if not isinstance(error, sqlite3.IntegrityError):
                raise
            self._database.execute("ROLLBACK TO work")
            return None, error
        except Exception as error:  # noqa: BLE001 - it is who waits for it that has to know
            self._database.execute("ROLLBACK TO work")
            return None, error
        self._database.execute("RELEASE work")
        return value, None


def _tell(outcomes: list[_Outcome]) -> None:
    for future, value, error in outcomes:
        if future.done():
            continue
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
