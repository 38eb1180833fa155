"""Asks the best model that may see a question, within its deadline, and the next one if it fails.

A plan says who may be asked (`policy/question.py`); this carries it out. Everybody who asks a model
other than for a completion asks here.

One file, because what is assessed, planned, joined and carried out is the way of one question.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

from coai_routing.errors import (
    BudgetExceededError,
    DeadlineError,
    NoAnswerError,
    OverBudgetError,
    ProviderError,
    ProviderTimeoutError,
    ReplyCutOffError,
    StaysHereError,
)
from coai_routing.policy.question import Circumstances, affinity_of, plan_route
from coai_routing.privacy.egress import Egress
from coai_routing.privacy.sensitivity import SensitivityRules, assess, characters_of, redacted
from coai_routing.registry.prices import estimated_tokens
from coai_routing.request import Delta
from coai_routing.router.accounting import RAISE_BUDGET, Accounting
from coai_routing.router.hedging import Hedging
from coai_routing.router.keeping import Keeping
from coai_routing.router.limiter import Limiter
from coai_routing.router.model_call import ModelCall, cache_key, question_key
from coai_routing.router.retrying import Retrying
from coai_routing.router.sending import Sending
from coai_routing.router.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from coai_routing.policy.deployment import Deployment
    from coai_routing.policy.question import Question, RoutePlan
    from coai_routing.pool.deployments import Deployments
    from coai_routing.privacy.sensitivity import Sensitivity
    from coai_routing.registry.capabilities import Capabilities, Objective
    from coai_routing.request import Capability, ModelReply
    from coai_routing.router.calls import AnswerStore, Call, CallBook, DepartureLog
    from coai_routing.router.model_call import Ask, Piece

_LARGE: Final = 32_768
"""Characters above which a request is searched for secrets in a thread."""

_GRACE: Final = 0.05
"""Seconds after a deadline by which an attempt says itself that it was too late."""


@dataclass(frozen=True, slots=True)
class RouterSettings:
    """What the user wants of the router."""

    objective: Objective | None = None
    sensitivity: SensitivityRules = field(default_factory=SensitivityRules)
    redact: bool = False
    hedge: bool = False
    max_concurrent: int = 10


@dataclass(frozen=True, slots=True)
class Routed:
    """A whole answer and where it came from."""

    text: str
    reply: ModelReply | None
    """None where no model answered; `text` then explains why."""
    source: Literal["model", "cache", "none"]
    sensitivity: Sensitivity
    alias: str = ""
    local: bool = True
    cost_usd: float = 0.0
    """What the call that gave it cost."""


@dataclass(frozen=True, slots=True)
class Attributed:
    """A piece of an answer, whose it is, and what was sensitive about the question."""

    delta: Delta
    deployment: Deployment | None
    """None for an answer that was kept."""
    sensitivity: Sensitivity


@dataclass(frozen=True, slots=True)
class _Told:
    """A piece of an answer, and what was sensitive about the question."""

    piece: Piece
    sensitivity: Sensitivity


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A question that was assessed, and what was kept of earlier answers to it."""

    question: Question
    sensitivity: Sensitivity
    kept: ModelReply | None


