"""The models that completions can use, wired from the settings: what daemon and commands share."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import platformdirs
from pydantic import SecretStr

from coai_routing.backends import Backends
from coai_routing.catalog import builtin_catalog
from coai_routing.cloud_completion import NAME as CLOUD
from coai_routing.cloud_completion import CloudCompletion
from coai_routing.discovery import EndpointSettings, discover, provider_for
from coai_routing.embedded import Embedded
from coai_routing.engine.store import ModelStore
from coai_routing.errors import EgressLogError, EgressRefusedError
from coai_routing.ledger_rows import Fate
from coai_routing.on_demand import RoutingOnDemand
from coai_routing.plan import Wishes
from coai_routing.privacy import Egress
from coai_routing.request import Capability
from coai_routing.settings import BuiltInEndpoint, CustomEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coai_routing.backends import Backend
    from coai_routing.catalog import Catalog
    from coai_routing.egress_log import EgressLog
    from coai_routing.fleet import Place
    from coai_routing.ledger_rows import SuggestionRow
    from coai_routing.request import ModelRequest
    from coai_routing.settings import Endpoint, Settings

_KINDS: Final = {
    "ollama": "ollama",
    "lmstudio": "openai_compatible",
    "llama_server": "llama_server",
    "vllm": "openai_compatible",
}
"""The protocol of each endpoint that has a name of its own."""


HALF: Final = 0.5
"""The share of a suggestion that must still stand for it to count as kept."""


def data_directory() -> Path:
    """Return where weights are kept unless the settings say otherwise."""
    return platformdirs.user_data_path("coai", appauthor=False) / "models"


def state_directory() -> Path:
    """Return where the engine's processes keep their state, logs and figures."""
    return platformdirs.user_state_path("coai", appauthor=False) / "engine"


def open_store(settings: Settings, catalog: Catalog) -> ModelStore:
    """Return the store of weights as the settings set it up."""
    return ModelStore(
        settings.models.directory or data_directory(),
        catalog,
        sources=settings.models.sources,
        local_paths=settings.models.local_paths,
    )


def configured_endpoints(settings: Settings) -> tuple[EndpointSettings, ...]:
    """Return the model servers that the settings name, with their keys."""
    return tuple(
        EndpointSettings.model_validate(
            {
                "name": name,
                "kind": endpoint.kind if isinstance(endpoint, CustomEndpoint) else _KINDS[name],
                "base_url": endpoint.url,
                "api_key": _key(endpoint),
                "model": endpoint.model,
                "configured": isinstance(endpoint, CustomEndpoint)
                or "url" in endpoint.model_fields_set,
            }
        )
        for name, endpoint in settings.endpoints.by_name().items()
        if endpoint.enabled
    )


def _key(endpoint: Endpoint) -> SecretStr | None:
    if isinstance(endpoint, BuiltInEndpoint):
        return endpoint.api_key
    if isinstance(endpoint, CustomEndpoint) and endpoint.api_key_env is not None:
        key = os.environ.get(endpoint.api_key_env)
        return SecretStr(key) if key else None
    return None


def egress(settings: Settings) -> Egress:
    """Return what the settings let leave this machine."""
    return Egress(
        trusted_hosts=frozenset(settings.privacy.trusted_hosts),
        allow=settings.completion.allow_cloud and not settings.privacy.mode,
    )


class LocalModels:
    """The embedded engine and the model servers found, kept up to date with the settings."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        *,
        on_change: Callable[[], None] = lambda: None,
        state: Path | None = None,
    ) -> None:
        self._settings = settings
        self.catalog = builtin_catalog()
        self.store = open_store(settings(), self.catalog)
        self.embedded = Embedded(
            store=self.store,
            catalog=self.catalog,
            directory=state or state_directory(),
            on_change=on_change,
            enabled=settings().engine.enabled,
        )
        self.routing = RoutingOnDemand(
            settings, found=lambda: self.backends.found, embedded=self._embedded_place
        )
        self.cloud = CloudCompletion(
            settings, egress=lambda: egress(settings()), router=self.routing.router
        )
        self._departures: EgressLog | None = None
        self.backends = Backends(
            catalog=self.catalog,
            wishes=self._wishes,
            endpoints=lambda: configured_endpoints(settings()),
            embedded=self.embedded.served,
            trusted_hosts=lambda: frozenset(settings().privacy.trusted_hosts),
            discover=lambda found: discover(found, egress=egress(settings())),
            provider_for=lambda endpoint: provider_for(endpoint, egress=egress(settings())),
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

    def _embedded_place(self) -> tuple[Place, ...]:
        """Return the embedded engine as the router knows places."""
        from coai_routing.places import embedded_place  # noqa: PLC0415 - only with a router

        served = self.embedded.served()
        provider, offer = served.provider, served.offer
        if provider is None:
            return ()
        place = embedded_place(
            base_url=provider.base_url,
            ready=offer.phase == "ready",
            detail=offer.detail,
            remedy=offer.remedy,
            connect=lambda: provider,
        )
        return (replace(place, bound=id(provider)),)

    async def _departs(self, backend: Backend, request: ModelRequest) -> None:
        """Log that a completion's prompt leaves this machine; the router logs its own."""
        if backend.provider is self.cloud:
            return
        # Imported here, because hardly anybody completes on another machine.
        from coai_routing.calls import Departure  # noqa: PLC0415
        from coai_routing.egress_log import EgressLog, location  # noqa: PLC0415

        egress(self._settings()).check(request, backend.provider.base_url, provider=backend.name)
        if self._departures is None:
            self._departures = EgressLog(location())
        texts = (request.prompt or "", request.suffix or "")
        try:
            await self._departures.record(
                Departure(
                    host=backend.provider.base_url,
                    endpoint=backend.name,
                    model=backend.model,
                    capability=request.capability,
                    content_bytes=sum(len(text.encode("utf-8", "replace")) for text in texts),
                    why="the user trusts this host with what is sensitive"
                    if backend.local
                    else "the user allows it for completions, and nothing sensitive was found",
                )
            )
        except EgressLogError as error:
            raise EgressRefusedError(
                error.message, provider=backend.name, remedy=error.remedy
            ) from error

    def judged(self, row: SuggestionRow) -> None:
        """Take what became of a suggestion: who wrote it and was taken is asked again."""
        if row.backend != CLOUD or self.cloud.alias is None:
            return
        from coai_routing.learning import Verdict  # noqa: PLC0415 - only with a router

        verdict = {Fate.ACCEPTED: Verdict.ACCEPTED, Fate.REJECTED: Verdict.REJECTED}.get(row.fate)
        if row.kept_30s is not None or row.kept_5min is not None:
            kept = row.kept_5min is not None and row.kept_5min >= HALF
            verdict = Verdict.KEPT if kept else None
        if verdict is not None:
            self.routing.note(Capability.CODE_COMPLETION, self.cloud.alias, verdict)

    async def apply(self) -> None:
        """Bring the engine and the list of servers in line with the settings as they are now."""
        await asyncio.gather(
            self.embedded.use(self._settings().engine), self.backends.look(), self.cloud.prepare()
        )

    async def aclose(self) -> None:
        """Stop using every model."""
        await self.routing.aclose()
        await asyncio.gather(self.backends.aclose(), self.embedded.aclose())
        if self._departures is not None:
            await self._departures.aclose()
