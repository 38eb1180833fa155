"""Wraps a call of a model: money is set aside before it, and what it cost is told after it."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from coai_routing.errors import BooksError, OverBudgetError, ProviderError
from coai_routing.router.calls import Meter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from coai_routing.router.calls import Call, CallBook
    from coai_routing.router.model_call import Ask, ModelCall, Piece

RAISE_BUDGET: Final = (
    "Raise `budget.daily_usd` or `budget.monthly_usd`, or wait for the next day or month."
)


class Accounting:
    """Reserves what a call may cost at most, and settles what it did cost."""

    def __init__(
        self, ask: Ask, book: CallBook | None, observe: Callable[[Call], None] | None
    ) -> None:
        """Wrap `ask`. `observe` is told of every call when it is over."""
        self._ask = ask
        self._book = book
        self._observe = observe

    async def __call__(self, call: ModelCall) -> AsyncGenerator[Piece]:
        """Ask if the budgets leave enough; OverBudgetError has another model asked."""
        meter = Meter(call.question, call.deployment)
        reservation = await self._reserve(call)
        try:
            async with aclosing(self._ask(call)) as pieces:
                async for piece in pieces:
                    meter.see(piece.delta)
                    yield piece
        except ProviderError as error:
            meter.failed(error)
            raise
        finally:
            told = meter.call()
            if self._observe is not None:
                self._observe(told)
            if self._book is not None and reservation is not None:
                await self._book.settle(reservation, told)

    async def _reserve(self, call: ModelCall) -> int | None:
        if self._book is None:
            return None
        endpoint = call.deployment.endpoint
        try:
            reservation = await self._book.reserve(call.candidate.cost)
        except BooksError as error:
            # Nobody knows what is left; a model that costs nothing may answer.
            raise OverBudgetError(error.message, provider=endpoint, remedy=error.remedy) from error
        if reservation is None:
            raise OverBudgetError(
                f"The budget leaves too little for {endpoint}.",
                provider=endpoint,
                remedy=RAISE_BUDGET,
            )
        return reservation
