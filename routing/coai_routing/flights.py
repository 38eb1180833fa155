"""Identical requests under way are answered once, and everybody who waits hears the answer."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

T = TypeVar("T")


class _Flight(Generic[T]):
    """What has been said so far, by whom, and who listens."""

    def __init__(self) -> None:
        self.said: list[T] = []
        self.listeners = 0
        self.news = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.error: BaseException | None = None
        self.over = False

    def tell(self) -> None:
        """Wake everybody who listens."""
        news, self.news = self.news, asyncio.Event()
        news.set()


class Flights(Generic[T]):
    """Streams under way, by what determines their answers."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[T]] = {}

    def under_way(self, key: str) -> bool:
        """Say whether somebody asks this at the moment."""
        return key in self._flights

    async def join(self, key: str, start: Callable[[], AsyncGenerator[T]]) -> AsyncGenerator[T]:
        """Yield a stream from its beginning, starting it unless it is under way.

        Its errors are raised to everybody. When the last listener leaves, it is cancelled, and has
        ended when this returns.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight()
            flight.task = asyncio.create_task(self._fly(key, flight, start))
        flight.listeners += 1
        try:
            at = 0
            while True:
                while at < len(flight.said):
                    at += 1
                    yield flight.said[at - 1]
                if flight.over:
                    break
                await flight.news.wait()
            if flight.error is not None:
                raise flight.error
        finally:
            flight.listeners -= 1
            if not flight.listeners and not flight.over:
                if self._flights.get(key) is flight:
                    del self._flights[key]
                await _cancelled(flight)

    async def _fly(
        self, key: str, flight: _Flight[T], start: Callable[[], AsyncGenerator[T]]
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


async def _cancelled(flight: _Flight[T]) -> None:
    task = flight.task
    if task is not None and not task.done():
        task.cancel()
        await asyncio.wait((task,))
