"""Wraps a call of a model: one that is late to begin is left, or a second one is asked beside it.

Hedged requests as in J. Dean and L. Barroso, "The Tail at Scale" (CACM, 2013): the second is sent
when the first one is later than it nearly always was, and who speaks first is heard.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from coai_routing.errors import ProviderError, ProviderTimeoutError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from coai_routing.policy.deployment import Deployment
    from coai_routing.pool.pool import ModelPool
    from coai_routing.router.model_call import Ask, ModelCall, Piece

FIRST_SHARE: Final = 0.6
"""Of the time left, how much a candidate may take to say its first word while others wait."""

HEDGE_QUANTILE: Final = 0.95
"""A second candidate is asked when the first is later than this share of calls was."""

_REMEMBERED: Final = 64
"""Waits for a first word that are remembered per deployment."""

_ENOUGH: Final = 8
"""Of them, how many are needed before a quantile means something."""


class Hedging:
    """Waits for a candidate's first word no longer than is worth it while others could answer."""

    def __init__(self, ask: Ask, pool: ModelPool, *, wanted: Callable[[], bool]) -> None:
        """Wrap `ask`; `wanted` says whether every question may ask a second model."""
        self._ask = ask
        self._pool = pool
        self._wanted = wanted
        self._first_words: dict[str, list[float]] = {}
        """The last waits for a first word, in seconds, by deployment."""

    async def __call__(self, call: ModelCall) -> AsyncGenerator[Piece]:
        """Ask the candidate, and perhaps the next one; yields the answer of one of them."""
        loop = asyncio.get_running_loop()
        left = call.deadline - loop.time()
        # Alone, it has all the time that is left, and keeps to that itself.
        until = loop.time() + left * FIRST_SHARE if call.others else None
        hedge = self._hedge_after(call)
        first = self._ask(call)
        if hedge is not None and until is not None and loop.time() + hedge < until:
            stream, piece = await self._race(call, first, hedge, until)
        else:
            stream, piece = first, await self._first_word(call, first, until)
        async with aclosing(stream):
            while piece is not None:
                yield piece
                piece = await anext(stream, None)

    async def _first_word(
        self, call: ModelCall, stream: AsyncGenerator[Piece], until: float | None
    ) -> Piece | None:
        """Return the first piece of a stream; closes the stream if there is none in time."""
        began = asyncio.get_running_loop().time()
        words = self._pool.words(call.deployment.endpoint)
        try:
            async with asyncio.timeout_at(until):
                piece = await anext(stream, None)
        except TimeoutError as error:
            await stream.aclose()
            deployment = call.deployment
            late = ProviderTimeoutError(
                f"{deployment.endpoint} said nothing within its share of the deadline.",
                provider=deployment.endpoint,
                remedy="Give the request more time, or use a faster model.",
            )
            self._pool.late(
                deployment.endpoint,
                deployment.model or None,
                late.message,
                base_url=deployment.base_url,
                words=words,
            )
            raise late from error
        except BaseException:
            await stream.aclose()
            raise
        self._note(call.deployment, asyncio.get_running_loop().time() - began)
        return piece

    async def _race(
        self, call: ModelCall, first: AsyncGenerator[Piece], hedge: float, until: float
    ) -> tuple[AsyncGenerator[Piece], Piece | None]:
        """Return the stream that speaks first; the other one has ended then.

        Of two that speak at once it is the leader's; a failure wins only over another failure.
        """
        leader = asyncio.create_task(self._first_word(call, first, until))
        racing = {leader: first}
        winner: asyncio.Task[Piece | None] | None = None
        try:
            await asyncio.wait((leader,), timeout=hedge)
            if not leader.done():
                other = replace(call, candidate=call.others[0], others=call.others[1:])
                second = self._ask(other)
                # It began late, so what is left of the leader's share says nothing of it.
                racing[asyncio.create_task(self._first_word(other, second, None))] = second
            waiting = {*racing}
            while winner is None and waiting:
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                winner = next((task for task in racing if _has_spoken(task)), None)
            chosen = winner or leader
            return racing[chosen], await chosen
        finally:
            for task, stream in racing.items():
                if task is not winner:
                    await _given_up(task, stream)

    def _note(self, deployment: Deployment, seconds: float) -> None:
        waits = self._first_words.setdefault(deployment.key, [])
        waits.append(seconds)
        del waits[:-_REMEMBERED]

    def _hedge_after(self, call: ModelCall) -> float | None:
        """Return the seconds after which a second candidate is asked; None for never."""
        waits = self._first_words.get(call.deployment.key, ())
        if not (call.question.hedge or self._wanted()) or len(waits) < _ENOUGH:
            return None
        return sorted(waits)[int(HEDGE_QUANTILE * (len(waits) - 1))]


def _has_spoken(task: asyncio.Task[Piece | None]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


async def _given_up(task: asyncio.Task[Piece | None], stream: AsyncGenerator[Piece]) -> None:
    """End a stream of which nobody wants the rest, whether or not it has spoken."""
    task.cancel()
    with suppress(asyncio.CancelledError, ProviderError):
        await task
    await stream.aclose()
