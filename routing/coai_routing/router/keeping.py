"""Wraps a call of a model: a whole answer is kept for who asks the same again."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from coai_routing.router.model_call import cache_key

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from coai_routing.router.calls import AnswerStore
    from coai_routing.router.model_call import Ask, ModelCall, Piece


class Keeping:
    """Puts whole answers into the cache, if the question wants that and chance had no part."""

    def __init__(self, ask: Ask, cache: AnswerStore | None) -> None:
        self._ask = ask
        self._cache = cache

    async def __call__(self, call: ModelCall) -> AsyncGenerator[Piece]:
        """Ask, and keep the reply once it was given."""
        loop = asyncio.get_running_loop()
        question, began = call.question, loop.time()
        keeps = question.cached and not question.request.temperature
        async with aclosing(self._ask(call)) as pieces:
            async for piece in pieces:
                yield piece
                reply = piece.delta.reply
                if reply is None or self._cache is None or not keeps:
                    continue
                price = call.deployment.price
                await self._cache.put(
                    cache_key(question, call.deployment),
                    reply,
                    sensitive=question.request.sensitive,
                    cost=0.0 if price is None else price.of(reply.usage),
                    seconds=loop.time() - began,
                )