class Router:
    """Carries plans out. It belongs to one event loop."""

    def __init__(
        self,
        deployments: Deployments,
        *,
        registry: Callable[[], Capabilities],
        egress: Callable[[], Egress] = Egress,
        settings: Callable[[], RouterSettings] = RouterSettings,
        cache: AnswerStore | None = None,
        departures: DepartureLog | None = None,
        book: CallBook | None = None,
        standings: Callable[[Capability], Mapping[str, float]] | None = None,
        observe: Callable[[Call], None] | None = None,
    ) -> None:
        """Touch nothing yet. `observe` is told of every call of a model when it is over."""
        self._deployments = deployments
        self._registry = registry
        self._egress = egress
        self._settings = settings
        self._cache = cache
        self._book = book
        # From the inside out: the call, what it costs, whether it is kept, a second one beside
        # it, the same again. Fallback, turns and single flight are around these, below.
        ask: Ask = Sending(deployments, egress=egress, departures=departures)
        ask = Accounting(ask, book, observe)
        ask = Keeping(ask, cache)
        ask = Hedging(ask, deployments.pool, wanted=lambda: settings().hedge)
        self._ask: Ask = Retrying(ask)
        self._standings = standings
        self._turnstile = Limiter(settings().max_concurrent)
        self._flights: SingleFlight[_Told] = SingleFlight()

    # ------------------------------------------------------------------ planning

    def assess(self, question: Question) -> tuple[Question, Sensitivity]:
        """Say what is sensitive about a question; the one returned is marked, or redacted.

        Nothing else of the router looks at a request that did not go through here.
        """
        settings = self._settings()
        found = assess(question.request, settings.sensitivity, paths=question.paths)
        request = question.request
        if found and settings.redact:
            clean = redacted(request)
            still = assess(clean, settings.sensitivity, paths=question.paths)
            if not still:
                return replace(question, request=clean), still
        if found and not request.sensitive:
            request = request.model_copy(update={"sensitive": True})
        return replace(question, request=request), found

    async def models(self, question: Question) -> tuple[str, ...]:
        """Return the names of the models that could answer, the best first; none is asked."""
        plan = self.plan(*self.assess(question))
        return tuple(dict.fromkeys(each.deployment.alias for each in plan.candidates))

    def plan(self, question: Question, sensitivity: Sensitivity) -> RoutePlan:
        """Order the models for a question that was assessed; reads memory only."""
        request = question.request
        policy = self._registry().policy(request.capability, question.tier)
        settings = self._settings()
        standings: Mapping[str, float] = (
            {} if self._standings is None else self._standings(request.capability)
        )
        return plan_route(
            self._deployments.deployments(),
            Circumstances(
                policy=policy,
                objective=question.objective or settings.objective or policy.objective,
                sensitivity=sensitivity,
                allow_cloud=self._egress().allow,
                complexity=question.complexity,
                alias=question.alias,
                is_prompt=request.prompt is not None,
                prompt_tokens=estimated_tokens(characters_of(request)),
                max_tokens=request.max_tokens,
                money_left=None if self._book is None else self._book.money_left(),
                most_usd=question.most_usd,
                standings=standings,
                affinity=affinity_of(request),
                now=time.monotonic(),
            ),
        )

    # ------------------------------------------------------------------ answering

    async def answer(self, question: Question) -> Routed:
        """Return a whole answer.

        Raises NoAnswerError where no model could answer, and ReplyCutOffError with what had come
        where an answer broke off and no other model could give a whole one.
        """
        deadline = asyncio.get_running_loop().time() + question.request.timeout
        prepared = await self._prepared(question)
        if prepared is not None and prepared.kept is not None:
            return Routed(prepared.kept.text, prepared.kept, "cache", prepared.sensitivity)
        last = await self._last(question, prepared, deadline=deadline)
        assert last is not None
        reply, deployment = last.piece.delta.reply, last.piece.deployment
        assert reply is not None, "a stream ends with its reply or an error"
        return Routed(
            reply.text,
            reply,
            "model",
            last.sensitivity,
            alias=deployment.alias,
            local=deployment.local,
            cost_usd=_cost(deployment, reply),
        )

    async def answer_or_explain(self, question: Question) -> Routed:
        """Return a whole answer, or an honest explanation why there is none and what to do."""
        try:
            return await self.answer(question)
        except NoAnswerError as error:
            _, sensitivity = await self._assessed(question)
            return Routed(error.explanation(), None, "none", sensitivity)

    async def stream(self, question: Question) -> AsyncGenerator[Delta]:
        """Yield an answer as it comes, the whole reply at the end.

        Until the first text another model may take over; afterwards a failure is a
        ReplyCutOffError with what had come. Leave it by `contextlib.aclosing` to cancel.
        """
        async with aclosing(self.attributed(question)) as pieces:
            async for each in pieces:
                yield each.delta

    async def attributed(self, question: Question) -> AsyncGenerator[Attributed]:
        """Yield an answer as `stream` does, each piece with who gives it."""
        deadline = asyncio.get_running_loop().time() + question.request.timeout
        prepared = await self._prepared(question)
        if prepared is not None and prepared.kept is not None:
            for delta in (Delta(text=prepared.kept.text), Delta(reply=prepared.kept)):
                yield Attributed(delta, None, prepared.sensitivity)
            return
        async with aclosing(self._shared(question, prepared, deadline=deadline)) as pieces:
            async for told in pieces:
                deployment = told.piece.deployment
                yield Attributed(_named(told.piece), deployment, told.sensitivity)

    async def _assessed(self, question: Question) -> tuple[Question, Sensitivity]:
        if characters_of(question.request) > _LARGE:
            return await asyncio.to_thread(self.assess, question)
        return self.assess(question)

    async def _prepared(self, question: Question) -> _Prepared | None:
        """Assess, plan and look for a kept answer; None where answers are not kept.

        Without a cache all that has time until it is the question's turn.
        """
        if self._cache is None or not question.cached:
            return None
        assessed, sensitivity = await self._assessed(question)
        plan = self.plan(assessed, sensitivity)
        first = plan.candidates[0].deployment if plan.candidates else None
        kept = await self._cache.get(cache_key(assessed, first))
        return _Prepared(assessed, sensitivity, kept)

    async def _last(
        self, question: Question, prepared: _Prepared | None, *, deadline: float
    ) -> _Told | None:
        """Return the end of an answer that nobody sees before; otherwise as `_shared`."""
        last: _Told | None = None
        async with aclosing(
            self._shared(question, prepared, deadline=deadline, shown=False)
        ) as pieces:
            async for told in pieces:
                last = told
        return last

    async def _shared(
        self,
        question: Question,
        prepared: _Prepared | None,
        *,
        deadline: float,
        shown: bool = True,
    ) -> AsyncGenerator[_Told]:
        """Join an identical request that is under way, or begin it; each has its own deadline."""

        def start() -> AsyncGenerator[_Told]:
            return self._in_turn(question, prepared, deadline=deadline, shown=shown)

        key = question_key(question, shown=shown)
        said = False
        while True:
            joined = question.cached and self._flights.under_way(key)
            if not question.cached:
                stream = start()
            elif shown:
                stream = self._flights.join(key, start)
            else:
                stream = self._flights.last(key, start)
            try:
                async with aclosing(stream):
                    while (told := await _within(stream, deadline, question)) is not None:
                        said = True
                        yield told
                return
            except DeadlineError:
                # Perhaps the deadline of who asked first; who joined may have more time.
                if not joined or said or asyncio.get_running_loop().time() >= deadline:
                    raise

    # ---------------------------------------------------------------- carrying out

    async def _in_turn(
        self, question: Question, prepared: _Prepared | None, *, deadline: float, shown: bool
    ) -> AsyncGenerator[_Told]:
        """Ask when it is the question's turn."""
        if not self._turnstile.enter_at_once():
            # Everybody who listens has a deadline of his own, and the last one to leave ends this.
            await self._turnstile.enter(question.priority)
        try:
            async with aclosing(
                self._fallback(question, prepared, deadline=deadline, shown=shown)
            ) as pieces:
                async for told in pieces:
                    yield told
        finally:
            self._turnstile.leave()

    async def _fallback(
        self, question: Question, prepared: _Prepared | None, *, deadline: float, shown: bool
    ) -> AsyncGenerator[_Told]:
        """Ask candidate after candidate until one has answered."""
        if prepared is None:
            question, sensitivity = await self._assessed(question)
        else:
            question, sensitivity = prepared.question, prepared.sensitivity
        failures: list[ProviderError] = []
        partial: ReplyCutOffError | None = None
        # Only now: health, load and budget are others than when the turn was asked for.
        plan = self.plan(question, sensitivity)
        for number, candidate in enumerate(plan.candidates, 1):
            call = ModelCall(question, candidate, deadline, plan.candidates[number:])
            said: list[str] = []
            try:
                async with aclosing(self._ask(call)) as pieces:
                    async for piece in pieces:
                        if piece.delta.text:
                            said.append(piece.delta.text)
                        yield _Told(piece, sensitivity)
                return
            except ProviderError as error:
                if said and shown:
                    raise _cut_off(error, "".join(said)) from error
                failures.append(error)
                if isinstance(error, ReplyCutOffError) and error.partial:
                    partial = error
            if asyncio.get_running_loop().time() >= deadline:
                break
        if partial is not None:
            raise partial
        raise _nobody(question, plan, failures, sensitivity)

    async def aclose(self) -> None:
        """Cancel what is under way and close every connection."""
        await self._flights.aclose()
        await self._deployments.aclose()


