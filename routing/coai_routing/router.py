"""Asks the best model that may see a question, within its deadline, and the next one if it fails.

A plan says who may be asked (`route.py`); this carries it out. Everybody who asks a model other
than for a completion asks here.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

from coai_routing.attempts import RAISE_BUDGET, Attempt, Sender, cache_key, question_key
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
from coai_routing.flights import Flights
from coai_routing.pacing import Turnstile
from coai_routing.prices import estimated_tokens
from coai_routing.privacy import Egress
from coai_routing.request import Delta
from coai_routing.route import Circumstances, affinity_of, plan_route
from coai_routing.sensitivity import SensitivityRules, assess, characters_of, redacted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from coai_routing.calls import AnswerStore, Call, CallBook, DepartureLog
    from coai_routing.capabilities import Capabilities, Objective
    from coai_routing.fleet import Fleet
    from coai_routing.request import Capability, ModelReply
    from coai_routing.route import Deployment, Question, RoutePlan
    from coai_routing.sensitivity import Sensitivity

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


@dataclass(frozen=True, slots=True)
class _Piece:
    """A piece of an answer and whose it is."""

    delta: Delta
    deployment: Deployment
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
        fleet: Fleet,
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
        self._fleet = fleet
        self._registry = registry
        self._egress = egress
        self._settings = settings
        self._cache = cache
        self._book = book
        self._sender = Sender(
            fleet,
            target_ms=lambda tier: registry().target_ms(tier),
            egress=egress,
            hedges=lambda: settings().hedge,
            cache=cache,
            departures=departures,
            book=book,
            observe=observe,
        )
        self._standings = standings
        self._turnstile = Turnstile(settings().max_concurrent)
        self._flights: Flights[_Piece] = Flights()

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

    def plan(self, question: Question, sensitivity: Sensitivity) -> RoutePlan:
        """Order the models for a question that was assessed; reads memory only."""
        request = question.request
        policy = self._registry().policy(request.capability)
        settings = self._settings()
        standings: Mapping[str, float] = (
            {} if self._standings is None else self._standings(request.capability)
        )
        return plan_route(
            self._fleet.deployments(),
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
        assert last.delta.reply is not None, "a stream ends with its reply or an error"
        return Routed(
            last.delta.reply.text,
            last.delta.reply,
            "model",
            last.sensitivity,
            alias=last.deployment.model.alias,
            local=last.deployment.local,
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
        deadline = asyncio.get_running_loop().time() + question.request.timeout
        prepared = await self._prepared(question)
        if prepared is not None and prepared.kept is not None:
            yield Delta(text=prepared.kept.text)
            yield Delta(reply=prepared.kept)
            return
        async with aclosing(self._shared(question, prepared, deadline=deadline)) as pieces:
            async for piece in pieces:
                yield piece.delta

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
    ) -> _Piece | None:
        """Return the end of an answer that nobody sees before; otherwise as `_shared`."""

        def start() -> AsyncGenerator[_Piece]:
            return self._carry_out(question, prepared, deadline=deadline, shown=False)

        try:
            async with asyncio.timeout_at(deadline + _GRACE):
                if question.cached:
                    return await self._flights.last(question_key(question, shown=False), start)
                last: _Piece | None = None
                async with aclosing(start()) as pieces:
                    async for piece in pieces:
                        last = piece
                return last
        except TimeoutError as error:
            raise _too_late(question) from error

    async def _shared(
        self, question: Question, prepared: _Prepared | None, *, deadline: float
    ) -> AsyncGenerator[_Piece]:
        """Join an identical request that is under way, or begin it; each has its own deadline."""

        def start() -> AsyncGenerator[_Piece]:
            return self._carry_out(question, prepared, deadline=deadline, shown=True)

        key = question_key(question, shown=True)
        stream = self._flights.join(key, start) if question.cached else start()
        async with aclosing(stream):
            while True:
                try:
                    # The one who asks has this in time; it is for those who joined someone slower.
                    async with asyncio.timeout_at(deadline + _GRACE):
                        piece = await anext(stream, None)
                except TimeoutError as error:
                    raise _too_late(question) from error
                if piece is None:
                    return
                yield piece

    # ---------------------------------------------------------------- carrying out

    async def _carry_out(
        self, question: Question, prepared: _Prepared | None, *, deadline: float, shown: bool
    ) -> AsyncGenerator[_Piece]:
        """Ask candidate after candidate until one has answered."""
        failures: list[ProviderError] = []
        partial: ReplyCutOffError | None = None
        if not self._turnstile.enter_at_once():
            # Everybody who listens has a deadline of his own, and the last one to leave ends this.
            await self._turnstile.enter(question.priority)
        try:
            if prepared is None:
                question, sensitivity = await self._assessed(question)
            else:
                question, sensitivity = prepared.question, prepared.sensitivity
            # Only now: health, load and budget are others than when the turn was asked for.
            plan = self.plan(question, sensitivity)
            candidates = list(plan.candidates)
            while candidates:
                candidate = candidates.pop(0)
                attempt = Attempt(self._sender, question, candidate, deadline)
                said = False
                try:
                    async with aclosing(attempt.run(candidates)) as deltas:
                        async for delta in deltas:
                            said = said or bool(delta.text)
                            yield _Piece(delta, attempt.serving, sensitivity)
                    return
                except ReplyCutOffError as error:
                    if said and shown:
                        raise
                    failures.append(error)
                    partial = error if error.partial else partial
                except ProviderError as error:
                    if said and shown:
                        raise _cut_off(error, attempt.text()) from error
                    failures.append(error)
                if asyncio.get_running_loop().time() >= deadline:
                    break
        finally:
            self._turnstile.leave()
        if partial is not None:
            raise partial
        raise _nobody(question, plan, failures, sensitivity)

    async def aclose(self) -> None:
        """Cancel what is under way and close every connection."""
        await self._flights.aclose()
        await self._fleet.aclose()


def _cut_off(error: ProviderError, partial: str) -> ReplyCutOffError:
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
