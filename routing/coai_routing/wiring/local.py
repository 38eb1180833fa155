"""The models that completions can use, wired from the settings: what daemon and commands share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from coai_routing.policy.completion import Wishes
from coai_routing.pool.backends import Backends
from coai_routing.pool.endpoints import absent, server_place
from coai_routing.pool.pool import ModelPool
from coai_routing.providers.discovery import discover
from coai_routing.records.usage_rows import Fate
from coai_routing.registry.catalog import builtin_catalog
from coai_routing.request import Capability
from coai_routing.router.cloud_completion import NAME as CLOUD
from coai_routing.router.cloud_completion import CloudCompletion
from coai_routing.wiring.configured import (
    completion_egress,
    configured_endpoints,
    open_store,
    state_directory,
)
from coai_routing.wiring.embedded import Embedded
from coai_routing.wiring.on_demand import RoutingOnDemand

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coai_routing.policy.bandit import Verdict
    from coai_routing.pool.backends import Backend, Editor
    from coai_routing.pool.place import Place
    from coai_routing.privacy.departures import EgressLog
    from coai_routing.providers.discovery import ModelServer
    from coai_routing.records.usage_rows import SuggestionRow
    from coai_routing.request import ModelRequest
    from coai_routing.settings.schema import Settings


HALF: Final = 0.5
"""The share of a suggestion that must still stand for it to count as kept."""


class LocalModels:
    """The embedded engine and the model servers found, kept up to date with the settings."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        *,
        on_change: Callable[[], None] = lambda: None,
        state: Path | None = None,
        others: tuple[Place, ...] = (),
    ) -> None:
        """`others` are model servers that neither settings nor discovery know of."""
        self._settings = settings
        self._others = others
        self.catalog = builtin_catalog()
        self.store = open_store(settings(), self.catalog)
        self.embedded = Embedded(
            store=self.store,
            catalog=self.catalog,
            directory=state or state_directory(),
            on_change=on_change,
            enabled=settings().engine.enabled,
        )
        self.pool = ModelPool()
        self.routing = RoutingOnDemand(
            settings,
            found=lambda: self.backends.found,
            embedded=self._embedded_place,
            pool=self.pool,
        )
        self.cloud = CloudCompletion(
            settings, egress=lambda: completion_egress(settings()), router=self.routing.router
        )
        self._departures: EgressLog | None = None
        self._places_of: Settings | None = None
        self._places: dict[str, tuple[ModelServer, Place]] = {}
        self.backends = Backends(
            catalog=self.catalog,
            wishes=self._wishes,
            endpoints=lambda: configured_endpoints(settings()),
            embedded=self.embedded.served,
            place=self._server_place,
            discover=lambda found: discover(found, egress=completion_egress(settings())),
            pool=self.pool,
            cloud=self.cloud.served,
            departs=self._departs,
        )

    def _wishes(self) -> Wishes:
        settings = self._settings()
        return Wishes(
            backend=settings.completion.backend,
            model=settings.completion.model,
            target_ms=settings.completion.target_latency_ms,
            allow_remote=settings.completion.allow_cloud and not settings.privacy.mode,
        )

    def _server_place(self, endpoint: ModelServer) -> Place:
        """Return where a server is now; asked for many times between two changes of settings."""
        now = self._settings()
        if now is not self._places_of:
            self._places_of, self._places = now, {}
        known = self._places.get(endpoint.name)
        if known is None or known[0] is not endpoint:
            known = self._places[endpoint.name] = (
                endpoint,
                server_place(endpoint, completion_egress(now)),
            )
        return known[1]

    def _embedded_place(self) -> tuple[Place, ...]:
        """Return the embedded engine, and those that were given, as the router knows places."""
        served = self.embedded.served()
        place, embedded = served.place(), served.deployment
        if place is None:
            return self._others
        ready = embedded.phase == "ready"
        known = place if ready else absent(place, embedded.detail, embedded.remedy)
        return (known, *self._others)

    async def _departs(self, backend: Backend | Editor, request: ModelRequest) -> None:
        """Log that a completion's prompt leaves this machine; the router logs its own."""
        if backend.name == CLOUD:
            return
        # Imported here, because hardly anybody completes on another machine.
        from coai_routing.privacy.departures import EgressLog, location  # noqa: PLC0415
        from coai_routing.router.calls import departure_of, logged  # noqa: PLC0415

        completion_egress(self._settings()).check(request, backend.base_url, provider=backend.name)
        if self._departures is None:
            self._departures = EgressLog(location())
        await logged(
            self._departures,
            departure_of(
                request,
                base_url=backend.base_url,
                endpoint=backend.name,
                model=backend.model,
                trusted=backend.local,
            ),
        )

    def judged(self, row: SuggestionRow, before: SuggestionRow | None = None) -> None:
        """Take what became of a suggestion: who wrote it and was taken is asked again.

        `before` is what was known of it until now: a verdict that does not hold any more is taken
        back, and one that still holds is not counted twice.
        """
        if row.backend != CLOUD or self.cloud.alias is None:
            return
        now, earlier = _verdicts(row), _verdicts(before)
        if now != earlier:
            self.routing.note(
                Capability.CODE_COMPLETION,
                self.cloud.alias,
                added=now - earlier,
                withdrawn=earlier - now,
            )

    async def apply(self) -> None:
        """Bring the engine and the list of servers in line with the settings as they are now."""
        await asyncio.gather(
            self.embedded.use(self._settings().engine), self.backends.look(), self.cloud.prepare()
        )

    async def aclose(self) -> None:
        """Stop using every model."""
        await self.routing.aclose()
        await asyncio.gather(self.backends.aclose(), self.embedded.aclose())
        await self.pool.aclose()
        if self._departures is not None:
            await self._departures.aclose()


def _verdicts(row: SuggestionRow | None) -> frozenset[Verdict]:
    """Return what a suggestion's fate says of the model that wrote it; nothing without one."""
    from coai_routing.policy.bandit import Verdict  # noqa: PLC0415 - only with a router

    verdicts: set[Verdict] = set()
    if row is None:
        return frozenset()
    if row.fate is Fate.ACCEPTED:
        verdicts.add(Verdict.ACCEPTED)
    elif row.fate is Fate.REJECTED:
        verdicts.add(Verdict.REJECTED)
    if row.kept_5min is not None and row.kept_5min >= HALF:
        verdicts.add(Verdict.KEPT)
    return frozenset(verdicts)
