"""The backends that can complete code right now, and the way to ask one of them.

Finding out takes time and happens in the background; choosing does not and happens on every
keystroke. So this keeps what was found last, and `candidates` only reads it.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from coai_routing.background import Background
from coai_routing.errors import ProviderError, ProviderUnavailableError
from coai_routing.policy.completion import CompletionPlan, Wishes, plan_completion
from coai_routing.policy.deployment import Deployment
from coai_routing.pool.speed import Speed, measure
from coai_routing.privacy.egress import is_loopback
from coai_routing.providers.suffixed import BY_SERVER, taken_apart
from coai_routing.registry.next_edit import next_edit_family

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence

    from coai_routing.pool.place import Place
    from coai_routing.pool.pool import ModelPool
    from coai_routing.providers.discovery import Found, ModelServer
    from coai_routing.registry.catalog import Catalog, FimFormat
    from coai_routing.registry.next_edit import NextEditFamily
    from coai_routing.request import Delta, ModelDescription, ModelRequest

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
    base_url: str
    """Where it is, as it was planned."""
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
class Editor:
    """A model that can be asked for the next edit."""

    name: str
    model: str
    base_url: str
    family: NextEditFamily
    context_tokens: int
    local: bool

    @property
    def key(self) -> str:
        """What tells it from others."""
        return f"{self.name}/{self.model}"


@dataclass(frozen=True, slots=True)
class Absence:
    """Why there is no backend: a reason's code, and the details for the user."""

    code: Literal["no_backend", "backend_starting", "backend_failed", "breaker_open",
                  "egress_refused"]  # fmt: skip
    detail: str


@dataclass(frozen=True, slots=True)
class Served:
    """A deployment together with what it takes to complete code there."""

    deployment: Deployment
    place: Callable[[], Place | None]
    """Where it is and what may go there as the settings are now; None while nobody is there."""
    fim: FimFormat | None
    context_tokens: int
    has_slots: bool = False
    reads_ahead: bool = False
    edits: NextEditFamily | None = None
    """Set for a model that predicts the next edit, which does not fill in."""

    @property
    def sent_model(self) -> str | None:
        """The model as a request names it; None for a server that has one and keeps slots."""
        return None if self.has_slots else self.deployment.model


