"""The backends that can complete code right now, and the way to ask one of them.

Finding out takes time and happens in the background; choosing does not and happens on every
keystroke. So this keeps what was found last, and `candidates` only reads it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from coai_routing.errors import (
    EgressRefusedError,
    OverBudgetError,
    ProviderError,
    RequestRejectedError,
)
from coai_routing.health import BackendHealth
from coai_routing.plan import CompletionPlan, Offer, Speed, Wishes, plan_completion
from coai_routing.privacy import is_loopback, is_trusted
from coai_routing.probing import measure, speed_of
from coai_routing.providers.suffixed import BY_SERVER, SuffixedProvider

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from coai_routing.catalog import Catalog, FimFormat
    from coai_routing.discovery import EndpointSettings, Found
    from coai_routing.providers.base import Provider
    from coai_routing.request import Delta, ModelDescription, ModelReply, ModelRequest

logger = logging.getLogger(__name__)

LOOK_AGAIN: Final = 60.0
"""Seconds between two looks at what answers; a server that the user starts is found by then."""

DEFAULT_CONTEXT: Final = 4096
"""Tokens of a backend's window where it does not say: what Ollama gives a model by default."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A model that can be asked to fill in the middle."""

    name: str
    """As the user knows it."""
    model: str
    """The backend's own name of the model."""
    provider: Provider
    fim: FimFormat
    context_tokens: int
    """Of one request: prompt and answer together."""
    speed: Speed | None
    latency_ms: float | None
    """The running mean from request to the last byte; None before the first answer."""
    has_slots: bool
    """Whether a request can say which of the backend's prompt caches it continues."""
    reads_ahead: bool
    """Whether it can be given a prompt to read without writing anything."""
    local: bool = True
    """Whether it may see what is sensitive: it is on this machine, or the user trusts its host."""

    @property
    def key(self) -> str:
        """What a prompt that was frozen for this backend belongs to."""
        return f"{self.name}/{self.model}"


@dataclass(frozen=True, slots=True)
class Absence:
    """Why there is no backend: a reason's code, and the details for the user."""

    code: Literal["no_backend", "backend_starting", "backend_failed", "breaker_open",
                  "egress_refused"]  # fmt: skip
    detail: str


@dataclass(frozen=True, slots=True)
class Served:
    """An offer together with what it takes to use it."""

    offer: Offer
    provider: Provider | None
    fim: FimFormat | None
    context_tokens: int
    has_slots: bool = False
    reads_ahead: bool = False