async def _within(
    stream: AsyncGenerator[_Told], deadline: float, question: Question
) -> _Told | None:
    """Return the next piece; DeadlineError for who joined a request that takes longer."""
    try:
        async with asyncio.timeout_at(deadline + _GRACE):
            return await anext(stream, None)
    except TimeoutError as error:
        raise _too_late(question) from error


def _cut_off(error: ProviderError, partial: str) -> ReplyCutOffError:
    if isinstance(error, ReplyCutOffError):
        return error
    return ReplyCutOffError(
        error.message, provider=error.provider, remedy=error.remedy, partial=partial
    )


def _too_late(question: Question) -> DeadlineError:
    return DeadlineError(
        f"No model answered within {question.request.timeout:g} s.",
        remedy="Give the request more time, or use a faster model: `coai doctor` measures them.",
    )


def _nobody(
    question: Question, plan: RoutePlan, failures: list[ProviderError], sensitivity: Sensitivity
) -> NoAnswerError:
    """Return the error for a plan of which nobody could answer."""
    if question.alias is not None and not (plan.candidates or plan.rejected):
        return NoAnswerError(
            f"There is no model {question.alias}.", remedy="`coai route models` lists them."
        )
    reasons = [f"{error.provider}: {error.message}" for error in failures]
    reasons += [f"{one.deployment.endpoint}: {one.why}" for one in plan.rejected]
    remedies = [error.remedy for error in failures] + [one.remedy for one in plan.rejected]
    remedy = next(filter(None, remedies), "Run `coai doctor`: it says what is missing.")
    if failures and all(isinstance(error, ProviderTimeoutError) for error in failures):
        late = _too_late(question)
        return DeadlineError(late.message, remedy=remedy, reasons=tuple(reasons))
    broke = any("the budget leaves" in one.why for one in plan.rejected) or failures
    only_money = all(isinstance(error, OverBudgetError) for error in failures)
    kind = BudgetExceededError if broke and only_money else NoAnswerError
    if sensitivity and not failures:
        kind = StaysHereError
    return kind(
        f"No model could answer this ({question.request.capability.value}).",
        remedy=RAISE_BUDGET if kind is BudgetExceededError else remedy,
        reasons=tuple(dict.fromkeys(reasons)),
    )


def _named(piece: Piece) -> Delta:
    """Return a piece of an answer; the last one says whose it was and what it cost."""
    delta = piece.delta
    if delta.reply is None:
        return delta
    cost = _cost(piece.deployment, delta.reply)
    return replace(delta, alias=piece.deployment.alias, cost_usd=cost)


def _cost(deployment: Deployment, reply: ModelReply) -> float:
    return 0.0 if deployment.price is None else deployment.price.of(reply.usage)
