"""The one way to a model: its provider, its circuit breaker, its speed and what is in flight.

Completions and the router ask models here and nowhere else, so that each learns from the other's
calls. All of a place is looked at when a call is made, not when it was planned: a provider that was
made with another egress or key than holds now is not used any more, and is closed when its last
call has ended.
"""

from __future__ import annotations

import time
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from coai_routing.background import Background
from coai_routing.errors import (
    ProviderError,
    ProviderTimeoutError,
    ProviderUnavailableError,
)
from coai_routing.machine import Machine
from coai_routing.pool.health import HEALTHY, BackendHealth, Circuit
from coai_routing.pool.speed import speed_of
from coai_routing.privacy.egress import is_loopback
from coai_routing.request import Capability
from coai_routing.router.limiter import blames_backend
from coai_routing.running_mean import blended

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable

    from coai_routing.pool.place import Place
    from coai_routing.pool.speed import Speed
    from coai_routing.providers.base import Provider
    from coai_routing.request import Delta, ModelRequest

KEPT: Final = 2
"""Providers of one endpoint that are kept: completions and questions may have an egress each."""


@dataclass(slots=True)
class _Model:
    """What is known of one model at one endpoint."""

    health: BackendHealth = HEALTHY
    speed: Speed | None = None
    in_flight: int = 0
    latency_ms: dict[bool, float] = field(default_factory=dict[bool, float])
    """The running mean until the last byte, of completions (True) and of questions."""


@dataclass(slots=True)
class _Traffic:
    """What all calls of an endpoint have come to so far, whatever its model."""

    begun: int = 0
    words: int = 0
    """Times that the first piece or the reply of a call has come."""


class _Call:
    """One call of a model, from its beginning until it is known what it tells of the model."""

    __slots__ = (
        "_completes",
        "_excused",
        "_failure",
        "_first",
        "_longest_wait_ms",
        "_model",
        "_started",
        "_tries",
        "_whole",
        "waits",
        "words",
    )

    def __init__(
        self, model: _Model, now: float, *, completes: bool, longest_wait_ms: float | None
    ) -> None:
        self._model = model
        self._started = now
        self._excused = False
        self.words = 0
        """Of its endpoint's, those that were this call's."""
        self.waits = True
        """Whether nothing has come yet."""
        self._completes = completes
        self._longest_wait_ms = longest_wait_ms
        self._first: float | None = None
        self._whole = False
        self._failure: str | None = None
        self._tries = model.health.circuit(now) is Circuit.HALF_OPEN
        model.health = model.health.started(now)
        model.in_flight += 1

    def see(self, delta: Delta, now: float, *, excused: bool) -> None:
        """Take a piece into account: the first one, and the one with the reply.

        `excused` says whether something else than the backend made the first one late.
        """
        self.words += 1
        if self.waits:
            self.waits = False
            self._first = now
            self._excused = excused
        if delta.reply is not None:
            self._whole = True
            if self._model.speed is not None:
                self._model.speed = speed_of(delta.reply, self._model.speed)

    def broke(self, error: ProviderError, *, excused: bool) -> None:
        """Note the failure that it ended in; `excused` as of `see`, if it is a time that passed."""
        self._first = None
        if blames_backend(error) and not (excused and isinstance(error, ProviderTimeoutError)):
            self._failure = error.message

    def end(self, now: float) -> None:
        """Tell the breaker, once: a failure is one whatever had come, and nothing tells nothing."""
        model, failure = self._model, self._failure
        model.in_flight -= 1
        if self._first is not None:
            waited = (self._first - self._started) * 1000
            longest = self._longest_wait_ms
            if longest is None or waited <= longest or self._excused:
                model.health = HEALTHY
                self._learn_latency(now)
                return
            failure = f"its first word took {waited:.0f} ms"
        if failure is not None:
            model.health = model.health.failed(now, failure)
        elif self._tries:
            model.health = model.health.abandoned()

    def _learn_latency(self, now: float) -> None:
        # A completion is stopped when it is whole; of other answers only the end tells.
        if self._whole or self._completes:
            mean = self._model.latency_ms.get(self._completes)
            elapsed = (now - self._started) * 1000
            self._model.latency_ms[self._completes] = blended(mean, elapsed)


@dataclass(slots=True, eq=False)
class _Connection:
    """A provider, what it was made with, and how many calls are under way by it."""

    made_with: Hashable
    provider: Provider
    shared: bool
    calls: int = 0
    retired: bool = False


