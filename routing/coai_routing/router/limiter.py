"""When to try again, and who goes first when not everybody can."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from coai_routing.errors import AuthenticationError as WrongKeyError
from coai_routing.errors import (
    BadReplyError,
    EgressRefusedError,
    ModelNotFoundError,
    OutOfMemoryError,
    OverBudgetError,
    ProviderBusyError,
    ProviderUnavailableError,
    ReplyCutOffError,
    RequestRejectedError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from coai_routing.errors import ProviderError

FIRST_WAIT: Final = 0.25
"""Seconds before the first retry, at most; each further wait may be twice as long."""

LONGEST_WAIT: Final = 8.0

PATIENCE: Final = 1.0
"""Seconds that a busy backend may ask to wait while another one could answer at once."""

RETRIES: Final = 2
"""How often one backend is asked again in one call."""

_FINAL: Final = (
    EgressRefusedError,
    ModelNotFoundError,
    OutOfMemoryError,
    RequestRejectedError,
    WrongKeyError,
)
_PASSING: Final = (ProviderBusyError, ProviderUnavailableError, ReplyCutOffError, BadReplyError)


def blames_backend(error: ProviderError) -> bool:
    """Say whether a failure tells something of the backend's health, not of the request."""
    return not isinstance(error, RequestRejectedError | EgressRefusedError | OverBudgetError)


def wait_before_retry(
    error: ProviderError,
    *,
    tried: int,
    time_left: float,
    others: bool,
    draw: Callable[[], float] = random.random,
) -> float | None:
    """Return the seconds until the same backend is asked again; None to leave it.

    `tried` is how often it was asked in this call, `others` whether another backend could answer.
    Exponential backoff with full jitter (M. Brooker, AWS Architecture Blog, 2015); what the backend
    asked for by Retry-After is the least.
    """
    if isinstance(error, _FINAL) or not isinstance(error, _PASSING) or tried > RETRIES:
        return None
    if others and tried > 1:
        return None
    asked_for = error.retry_after if isinstance(error, ProviderBusyError) else None
    backoff = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (tried - 1)) * draw()
    wait = backoff if asked_for is None else asked_for + FIRST_WAIT * draw()
    if others and wait > PATIENCE:
        return None
    # What is left after the wait must be worth asking for.
    return wait if wait < time_left * 0.9 else None


class Limiter:
    """Lets so many through at a time: those of a smaller priority number first, else in order.

    Of those that could go through together, each goes one turn of the event loop after the other.
    So the first one's bytes are sent before the last one is planned, the answers come apart as the
    requests went, and a crowd does not move in waves during which the backend waits.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._inside = 0
        self._somebody_goes = False
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    @property
    def inside(self) -> int:
        """How many are through."""
        return self._inside

    @asynccontextmanager
    async def passing(self, priority: int) -> AsyncGenerator[None]:
        """Wait for a turn and hold it; a cancelled wait takes no turn."""
        if not self.enter_at_once():
            await self.enter(priority)
        try:
            yield
        finally:
            self.leave()

    def enter_at_once(self) -> bool:
        """Take a turn that is free; False if there is none. Whoever has one calls `leave`."""
        if self._inside >= self.limit or self._waiting or self._somebody_goes:
            return False
        self._go()
        return True

    async def enter(self, priority: int) -> None:
        """Wait for a turn, those of a smaller priority number first."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._numbers), turn))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # It was its turn at the very moment: hand it on.
                self.leave()
            raise

    def leave(self) -> None:
        """Give a turn back."""
        self._inside -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._inside < self.limit and not self._somebody_goes:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                self._go()
                turn.set_result(None)

    def _go(self) -> None:
        self._inside += 1
        self._somebody_goes = True
        asyncio.get_running_loop().call_soon(self._gone)

    def _gone(self) -> None:
        self._somebody_goes = False
        self._admit()
