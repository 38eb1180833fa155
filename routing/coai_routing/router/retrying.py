"""Wraps a call of a model: a failure that passes is tried again, unless text has come."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from coai_routing.errors import ProviderError
from coai_routing.router.limiter import wait_before_retry

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from coai_routing.router.model_call import Ask, ModelCall, Piece


class Retrying:
    """Asks one candidate again where that may help; `pacing.wait_before_retry` decides."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def __call__(self, call: ModelCall) -> AsyncGenerator[Piece]:
        """Ask until it answers, or trying again is of no use."""
        tried = 0
        said = False
        while True:
            tried += 1
            try:
                async with aclosing(self._ask(call)) as pieces:
                    async for piece in pieces:
                        said = said or bool(piece.delta.text)
                        yield piece
                return
            except ProviderError as error:
                wait = wait_before_retry(
                    error,
                    tried=tried,
                    time_left=call.deadline - asyncio.get_running_loop().time(),
                    others=bool(call.others),
                )
                if wait is None or said:
                    raise
            await asyncio.sleep(wait)
