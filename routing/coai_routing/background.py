"""The owner of background tasks: none is lost, none dies unnoticed, all end with their owner.

asyncio keeps only a weak reference to a task, and tells of its exception when the task is
collected, which for one that somebody still refers to is never. So whoever starts work that nobody
awaits has an owner for it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

logger = logging.getLogger(__name__)


class Background:
    """Background tasks of one event loop, held until they are over."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(
        self,
        coroutine: Coroutine[Any, Any, None],
        *,
        name: str,
        on_failure: Callable[[BaseException], None] | None = None,
    ) -> asyncio.Task[None]:
        """Run a coroutine as a task; a failure is logged, told to `on_failure`, and ends it."""
        task = asyncio.create_task(coroutine, name=name)
        self._tasks.add(task)

        def ended(_: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if task.cancelled() or (error := task.exception()) is None:
                return
            logger.error("The background task %s failed.", name, exc_info=error)
            if on_failure is not None:
                on_failure(error)

        task.add_done_callback(ended)
        return task

    def repeat(
        self, step: Callable[[], Awaitable[None]], *, every: float, name: str
    ) -> asyncio.Task[None]:
        """Take a step now and so many seconds after each; one that fails does not end it."""
        return self.spawn(_repeated(step, every, name), name=name)

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    async def aclose(self) -> None:
        """Cancel what is under way, and wait until it has ended."""
        for task in tuple(self._tasks):
            task.cancel()
        await self.settle()


async def _repeated(step: Callable[[], Awaitable[None]], every: float, name: str) -> None:
    while True:
        try:
            await step()
        except Exception:
            logger.exception("%s failed; it is tried again in %g s.", name, every)
        await asyncio.sleep(every)
