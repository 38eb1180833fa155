"""Identical requests under way are answered once, and everybody who waits hears the answer."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Hashable

T = TypeVar("T")


class _Flight(Generic[T]):
    """What has been said so far, by whom, and who listens."""

    def __init__(self) -> None:
        self.said: list[T] = []
        self.listeners = 0
        self.task: asyncio.Task[None] | None = None
        self.error: BaseException | None = None
        self.over = False
        self._for_news: list[asyncio.Future[None]] = []
        self._for_end: list[asyncio.Future[None]] = []

    async def news(self) -> None:
        """Wait until more has been said, or all."""
        await _told(self._for_news)

    async def end(self) -> None:
        """Wait until all has been said: who wants the whole is not woken for its parts."""
        if not self.over:
            await _told(self._for_end)

    def tell(self) -> None:
        """Wake everybody who waits for this."""
        _wake(self._for_news)
        if self.over:
            _wake(self._for_end)


class SingleFlight(Generic[T]):
    """Streams under way, by what determines their answers."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight[T]] = {}

    def under_way(self, key: Hashable) -> bool:
        """Say whether somebody asks this at the moment."""
        return key in self._flights

    async def join(
        self, key: Hashable, start: Callable[[], AsyncGenerator[T]]
    ) -> AsyncGenerator[T]:
        """Yield a stream from its beginning, starting it unless it is under way.

        Its errors are raised to everybody. When the last listener leaves, it is cancelled, and has
        ended when this returns.
        """
        flight = self._board(key, start)
        try:
            at = 0
            while True:
                while at < len(flight.said):
                    at += 1
                    yield flight.said[at - 1]
                if flight.over:
                    break
                await flight.news()
            if flight.error is not None:
                raise flight.error
        finally:
            await self._leave(key, flight)

    async def last(
        self, key: Hashable, start: Callable[[], AsyncGenerator[T]]
    ) -> AsyncGenerator[T]:
        """Yield the last piece of a stream when it is over; otherwise as `join`.

        Who wants the whole is not woken for its parts.
        """
        flight = self._board(key, start)
        try:
            await flight.end()
            if flight.error is not None:
                raise flight.error
            if flight.said:
                yield flight.said[-1]
        finally:
            await self._leave(key, flight)

    def _board(self, key: Hashable, start: Callable[[], AsyncGenerator[T]]) -> _Flight[T]:
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight()
            flight.task = asyncio.create_task(self._fly(key, flight, start))
        flight.listeners += 1
        return flight

    async def _leave(self, key: Hashable, flight: _Flight[T]) -> None:
        flight.listeners -= 1
        if not flight.listeners and not flight.over:
            if self._flights.get(key) is flight:
                del self._flights[key]
            await _cancelled(flight)

    async def _fly(
        self, key: Hashable, flight: _Flight[T], start: Callable[[], AsyncGenerator[T]]
    ) -> None:
        try:
            async with aclosing(start()) as stream:
                async for piece in stream:
                    flight.said.append(piece)
                    flight.tell()
        except Exception as error:  # noqa: BLE001 - it is raised to those who listen
            flight.error = error
        finally:
            flight.over = True
            if self._flights.get(key) is flight:
                del self._flights[key]
            flight.tell()

    async def aclose(self) -> None:
        """Cancel everything under way."""
        for flight in tuple(self._flights.values()):
            await _cancelled(flight)


async def _told(waiting: list[asyncio.Future[None]]) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting.append(future)
    await future


def _wake(waiting: list[asyncio.Future[None]]) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(None)
    waiting.clear()


async def _cancelled(flight: _Flight[T]) -> None:
    task = flight.task
    if task is not None and not task.done():
        task.cancel()
        await asyncio.wait((task,))
