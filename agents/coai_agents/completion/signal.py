"""Something that happens once, and waiting for whichever of several things happens first.

`asyncio.wait` makes a task for each thing waited for and goes round the loop for each of them;
between a keystroke and its suggestion that is time which the user sees.
"""

from __future__ import annotations

import asyncio


class Signal:
    """Happens once. Belongs to one event loop."""

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: set[asyncio.Future[None]] = set()

    def is_set(self) -> bool:
        """Say whether it has happened."""
        return self._is_set

    def set(self) -> None:
        """Let it happen: whoever waits goes on."""
        self._is_set = True
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def join(self, future: asyncio.Future[None]) -> None:
        """Have a future resolved when it happens."""
        self._waiting.add(future)

    def leave(self, future: asyncio.Future[None]) -> None:
        """Forget a future."""
        self._waiting.discard(future)

    @classmethod
    async def first(cls, *signals: Signal) -> None:
        """Wait until one of them has happened."""
        if any(signal.is_set() for signal in signals):
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for signal in signals:
            signal.join(future)
        try:
            await future
        finally:
            for signal in signals:
                signal.leave(future)


async def happens(*signals: Signal, until: float) -> bool:
    """Wait for one of several things; False if none has happened at a time of the event loop."""
    try:
        async with asyncio.timeout_at(until):
            await Signal.first(*signals)
    except TimeoutError:
        return False
    return True
