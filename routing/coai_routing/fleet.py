"""The endpoints that models can be had from, and how each has been doing.

Which there are is asked anew for every plan, because servers come and go and settings change; what
was learned of their health stays. Planning reads memory only.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coai_routing.errors import ProviderUnavailableError
from coai_routing.health import BackendHealth
from coai_routing.prices import builtin_prices
from coai_routing.route import Deployment

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from coai_routing.capabilities import Capabilities, Placement
    from coai_routing.prices import Prices
    from coai_routing.providers.base import Provider


@dataclass(frozen=True, slots=True)
class Place:
    """An endpoint as it is now."""

    endpoint: str
    """As the registry of models and the user name it."""
    base_url: str
    local: bool
    """Whether it may see what is sensitive."""
    connect: Callable[[], Provider]
    """Makes the provider, on first use; connects to nothing."""
    bound: Hashable = None
    """What its provider is made with, such as key and egress; another one makes a new provider."""
    billed: bool = False
    """Whether its answers cost money."""
    takes_prompts: bool = True
    ready: bool = True
    detail: str = ""
    remedy: str = ""


class Fleet:
    """Every place, its provider, its health, and what is under way there."""

    def __init__(
        self,
        places: Callable[[], Sequence[Place]],
        registry: Callable[[], Capabilities],
        *,
        prices: Prices | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._places = places
        self._registry = registry
        self._prices = prices
        self._clock = clock
        self._health: dict[str, BackendHealth] = {}
        self._in_flight: dict[str, int] = {}
        self._providers: dict[Hashable, Provider] = {}

    def deployments(self) -> tuple[Deployment, ...]:
        """Return every model of the registry at every place that has it."""
        places: dict[str, list[Place]] = {}
        for place in self._places():
            # An endpoint may have several addresses: `NAME` and `NAME#2` are the same model's.
            places.setdefault(place.endpoint.partition("#")[0], []).append(place)
        prices = self._prices or builtin_prices()
        found: list[Deployment] = []
        for model in self._registry().models:
            for placement in model.deployments:
                for place in places.get(placement.endpoint, ()):
                    price = prices.of(placement.model or "") if place.billed else None
                    key = _key(place, placement)
                    found.append(
                        Deployment(
                            model=model,
                            endpoint=place.endpoint,
                            name=placement.model,
                            base_url=place.base_url,
                            local=place.local,
                            price=price,
                            ready=place.ready,
                            detail=place.detail,
                            remedy=place.remedy,
                            takes_prompts=place.takes_prompts,
                            health=self._health.get(key, _UNKNOWN),
                            in_flight=self._in_flight.get(place.endpoint, 0),
                        )
                    )
        return tuple(found)

    def provider(self, deployment: Deployment) -> Provider:
        """Return what speaks to a deployment. Raises ProviderUnavailableError if it is gone."""
        for place in self._places():
            if (place.endpoint, place.base_url) == (deployment.endpoint, deployment.base_url):
                key = (place.endpoint, place.base_url, place.bound)
                if key not in self._providers:
                    self._providers[key] = place.connect()
                return self._providers[key]
        raise ProviderUnavailableError(
            f"{deployment.endpoint} is gone from the settings.",
            provider=deployment.endpoint,
            remedy="Ask again.",
        )

    def started(self, deployment: Deployment) -> None:
        """Note that a call begins."""
        endpoint = deployment.endpoint
        self._in_flight[endpoint] = self._in_flight.get(endpoint, 0) + 1
        self._note(deployment, lambda health: health.started(self._clock()))

    def ended(self, deployment: Deployment) -> None:
        """Note that a call is over, however it ended."""
        self._in_flight[deployment.endpoint] -= 1
        self._note(deployment, lambda health: health.abandoned())

    def succeeded(self, deployment: Deployment, latency_ms: float) -> None:
        """Note a whole answer and the time until it."""
        self._note(deployment, lambda health: health.succeeded(latency_ms))

    def failed(self, deployment: Deployment, message: str) -> None:
        """Note a failure of the endpoint."""
        self._note(deployment, lambda health: health.failed(self._clock(), message))

    def _note(
        self, deployment: Deployment, change: Callable[[BackendHealth], BackendHealth]
    ) -> None:
        key = f"{deployment.endpoint}/{deployment.name or ''}"
        before = self._health.get(key, _UNKNOWN)
        if (after := change(before)) is not before:
            self._health[key] = after

    async def aclose(self) -> None:
        """Close every connection."""
        providers = tuple(self._providers.values())
        self._providers.clear()
        for provider in providers:
            await provider.aclose()


_UNKNOWN = BackendHealth()


def _key(place: Place, placement: Placement) -> str:
    return f"{place.endpoint}/{placement.model or ''}"
