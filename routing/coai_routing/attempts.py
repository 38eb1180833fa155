"""One candidate of a plan: sending, trying again, and asking a second one when it is late."""

from __future__ import annotations

import asyncio
import hashlib
import json
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Final

from coai_routing.calls import Meter, departure_of
from coai_routing.errors import (
    EgressLogError,
    EgressRefusedError,
    OverBudgetError,
    ProviderError,
    ProviderTimeoutError,
)
from coai_routing.pacing import blames_backend, wait_before_retry
from coai_routing.privacy import is_loopback

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Hashable

    from coai_routing.calls import AnswerStore, Call, CallBook, Departure, DepartureLog
    from coai_routing.capabilities import TierName
    from coai_routing.fleet import Fleet
    from coai_routing.privacy import Egress
    from coai_routing.request import Delta, ModelReply
    from coai_routing.route import Deployment, Question, RouteCandidate

KEY_VERSION: Final = 1
"""Part of every cache key; raise it when the same request may be answered otherwise."""

FIRST_SHARE: Final = 0.6
"""Of the time left, how much a candidate may take to say its first word while others wait."""

SLOWNESS: Final = 4.0
"""How many times the longest latency of its tier a candidate may take for its first word before
that counts as a failure of its endpoint."""

HEDGE_QUANTILE: Final = 0.95
"""A second candidate is asked when the first is later than this share of calls was."""

RAISE_BUDGET: Final = (
    "Raise `budget.daily_usd` or `budget.monthly_usd`, or wait for the next day or month."
)

_REMEMBERED: Final = 64
"""Waits for a first word that are remembered per deployment."""

_ENOUGH: Final = 8
"""Of them, how many are needed before a quantile means something."""


class Sender:
    """Sends requests to deployments, and keeps the log, the books, the cache and their health."""

    def __init__(
        self,
        fleet: Fleet,
        *,
        target_ms: Callable[[TierName], tuple[float, float]],
        egress: Callable[[], Egress],
        hedges: Callable[[], bool],
        cache: AnswerStore | None,
        departures: DepartureLog | None,
        book: CallBook | None,
        observe: Callable[[Call], None] | None = None,
    ) -> None:
        self._observe = observe
        self._fleet = fleet
        self._target_ms = target_ms
        self._egress = egress
        self._hedges = hedges
        self._cache = cache
        self._departures = departures
        self._book = book
        self._first_words: dict[str, list[float]] = {}

    async def send(
        self, question: Question, candidate: RouteCandidate, seconds: float
    ) -> AsyncGenerator[Delta]:
        """Send a request to one deployment once: the last check, the log, the call, the books."""
        deployment = candidate.deployment
        request = question.request.model_copy(
            update={"timeout": max(0.001, seconds), "model": deployment.name}
        )
        # The provider checks this again when the bytes go; here it keeps the log honest too.
        self._egress().check(request, deployment.base_url, provider=deployment.endpoint)
        reservation = None
        meter = Meter(question, deployment)
        self._fleet.started(deployment)
        try:
            if self._book is not None:
                reservation = await self._book.reserve(candidate.cost)
                if reservation is None:
                    raise _no_money(deployment)
            if self._departures is not None and not is_loopback(deployment.base_url):
                await self._log(departure_of(question, deployment))
            async with aclosing(self._fleet.provider(deployment).stream(request)) as deltas:
                async for delta in deltas:
                    meter.see(delta)
                    yield delta
                    if delta.reply is not None:
                        await self._keep(question, deployment, meter, delta.reply)
            self._note_success(deployment, meter)
        except ProviderError as error:
            meter.outcome = "cut_off" if meter.text else type(error).__name__
            if blames_backend(error):
                self._fleet.failed(deployment, error.message)
            raise
        finally:
            self._fleet.ended(deployment)
            if self._observe is not None:
                self._observe(meter.call())
            if self._book is not None and reservation is not None:
                await self._book.settle(reservation, meter.call())

    async def _log(self, departure: Departure) -> None:
        """Log a departure; what cannot be logged may not depart, and another model may answer."""
        assert self._departures is not None
        try:
            await self._departures.record(departure)
        except EgressLogError as error:
            raise EgressRefusedError(
                error.message, provider=departure.endpoint, remedy=error.remedy
            ) from error

    async def _keep(
        self, question: Question, deployment: Deployment, meter: Meter, reply: ModelReply
    ) -> None:
        if self._cache is None or not question.cached or question.request.temperature:
            return
        key = cache_key(question, deployment)
        await self._cache.put(
            key,
            reply,
            sensitive=question.request.sensitive,
            cost=meter.call().cost_usd,
            seconds=meter.total_ms() / 1000,
        )

    def _note_success(self, deployment: Deployment, meter: Meter) -> None:
        """Note a whole answer; one that was far too slow to begin counts as a failure."""
        first = meter.first_ms or 0.0
        waits = self._first_words.setdefault(deployment.key, [])
        waits.append(first)
        del waits[:-_REMEMBERED]
        _, longest = self._target_ms(deployment.model.tier)
        if first > SLOWNESS * longest:
            self._fleet.failed(deployment, f"its first word took {first:.0f} ms")
        else:
            self._fleet.succeeded(deployment, meter.total_ms())

    def blame(self, candidate: RouteCandidate, error: ProviderError) -> None:
        """Note a failure that only who waited could see."""
        self._fleet.failed(candidate.deployment, error.message)

    def hedge_after(self, question: Question, deployment: Deployment) -> float | None:
        """Return the seconds after which a second candidate is asked; None for never."""
        waits = self._first_words.get(deployment.key, ())
        if not (question.hedge or self._hedges()) or len(waits) < _ENOUGH:
            return None
        return sorted(waits)[int(HEDGE_QUANTILE * (len(waits) - 1))] / 1000


