"""Connections to PostgreSQL, and the one that writes: in order, many pieces in one commit.

As with the file, what comes in while a commit is under way goes into the next one. A connection
that breaks is made anew, and the pieces of the commit that it broke off are done again: each of
them is written so that doing it twice is doing it once.
"""

from __future__ import annotations

import asyncio
import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from coai_agents.workflows.cluster.errors import ClusterError
from coai_agents.workflows.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from coai_routing.cluster.databases import Shared

logger = logging.getLogger(__name__)

T = TypeVar("T")
Connection: TypeAlias = Any
"""An asynchronous connection of psycopg, which is there only with the extra `cluster`."""
Work: TypeAlias = "Callable[[Connection], Awaitable[Any]]"

CONNECT_SECONDS: Final = 10
AGAIN_SECONDS: Final = (0.0, 0.1, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Waits before a connection is tried once more, so that a restart of PostgreSQL ends no run."""
MOST_AT_ONCE: Final = 128


def driver() -> Any:  # noqa: ANN401 - a module
    """Return psycopg; raises `ClusterError` where it is not installed."""
    try:
        return import_module("psycopg")
    except ImportError as error:
        raise ClusterError(
            "Runs cannot be shared: the client of PostgreSQL is not installed.",
            remedy="Install `coai[cluster]`.",
        ) from error


async def connect(store: Shared) -> Connection:
    """Connect; raises `JournalError`, whose message repeats no address."""
    psycopg = driver()
    try:
        return await psycopg.AsyncConnection.connect(
            store.url,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            application_name="coai",
            keepalives_idle=30,
        )
    except (psycopg.Error, OSError, UnicodeError) as error:
        raise JournalError(
            f"{store} does not answer: {why(error)}.",
            remedy="See that it runs, that its database exists, and that the password is right.",
        ) from None


def why(error: BaseException) -> str:
    """Return what a driver's error says of itself: its kind and state, never an address."""
    state = getattr(error, "sqlstate", None)
    if state:
        return f"{type(error).__name__} ({state})"
    words = str(error).lower()
    for sign, said in (
        ("password", "the password was not accepted, or none was given"),
        ("certificate", "its certificate cannot be checked"),
        ("ssl", "TLS could not be agreed on"),
        ("refused", "the connection was refused"),
        ("does not exist", "there is no such database or user"),
        ("timeout", "it took too long"),
        ("resolve", "its host is not known"),
        ("no such file", "there is no socket"),
    ):
        if sign in words:
            return said
    return type(error).__name__


class Writer:
    """Writes from one event loop over one connection."""

    def __init__(self, store: Shared) -> None:
        """Connect when there is something to write."""
        self._store = store
        self._work: asyncio.Queue[tuple[Work, asyncio.Future[Any] | None] | None] = asyncio.Queue()
        self._connection: Connection = None
        self._task = asyncio.create_task(self._write(), name="coai-cluster-journal")
        self._broken = driver().OperationalError, driver().InterfaceError

    async def do(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do something in a transaction; returns what it returned when that is on the disk.

        Raises what it raised, and `JournalError` where nothing can be written.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._work.put_nowait((work, future))
        return await future

    def soon(self, work: Work) -> None:
        """Do something before whatever is handed in after it; nobody waits for it."""
        self._work.put_nowait((work, None))

    async def close(self) -> None:
        """Write what was handed in, and close the connection."""
        self._work.put_nowait(None)
        await self._task
        if self._connection is not None:
            await self._connection.close()

    async def _write(self) -> None:
        while (first := await self._work.get()) is not None:
            batch = [first]
            while len(batch) < MOST_AT_ONCE and not self._work.empty():
                following = self._work.get_nowait()
                if following is None:
                    self._work.put_nowait(None)
                    break
                batch.append(following)
            await self._committed(batch)

    async def _committed(self, batch: list[tuple[Work, asyncio.Future[Any] | None]]) -> None:
        failed: JournalError | None = None
        for seconds in AGAIN_SECONDS:
            await asyncio.sleep(seconds)
            try:
                outcomes = await self._tried(batch)
            except JournalError as error:
                failed = error
                continue
            except self._broken as error:
                failed = JournalError(
                    f"{self._store} broke off: {why(error)}.",
                    remedy="See that it runs; runs go on by themselves when it does again.",
                )
                await self._lost()
                continue
            for (_, future), (value, error) in zip(batch, outcomes, strict=True):
                _tell(future, value, error)
            return
        for _, future in batch:
            _tell(future, None, failed)

    async def _tried(
        self, batch: list[tuple[Work, asyncio.Future[Any] | None]]
    ) -> list[tuple[Any, BaseException | None]]:
        """Do all of it in one commit; where a piece fails, each by itself, so that one does."""
        if self._connection is None or self._connection.closed:
            self._connection = await connect(self._store)
        database = self._connection
        if len(batch) > 1:
            try:
                async with database.transaction():
                    return [(await work(database), None) for work, _ in batch]
            except self._broken:
                raise
            except Exception:  # noqa: BLE001 - found out and told below, each to whom it concerns
                logger.debug("A commit of %d pieces is done again, one by one.", len(batch))
        outcomes: list[tuple[Any, BaseException | None]] = []
        for work, _ in batch:
            try:
                async with database.transaction():
                    outcomes.append((await work(database), None))
            except self._broken:
                raise
            except Exception as error:  # noqa: BLE001 - as above
                outcomes.append((None, error))
        return outcomes

    async def _lost(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.close()
            except self._broken:
                logger.debug("A connection that broke could not be closed.")


def _tell(future: asyncio.Future[Any] | None, value: Any, error: BaseException | None) -> None:  # noqa: ANN401 - what it is
    if future is None or future.done():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