class ModelPool:
    """Every model that can be asked. It belongs to one event loop; reading it is memory only."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        strained: Callable[[], bool] | None = None,
    ) -> None:
        """`strained` says whether programs of this machine wait for its processors."""
        self._clock = clock
        self._strained = strained or Machine().is_strained
        self._models: dict[tuple[str, str], _Model] = {}
        self._traffic: dict[str, _Traffic] = {}
        self._connections: dict[str, list[_Connection]] = {}
        self._closing = Background()

    # ------------------------------------------------------------ what is known

    def health(self, endpoint: str, model: str | None) -> BackendHealth:
        """Return the circuit breaker of a model; None stands for the one that a server has."""
        known = self._models.get((endpoint, model or ""))
        return HEALTHY if known is None else known.health

    def latency_ms(self, endpoint: str, model: str | None, *, completes: bool) -> float | None:
        """Return the running mean until the last byte, of completions or of other questions."""
        known = self._models.get((endpoint, model or ""))
        return None if known is None else known.latency_ms.get(completes)

    def speed(self, endpoint: str, model: str | None) -> Speed | None:
        """Return how fast a model was measured to be, and is by what it answers since."""
        known = self._models.get((endpoint, model or ""))
        return None if known is None else known.speed

    def in_flight(self, endpoint: str) -> int:
        """Return how many calls are under way at an endpoint, of all its models."""
        return sum(known.in_flight for (name, _), known in self._models.items() if name == endpoint)

    def measured(self, endpoint: str, model: str | None, speed: Speed) -> None:
        """Note a speed that was measured; answers keep it up to date."""
        self._model(endpoint, model).speed = speed

    def words(self, endpoint: str) -> int:
        """Return how often something has come of an endpoint, for `late`."""
        return self._of(endpoint).words

    def late(
        self, endpoint: str, model: str | None, error: str, *, base_url: str, words: int
    ) -> None:
        """Note that somebody waited in vain for a first word: what only who waited could see.

        `words` is what `words` returned when the wait began. An endpoint that has answered others
        since is busy and not broken, and one on a machine without time cannot be told from it.
        """
        if self._of(endpoint).words == words and not self._has_no_time(base_url):
            known = self._model(endpoint, model)
            known.health = known.health.failed(self._clock(), error)

    def _has_no_time(self, base_url: str) -> bool:
        return is_loopback(base_url) and self._strained()

    def _of(self, endpoint: str) -> _Traffic:
        return self._traffic.setdefault(endpoint, _Traffic())

    def _model(self, endpoint: str, model: str | None) -> _Model:
        return self._models.setdefault((endpoint, model or ""), _Model())

    # ------------------------------------------------------------------- asking

    async def stream(
        self,
        place: Place,
        request: ModelRequest,
        *,
        before: Callable[[], Awaitable[None]] | None = None,
        longest_wait_ms: float | None = None,
    ) -> AsyncGenerator[Delta]:
        """Ask a model and note how it did; raises its `ProviderError`s.

        `before` is awaited last before the provider is asked, and may refuse by raising. A first
        word that takes longer than `longest_wait_ms` counts as a failure, though it is an answer,
        unless other calls of the endpoint were under way meanwhile, or the endpoint is on this
        machine and that has no time. Nor does a deadline that passed while others were answered.
        Who has had text and leaves has had an answer. Leave it by `contextlib.aclosing` to close
        the connection.
        """
        model = self._model(place.endpoint, request.model)
        now = self._clock()
        if (refusal := model.health.refusal(now)) is not None:
            raise ProviderUnavailableError(refusal[0], provider=place.endpoint, remedy=refusal[1])
        completes = request.capability is Capability.CODE_COMPLETION and request.max_tokens > 0
        traffic = self._of(place.endpoint)
        crowded = self.in_flight(place.endpoint) > 0
        call = _Call(model, now, completes=completes, longest_wait_ms=longest_wait_ms)
        traffic.begun += 1
        begun, words = traffic.begun, traffic.words
        try:
            if before is not None:
                await before()
            connection = self._connected(place)
            connection.calls += 1
            try:
                async with aclosing(connection.provider.stream(request)) as deltas:
                    async for delta in deltas:
                        if delta.reply is not None or call.waits:
                            excused = call.waits and (
                                crowded
                                or traffic.begun != begun
                                or self._has_no_time(place.base_url)
                            )
                            call.see(delta, self._clock(), excused=excused)
                            traffic.words += 1
                        yield delta
            finally:
                connection.calls -= 1
                self._close_if_done(connection)
        except ProviderError as error:
            call.broke(error, excused=traffic.words - call.words > words)
            raise
        finally:
            call.end(self._clock())

    # -------------------------------------------------------------- connections

    def provider(self, place: Place) -> Provider:
        """Return what speaks to a place as it is now: made with the egress and key that hold."""
        return self._connected(place).provider

    def _connected(self, place: Place) -> _Connection:
        kept = self._connections.setdefault(place.endpoint, [])
        made_with = (place.base_url, place.bound)
        for connection in kept:
            if connection.made_with == made_with:
                if connection is not kept[-1]:
                    kept.remove(connection)
                    kept.append(connection)
                return connection
        connection = _Connection(made_with, place.connect(), place.shared)
        kept.append(connection)
        while len(kept) > KEPT:
            oldest = kept.pop(0)
            oldest.retired = True
            self._close_if_done(oldest)
        return connection

    def _close_if_done(self, connection: _Connection) -> None:
        if connection.retired and not connection.calls and not connection.shared:
            connection.retired = False
            self._closing.spawn(connection.provider.aclose(), name="close a connection")

    async def aclose(self) -> None:
        """Close every connection."""
        for kept in self._connections.values():
            for connection in kept:
                if not connection.shared:
                    await connection.provider.aclose()
        self._connections.clear()
        await self._closing.settle()