class Attempt:
    """One candidate with its retries, and its hedge."""

    def __init__(
        self,
        sender: Sender,
        question: Question,
        candidate: RouteCandidate,
        deadline: float,
    ) -> None:
        self._sender = sender
        self._question = question
        self._candidate = candidate
        self._deadline = deadline
        self._pieces: list[str] = []
        self.serving = candidate.deployment
        """Whose answer it is: the candidate's, or that of its hedge."""

    def text(self) -> str:
        """Return what has come so far."""
        return "".join(self._pieces)

    async def run(self, others: list[RouteCandidate]) -> AsyncGenerator[Delta]:
        """Yield the candidate's answer, asking it again where that may help."""
        loop = asyncio.get_running_loop()
        tried = 0
        while True:
            tried += 1
            try:
                async with aclosing(self._once(others)) as deltas:
                    async for delta in deltas:
                        if delta.text:
                            self._pieces.append(delta.text)
                        yield delta
                return
            except ProviderError as error:
                wait = wait_before_retry(
                    error,
                    tried=tried,
                    time_left=self._deadline - loop.time(),
                    others=bool(others),
                )
                if wait is None or self._pieces:
                    raise
            await asyncio.sleep(wait)

    async def _once(self, others: list[RouteCandidate]) -> AsyncGenerator[Delta]:
        loop = asyncio.get_running_loop()
        left = self._deadline - loop.time()
        share = left * FIRST_SHARE if others else left
        first = self._sender.send(self._question, self._candidate, left)
        hedge = self._sender.hedge_after(self._question, self._candidate.deployment)
        if hedge is not None and others and hedge < share:
            stream, delta = await self._race(first, hedge, others, loop.time() + share)
        else:
            # Alone, it has all the time that is left, and keeps to that itself.
            until = loop.time() + share if others else None
            stream, delta = first, await self._first_word(first, until)
        async with aclosing(stream):
            while delta is not None:
                yield delta
                delta = await anext(stream, None)

    async def _first_word(self, stream: AsyncGenerator[Delta], until: float | None) -> Delta | None:
        if until is None:
            return await anext(stream, None)
        try:
            async with asyncio.timeout_at(until):
                return await anext(stream, None)
        except TimeoutError as error:
            await stream.aclose()
            name = self._candidate.deployment.endpoint
            late = ProviderTimeoutError(
                f"{name} said nothing within its share of the deadline.",
                provider=name,
                remedy="Give the request more time, or use a faster model.",
            )
            self._sender.blame(self._candidate, late)
            raise late from error
        except BaseException:
            await stream.aclose()
            raise

    async def _race(
        self,
        first: AsyncGenerator[Delta],
        hedge: float,
        others: list[RouteCandidate],
        until: float,
    ) -> tuple[AsyncGenerator[Delta], Delta | None]:
        """Return the stream that speaks first; the other one is cancelled and has ended."""
        leading = asyncio.create_task(self._first_word(first, until))
        done, _ = await _settled((leading,), hedge)
        if done:
            return first, await leading
        second = self._sender.send(
            self._question, others[0], self._deadline - asyncio.get_running_loop().time()
        )
        following = asyncio.create_task(self._first_word(second, until))
        streams = {leading: first, following: second}
        try:
            waiting = {leading, following}
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if task.exception() is None or not waiting:
                        if task is following:
                            self.serving = others[0].deployment
                        return streams[task], await task
            raise AssertionError  # one of two tasks is done at some time
        finally:
            for task, stream in streams.items():
                if not task.done():
                    task.cancel()
                    with suppress(asyncio.CancelledError, ProviderError):
                        await task
                    await stream.aclose()


async def _settled(
    tasks: tuple[asyncio.Task[Delta | None], ...], seconds: float
) -> tuple[set[asyncio.Task[Delta | None]], set[asyncio.Task[Delta | None]]]:
    """Wait some time for tasks; cancels them if it is cancelled itself."""
    try:
        return await asyncio.wait(tasks, timeout=seconds)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        raise


def question_key(question: Question, *, shown: bool) -> Hashable:
    """Return what two questions have in common that may share one answer under way."""
    request = question.request
    schema = request.json_schema
    return (
        request.capability, request.prompt, request.suffix,
        tuple((message.role, message.content) for message in request.messages), request.model,
        request.max_tokens, request.temperature, request.stop,
        None if schema is None else json.dumps(schema, sort_keys=True),
        request.sensitive, question.objective, question.paths, question.complexity,
        question.alias, question.priority, shown,
    )  # fmt: skip


def cache_key(question: Question, deployment: Deployment | None) -> str:
    """Return what stands for everything that determines an answer: request and model."""
    request = question.request
    parts = (
        KEY_VERSION,
        request.capability,
        request.prompt,
        request.suffix,
        [(message.role, message.content) for message in request.messages],
        request.max_tokens,
        request.temperature,
        request.stop,
        request.json_schema,
        None if deployment is None else (deployment.endpoint, deployment.base_url, deployment.name),
        request.sensitive,
    )
    text = json.dumps(parts, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


def _no_money(deployment: Deployment) -> ProviderError:
    return OverBudgetError(
        f"The budget leaves too little for {deployment.endpoint}.",
        provider=deployment.endpoint,
        remedy=RAISE_BUDGET,
    )
