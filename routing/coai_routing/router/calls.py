"""What one call of a model used and cost, and who wants to know: the cache, the log, the books."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from coai_routing.errors import EgressLogError, EgressRefusedError
from coai_routing.privacy.sensitivity import texts_of
from coai_routing.registry.prices import estimated_tokens

if TYPE_CHECKING:
    from coai_routing.errors import ProviderError
    from coai_routing.policy.deployment import Deployment
    from coai_routing.policy.question import Question
    from coai_routing.request import Delta, ModelReply, ModelRequest

ANSWERED: Final = ("answered", "stopped")
"""The outcomes of calls that gave who asked what was wanted."""


@dataclass(frozen=True, slots=True)
class Departure:
    """Content that is about to leave this machine."""

    host: str
    endpoint: str
    model: str
    capability: str
    content_bytes: int
    why: str
    """Why it was allowed."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a model, for the ledger."""

    capability: str
    alias: str
    endpoint: str
    model: str
    local: bool
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_usd: float
    first_ms: float | None
    total_ms: float
    outcome: str
    """`answered`; `stopped`, where who asked had enough; `cut_off`; `cancelled`, where nothing had
    come; or the name of the error."""


class AnswerStore(Protocol):
    """Keeps answers; see `cache.AnswerCache`."""

    async def get(self, key: str) -> ModelReply | None:
        """Return a kept answer."""
        ...

    async def put(
        self, key: str, reply: ModelReply, *, sensitive: bool, cost: float, seconds: float
    ) -> None:
        """Keep an answer if it is worth it."""
        ...


class DepartureLog(Protocol):
    """Notes what leaves this machine; see `departures.EgressLog`."""

    async def record(self, departure: Departure) -> None:
        """Note a departure; has written it when it returns."""
        ...


class CallBook(Protocol):
    """Reserves money before a call and settles it after; see `bookkeeping.SpendingLedger`."""

    def money_left(self) -> float | None:
        """Return the US dollars that the budgets leave; None without a budget."""
        ...

    async def reserve(self, cost: float) -> int | None:
        """Set money aside, None if it is not there; the number is for `settle`."""
        ...

    async def settle(self, reservation: int, call: Call) -> None:
        """Record a call and what it really cost, and free what was set aside."""
        ...


class Meter:
    """What one call has used."""

    def __init__(self, question: Question, deployment: Deployment) -> None:
        self._question = question
        self._deployment = deployment
        self._begun = time.monotonic()
        self._reply: ModelReply | None = None
        self._characters = 0
        self._failure = ""
        self.first_ms: float | None = None

    def see(self, delta: Delta) -> None:
        """Take a piece into account."""
        if self.first_ms is None:
            self.first_ms = self.total_ms()
        self._characters += len(delta.text)
        if delta.reply is not None:
            self._reply = delta.reply

    def failed(self, error: ProviderError) -> None:
        """Note the error that the call ended in."""
        self._failure = "cut_off" if self._characters else type(error).__name__

    @property
    def outcome(self) -> str:
        """What the call has ended in if it ends now."""
        if self._failure:
            return self._failure
        if self._reply is not None:
            return "answered"
        return "stopped" if self._characters else "cancelled"

    def total_ms(self) -> float:
        """Milliseconds since the call began."""
        return (time.monotonic() - self._begun) * 1000

    def call(self) -> Call:
        """Return the call as it is now; one that broke off is priced by what had come."""
        deployment, request = self._deployment, self._question.request
        reply = self._reply
        if reply is not None:
            usage = reply.usage
            prompt, cached, output = usage.prompt_tokens, usage.cached_tokens, usage.output_tokens
            cost = 0.0 if deployment.price is None else deployment.price.of(usage)
        else:
            # Vendors charge for a prompt that they began to answer, and for what they said.
            began = self.first_ms is not None
            prompt = estimated_tokens(sum(map(len, texts_of(request)))) if began else 0
            output = estimated_tokens(self._characters) if self._characters else 0
            cached = 0
            cost = 0.0 if deployment.price is None else deployment.price.at_most(prompt, output)
        return Call(
            capability=request.capability,
            alias=deployment.alias,
            endpoint=deployment.endpoint,
            model=deployment.model if reply is None else reply.model,
            local=deployment.local,
            prompt_tokens=prompt,
            cached_tokens=cached,
            output_tokens=output,
            cost_usd=cost,
            first_ms=self.first_ms,
            total_ms=self.total_ms(),
            outcome=self.outcome,
        )


def departure_of(
    request: ModelRequest, *, base_url: str, endpoint: str, model: str, trusted: bool
) -> Departure:
    """Describe what is about to leave; `trusted` says whether the user trusts that host."""
    why = "the user allows it, and nothing sensitive was found"
    if request.sensitive or trusted:
        why = "the user trusts this host with what is sensitive"
    return Departure(
        host=base_url,
        endpoint=endpoint,
        model=model,
        capability=request.capability,
        content_bytes=sum(len(text.encode("utf-8", "replace")) for text in texts_of(request)),
        why=why,
    )


async def logged(log: DepartureLog, departure: Departure) -> None:
    """Log a departure. What cannot be logged may not depart: raises EgressRefusedError."""
    try:
        await log.record(departure)
    except EgressLogError as error:
        raise EgressRefusedError(
            error.message, provider=departure.endpoint, remedy=error.remedy
        ) from error