class Backends:
    """Knows every backend, how it has been doing, and which to ask first."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        wishes: Callable[[], Wishes],
        endpoints: Callable[[], Sequence[ModelServer]],
        embedded: Callable[[], Served | None],
        place: Callable[[ModelServer], Place],
        discover: Callable[[Sequence[ModelServer]], Awaitable[Sequence[Found]]],
        pool: ModelPool,
        cloud: Callable[[], Served | None] = lambda: None,
        departs: Callable[[Backend | Editor, ModelRequest], Awaitable[None]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look at nothing yet.

        `place` says where a model server is, with what the settings let go there now. `cloud` is
        what goes through the router. `departs` is told before anything else leaves this machine,
        and may refuse it by EgressRefusedError.
        """
        self._cloud = cloud
        self._departs = departs
        self._catalog = catalog
        self._wishes = wishes
        self._endpoints = endpoints
        self._embedded = embedded
        self._place = place
        self._discover = discover
        self._pool = pool
        self._clock = clock
        self._served: tuple[Served, ...] = ()
        self._measured: set[tuple[str, str]] = set()
        """Backends and models whose speed was asked for, whatever came of it."""
        self._background = Background()
        self._looks: asyncio.Task[None] | None = None
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
            deployment = candidate.deployment
            behind = served[deployment.endpoint, deployment.model]
            place = behind.place() if deployment.phase == "ready" else None
            if place is not None and behind.fim is not None:
                backends.append(
                    Backend(
                        name=deployment.endpoint,
                        model=deployment.model,
                        base_url=place.base_url,
                        fim=behind.fim,
                        context_tokens=behind.context_tokens,
                        speed=deployment.speed,
                        latency_ms=deployment.latency_ms,
                        has_slots=behind.has_slots,
                        reads_ahead=behind.reads_ahead,
                        local=deployment.local,
                    )
                )
        return tuple(backends)

    def editor(self) -> Editor | None:
        """Return the model to ask for the next edit, under the same rules; reads only memory.

        None is loaded unasked by the server that completes: it would have to unload the one that
        completes where both do not fit, at every turn.
        """
        completing = next((each.name for each in self.candidates()), None)
        served = {at: one for at, one in self._everything().items() if one.edits is not None}
        able = [replace(self._as_it_is(one), fills_in=True) for one in served.values()]
        wishes = replace(self._wishes(), backend="auto", model=None)
        for candidate in plan_completion(able, wishes, self._clock()).candidates:
            deployment = candidate.deployment
            one = served[deployment.endpoint, deployment.model]
            place = one.place() if deployment.phase == "ready" else None
            if not deployment.loaded and deployment.endpoint == completing:
                continue
            if place is not None and one.edits is not None:
                return Editor(
                    deployment.endpoint,
                    deployment.model,
                    place.base_url,
                    one.edits,
                    one.context_tokens,
                    deployment.local,
                )
        return None

    def absence(self) -> Absence:
        """Say why `candidates` is empty."""
        plan = self.plan()
        for candidate in plan.candidates:
            if candidate.deployment.phase == "starting":
                return Absence("backend_starting", candidate.why)
        asked_for = self._wishes().backend
        details: list[str] = []
        for refused in plan.rejected:
            if asked_for not in ("auto", refused.deployment.endpoint):
                continue
            detail = f"{refused.deployment.endpoint}: {refused.why} {refused.remedy}".rstrip()
            if refused.deployment.health.failures:
                return Absence("breaker_open", detail)
            if refused.deployment.phase == "failed":
                return Absence("backend_failed", detail)
            if not refused.deployment.local and refused.deployment.phase == "ready":
                return Absence("egress_refused", detail)
            details.append(detail)
        # The embedded engine goes first in every plan, and what it lacks is the easiest to get.
        return Absence("no_backend", details[0] if details else "")

    def _plan(self) -> tuple[CompletionPlan, dict[tuple[str, str], Served]]:
        served = self._everything()
        deployments = [self._as_it_is(one) for one in served.values()]
        return plan_completion(deployments, self._wishes(), self._clock()), served

    def _everything(self) -> dict[tuple[str, str], Served]:
        """Return all that is served, the embedded engine first: its lacks are told first."""
        embedded = self._embedded()
        everything = self._served if embedded is None else (embedded, *self._served)
        if (cloud := self._cloud()) is not None:
            everything = (*everything, cloud)
        return {(one.deployment.endpoint, one.deployment.model): one for one in everything}

    def _each(self) -> Iterator[Served]:
        """Yield all that is served; each is made when it is asked for, so the servers go first."""
        yield from self._served
        if (embedded := self._embedded()) is not None:
            yield embedded
        if (cloud := self._cloud()) is not None:
            yield cloud

    def _as_it_is(self, served: Served) -> Deployment:
        """Return a deployment with what the pool knows of it, and as the settings are now."""
        deployment, at = served.deployment, (served.deployment.endpoint, served.sent_model)
        place = served.place()
        return replace(
            deployment,
            health=self._pool.health(*at),
            latency_ms=self._pool.latency_ms(*at, completes=True),
            speed=self._pool.speed(*at) or deployment.speed,
            local=deployment.local if place is None else place.local,
        )

    # -------------------------------------------------------------- asking

    def stream(self, backend: Backend | Editor, request: ModelRequest) -> AsyncGenerator[Delta]:
        """Ask a backend; the pool notes how it did. Raises its `ProviderError`s.

        The settings count as they are now: what was planned before they changed is not asked. An
        async generator: leave it by `contextlib.aclosing` to close the backend's connection.
        """
        served, place = self._as_chosen(backend)
        if request.model is None and served.sent_model is not None:
            request = request.model_copy(update={"model": served.sent_model})
        if served.fim is BY_SERVER:
            request = taken_apart(request)
        before = None
        if self._departs is not None and not is_loopback(place.base_url):
            before = partial(self._departs, backend, request)
        return self._pool.stream(place, request, before=before)

    async def count_tokens(self, backend: Backend | Editor, text: str) -> int | None:
        """Have a backend's own tokenizer count; None where there is none or it does not answer."""
        try:
            served, place = self._as_chosen(backend)
            if not is_loopback(place.base_url) or served.fim is BY_SERVER:
                return None  # a departure that nobody logs, or a template that nobody knows
            return await self._pool.provider(place).count_tokens(text)
        except ProviderError as error:
            logger.info("%s does not count tokens: %s", backend.name, error)
            return None

    def _as_chosen(self, backend: Backend | Editor) -> tuple[Served, Place]:
        """Return what a backend is now; raises ProviderUnavailableError if it is another one."""
        for served in self._each():
            if (served.deployment.endpoint, served.deployment.model) == (
                backend.name,
                backend.model,
            ):
                place = served.place()
                if place is not None and place.local == backend.local:
                    return served, place
        raise ProviderUnavailableError(
            f"{backend.name} is not what it was when it was chosen.",
            provider=backend.name,
            remedy="Ask again.",
        )

    # ------------------------------------------------------------- finding

    def start(self) -> None:
        """Begin to look around, now and from time to time."""
        if self._looks is None:
            self._looks = self._background.repeat(
                self._look_and_measure, every=LOOK_AGAIN, name="look for model servers"
            )

    async def _look_and_measure(self) -> None:
        await self.look()
        await self._measure()

    async def look(self) -> None:
        """Find out which endpoints answer and what they deployment."""
        endpoints = {endpoint.name: endpoint for endpoint in self._endpoints()}
        self.found = tuple(await self._discover(tuple(endpoints.values())))
        served: list[Served] = []
        for found in self.found:
            endpoint = endpoints[found.name]
            if found.ok:
                served.extend(self._serve(found, endpoint, model) for model in found.models)
                continue
            deployment = Deployment(
                found.name,
                "",
                fills_in=False,
                phase="off",
                detail=found.detail,
                remedy=found.remedy,
            )
            served.append(Served(deployment, partial(self._place, endpoint), None, DEFAULT_CONTEXT))
        self._served = tuple(served)

    async def _measure(self) -> None:
        """Measure each server on this machine whose speed is not known, one after the other."""
        for served in self._served:
            deployment, place = self._as_it_is(served), served.place()
            key = (deployment.endpoint, deployment.model)
            wanted = deployment.fills_in and deployment.local and deployment.loaded
            if not wanted or place is None or key in self._measured:
                continue
            self._measured.add(key)
            try:
                speed = await measure(self._pool.provider(place), served.sent_model)
            except ProviderError as error:
                logger.info("The speed of %s could not be measured: %s", deployment.endpoint, error)
                continue
            if speed is not None:
                self._pool.measured(deployment.endpoint, served.sent_model, speed)

    def _serve(self, found: Found, endpoint: ModelServer, model: ModelDescription) -> Served:
        edits = next_edit_family(model.name)
        family = None if edits else self._catalog.family_of(model.name)
        by_server = not (family or edits) and model.name in found.fills_in
        is_llama = found.kind == "llama_server"
        deployment = Deployment(
            found.name,
            model.name,
            fills_in=family is not None or by_server,
            predicts_edits=edits is not None,
            rank=int(family is not None and self._catalog.completion_rank(model.name))
            or int(by_server),
            loaded=model.loaded is not False,
            size_bytes=model.size_bytes,
        )
        fim = None if family is None else family.fim
        if by_server:
            fim = BY_SERVER
        return Served(
            deployment,
            partial(self._place, endpoint),
            fim,
            model.context_tokens or DEFAULT_CONTEXT,
            has_slots=is_llama,
            reads_ahead=is_llama,
            edits=edits,
        )

    async def aclose(self) -> None:
        """Stop looking around. The pool is its owner's to close."""
        await self._background.aclose()
