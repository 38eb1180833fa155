"""Two models asked beside each other: who is heard, who is closed, who is blamed."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from coai_routing.errors import ProviderError, ProviderTimeoutError, ProviderUnavailableError
from coai_routing.policy.question import Circumstances, plan_route
from coai_routing.pool.pool import ModelPool
from coai_routing.request import Delta, ModelReply
from coai_routing.router.hedging import Hedging
from coai_routing.router.model_call import ModelCall, Piece
from tests.support.routing import fleet_over, place, question, registry_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

REPLY = ModelReply(text="x", finish="stop", model="m", provider="p")


class Models:
    """Two models that do what a test says, each when it says so."""

    def __init__(self) -> None:
        self.says: dict[str, asyncio.Future[str]] = {}
        self.asked = asyncio.Event()
        self.open: set[str] = set()
        self.quick = True
        places = (place("a", "http://127.0.0.1:1"), place("b", "http://127.0.0.1:2"))
        registry = registry_of(places)
        fleet = fleet_over(places, registry)
        around: dict[str, Any] = {"policy": registry.policy(question().request.capability)}
        self.candidates = plan_route(
            fleet.deployments(), Circumstances(objective=around["policy"].objective, **around)
        ).candidates
        self.pool = ModelPool(strained=lambda: False)

    async def ask(self, call: ModelCall) -> AsyncGenerator[Piece]:
        """Stand in for what hedging wraps."""
        name = call.deployment.endpoint
        self.open.add(name)
        try:
            if self.quick:
                text = name
            else:
                self.says[name] = asyncio.get_running_loop().create_future()
                if len(self.says) == 2:
                    self.asked.set()
                text = await self.says[name]
            yield Piece(Delta(text=text), call.deployment)
            yield Piece(Delta(reply=REPLY), call.deployment)
        finally:
            self.open.discard(name)

    def call(self, *, seconds: float = 30.0) -> ModelCall:
        """Return a call of the first with the second beside it."""
        deadline = asyncio.get_running_loop().time() + seconds
        first, *others = self.candidates
        return ModelCall(question(), first, deadline, tuple(others))

    async def race(self) -> asyncio.Task[str]:
        """Begin a call, and return when both have been asked."""
        hedging = Hedging(self.ask, self.pool, wanted=lambda: True)
        for _ in range(10):
            await answer(hedging, self.call())
        self.quick = False
        task = asyncio.create_task(answer(hedging, self.call()))
        async with asyncio.timeout(10):
            await self.asked.wait()
        return task


async def answer(hedging: Hedging, call: ModelCall) -> str:
    async with aclosing(hedging(call)) as pieces:
        return "".join([piece.delta.text async for piece in pieces])


FAILED = ProviderUnavailableError("Gone.", provider="p")
BOTH_AT_ONCE = {
    "the leader fails, the other answers": (FAILED, "b", "b"),
    "the leader answers, the other fails": ("a", FAILED, "a"),
    "both answer": ("a", "b", "a"),
}


@pytest.mark.parametrize(("a", "b", "heard"), BOTH_AT_ONCE.values(), ids=BOTH_AT_ONCE)
@pytest.mark.parametrize("order", ["ab", "ba"])
async def test_of_two_that_end_at_once_the_answer_is_heard_and_the_other_is_closed(
    a: str | ProviderError, b: str | ProviderError, heard: str, order: str
) -> None:
    for _ in range(10):
        models = Models()
        task = await models.race()
        for name in order:
            end = {"a": a, "b": b}[name]
            if isinstance(end, str):
                models.says[name].set_result(end)
            else:
                models.says[name].set_exception(end)
        assert await task == heard
        assert not models.open


async def test_of_two_failures_the_leaders_is_told() -> None:
    models = Models()
    task = await models.race()
    models.says["b"].set_exception(ProviderTimeoutError("The hedge.", provider="b"))
    await asyncio.sleep(0)
    models.says["a"].set_exception(FAILED)
    with pytest.raises(ProviderUnavailableError, match="Gone"):
        await task
    assert not models.open


async def test_who_is_cancelled_closes_both() -> None:
    models = Models()
    task = await models.race()
    task.cancel()
    await asyncio.wait((task,))
    assert not models.open


async def test_who_says_nothing_within_its_share_is_blamed_and_nobody_else() -> None:
    models = Models()
    models.quick = False
    hedging = Hedging(models.ask, models.pool, wanted=lambda: False)
    with pytest.raises(ProviderTimeoutError, match=r"^a said nothing"):
        await answer(hedging, models.call(seconds=0.02))
    assert not models.open
    assert models.pool.health("a", None).failures == 1
    assert models.pool.health("b", None).failures == 0


async def test_a_timeout_of_the_second_blames_the_first_for_nothing() -> None:
    models = Models()
    task = await models.race()
    models.says["b"].set_exception(ProviderTimeoutError("The hedge.", provider="b"))
    await asyncio.sleep(0.01)
    assert models.pool.health("a", None).failures == 0
    models.says["a"].set_result("a")
    assert await task == "a"