class Backends:
    """Knows every backend, how it has been doing, and which to ask first."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        wishes: Callable[[], Wishes],
        endpoints: Callable[[], Sequence[EndpointSettings]],
        embedded: Callable[[], Served | None],
        trusted_hosts: Callable[[], frozenset[str]],
        discover: Callable[[Sequence[EndpointSettings]], Awaitable[Sequence[Found]]],
        provider_for: Callable[[EndpointSettings], Provider],
        cloud: Callable[[], Served | None] = lambda: None,
        departs: Callable[[Backend, ModelRequest], Awaitable[None]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look at nothing yet.

        `cloud` is what goes through the router. `departs` is told before anything else leaves this
        machine, and may refuse it by EgressRefusedError.
        """
        self._cloud = cloud
        self._departs = departs
        self._catalog = catalog
        self._wishes = wishes
        self._endpoints = endpoints
        self._embedded = embedded
        self._trusted_hosts = trusted_hosts
        self._speeds: dict[tuple[str, str], Speed] = {}
        """Of backends that do not tell it themselves, by backend and model."""
        self._measured: set[tuple[str, str]] = set()
        self._discover = discover
        self._provider_for = provider_for
        self._clock = clock
        self._served: tuple[Served, ...] = ()
        self._providers: dict[EndpointSettings, Provider] = {}
        self._health: dict[str, BackendHealth] = {}
        self._looking: asyncio.Task[None] | None = None
        self.found: tuple[Found, ...] = ()
        """What the last look around saw, for `coai doctor` and the status."""

    # ------------------------------------------------------------ choosing

    def plan(self) -> CompletionPlan:
        """Order what is known now; reads only memory."""
        return self._plan()[0]

    def candidates(self) -> tuple[Backend, ...]:
        """Return the backends to ask, best first; reads only memory."""
        plan, served = self._plan()
        backends: list[Backend] = []
        for candidate in plan.candidates:
            offer = candidate.offer
            behind = served[offer.name, offer.model]
            if offer.phase == "ready" and behind.provider is not None and behind.fim is not None:
                backends.append(
                    Backend(
                        name=offer.name,
                        model=offer.model,
                        provider=behind.provider,
                        fim=behind.fim,
                        context_tokens=behind.context_tokens,
                        speed=offer.speed,
                        latency_ms=offer.health.latency_ms,
                        has_slots=behind.has_slots,
                        reads_ahead=behind.reads_ahead,
                        local=offer.local,
                    )
                )
        return tuple(backends)

    def absence(self) -> Absence:
        """Say why `candidates` is empty."""
        plan = self.plan()
        for candidate in plan.candidates:
            if candidate.offer.phase == "starting":
                return Absence("backend_starting", candidate.why)
        asked_for = self._wishes().backend
        details: list[str] = []
        for refused in plan.rejected:
            if asked_for not in ("auto", refused.offer.name):
                continue
            detail = f"{refused.offer.name}: {refused.why} {refused.remedy}".rstrip()
            if refused.offer.health.failures:
                return Absence("breaker_open", detail)
            if refused.offer.phase == "failed":
                return Absence("backend_failed", detail)
            if not refused.offer.local and refused.offer.phase == "ready":
                return Absence("egress_refused", detail)
            details.append(detail)
        # The embedded engine goes first in every plan, and what it lacks is the easiest to get.
        return Absence("no_backend", details[0] if details else "")

    def _plan(self) -> tuple[CompletionPlan, dict[tuple[str, str], Served]]:
        now = self._clock()
        everything = self._served
        if (embedded := self._embedded()) is not None:
            everything = (embedded, *everything)
        if (cloud := self._cloud()) is not None:
            everything = (*everything, cloud)
        served = {(one.offer.name, one.offer.model): one for one in everything}
        offers = [
            replace(
                one.offer,
                health=self._health.get(one.offer.name, one.offer.health),
                speed=self._speeds.get((one.offer.name, one.offer.model), one.offer.speed),
            )
            for one in everything
        ]
        return plan_completion(offers, self._wishes(), now), served

    # -------------------------------------------------------------- asking

    async def stream(self, backend: Backend, request: ModelRequest) -> AsyncGenerator[Delta]:
        """Ask a backend and note how it did; raises its `ProviderError`s.

        An async generator: leave it by `contextlib.aclosing` to close the backend's connection.
        """
        started = self._clock()
        self._note(backend, lambda health: health.started(started))
        answered = False
        try:
            if self._departs is not None and not is_loopback(backend.provider.base_url):
                await self._departs(backend, request)
            async with aclosing(backend.provider.stream(_addressed(request, backend))) as deltas:
                async for delta in deltas:
                    answered = True
                    if delta.reply is not None:
                        self._learn(backend, delta.reply)
                    yield delta
        except (EgressRefusedError, OverBudgetError, RequestRejectedError):
            raise  # which says nothing of how the backend is
        except ProviderError as error:
            message = error.message
            self._note(backend, lambda health: health.failed(self._clock(), message))
            raise
        finally:
            if answered:
                elapsed = (self._clock() - started) * 1000
                self._note(backend, lambda health: health.succeeded(elapsed))
            else:
                self._note(backend, lambda health: health.abandoned())

    async def count_tokens(self, backend: Backend, text: str) -> int | None:
        """Have a backend's own tokenizer count; None where there is none or it does not answer."""
        if not is_loopback(backend.provider.base_url):
            return None  # a departure that nobody logs
        try:
            return await backend.provider.count_tokens(text)
        except ProviderError as error:
            logger.info("%s does not count tokens: %s", backend.name, error)
            return None

    def _learn(self, backend: Backend, reply: ModelReply) -> None:
        """Take from a reply how fast a server is that was measured before."""
        key = (backend.name, backend.model)
        if key in self._speeds:
            self._speeds[key] = speed_of(reply, self._speeds[key])

    def _note(self, backend: Backend, change: Callable[[BackendHealth], BackendHealth]) -> None:
        before = self._health.get(backend.name, BackendHealth())
        self._health[backend.name] = change(before)

    # ------------------------------------------------------------- finding

    def start(self) -> None:
        """Begin to look around, now and from time to time."""
        if self._looking is None:
            self._looking = asyncio.create_task(self._keep_looking())

    async def _keep_looking(self) -> None:
        while True:
            await self.look()
            await self._measure()
            await asyncio.sleep(LOOK_AGAIN)

    async def look(self) -> None:
        """Find out which endpoints answer and what they offer."""
        endpoints = {endpoint.name: endpoint for endpoint in self._endpoints()}
        self.found = tuple(await self._discover(tuple(endpoints.values())))
        served: list[Served] = []
        for found in self.found:
            endpoint = endpoints[found.name]
            if not found.ok:
                offer = Offer(
                    name=found.name,
                    model="",
                    fills_in=False,
                    phase="off",
                    detail=found.detail,
                    remedy=found.remedy,
                    local=self._is_local(found.base_url),
                )
                served.append(Served(offer, None, None, DEFAULT_CONTEXT))
                continue
            provider = self._providers.get(endpoint)
            if provider is None:
                provider = self._providers[endpoint] = self._provider_for(endpoint)
            served.extend(self._serve(found, provider, model) for model in found.models)
        self._served = tuple(served)

    async def _measure(self) -> None:
        """Measure each server on this machine whose speed is not known, one after the other."""
        for served in self._served:
            offer, provider = served.offer, served.provider
            key = (offer.name, offer.model)
            wanted = offer.fills_in and offer.local and offer.loaded
            if not wanted or provider is None or key in self._measured:
                continue
            self._measured.add(key)
            try:
                speed = await measure(provider, None if served.has_slots else offer.model)
            except ProviderError as error:
                logger.info("The speed of %s could not be measured: %s", offer.name, error)
                continue
            if speed is not None:
                self._speeds[key] = speed

    def _serve(self, found: Found, provider: Provider, model: ModelDescription) -> Served:
        family = self._catalog.family_of(model.name)
        by_server = family is None and model.name in found.fills_in
        is_llama = found.kind == "llama_server"
        offer = Offer(
            name=found.name,
            model=model.name,
            fills_in=family is not None or by_server,
            local=self._is_local(found.base_url),
            rank=int(self._catalog.completion_rank(model.name)) or int(by_server),
            loaded=model.loaded is not False,
            size_bytes=model.size_bytes,
        )
        fim = None if family is None else family.fim
        if by_server:
            provider, fim = SuffixedProvider(provider), BY_SERVER
        return Served(
            offer,
            provider,
            fim,
            model.context_tokens or DEFAULT_CONTEXT,
            has_slots=is_llama,
            reads_ahead=is_llama,
        )

    def _is_local(self, base_url: str) -> bool:
        return is_loopback(base_url) or is_trusted(base_url, self._trusted_hosts())

    async def aclose(self) -> None:
        """Stop looking around and close every connection."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait((self._looking,))
        await asyncio.gather(*(provider.aclose() for provider in self._providers.values()))


def _addressed(request: ModelRequest, backend: Backend) -> ModelRequest:
    """Name the model where the backend has several."""
    if backend.has_slots or request.model is not None:
        return request
    return request.model_copy(update={"model": backend.model})
