"""The models of the registry at the endpoints that have them, with what the pool knows of each.

Which endpoints there are is asked anew for every plan, because servers come and go and settings
change. Planning reads memory only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_routing.errors import ProviderUnavailableError
from coai_routing.policy.deployment import Deployment
from coai_routing.pool.pool import ModelPool
from coai_routing.registry.prices import builtin_prices

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coai_routing.pool.place import Place
    from coai_routing.registry.capabilities import Capabilities
    from coai_routing.registry.prices import Prices


class Deployments:
    """Every deployment of the registry's models."""

    def __init__(
        self,
        places: Callable[[], Sequence[Place]],
        registry: Callable[[], Capabilities],
        *,
        pool: ModelPool | None = None,
        prices: Prices | None = None,
    ) -> None:
        """Look at nothing yet; without a `pool` it has one of its own."""
        self._places = places
        self._registry = registry
        self._prices = prices
        self._own_pool = pool is None
        self.pool = pool or ModelPool()

    def deployments(self) -> tuple[Deployment, ...]:
        """Return every model of the registry at every place that has it."""
        places: dict[str, list[Place]] = {}
        for place in self._places():
            # An endpoint may have several addresses: `NAME` and `NAME#2` are the same model's.
            places.setdefault(place.endpoint.partition("#")[0], []).append(place)
        prices = self._prices or builtin_prices()
        found: list[Deployment] = []
        registry = self._registry()
        for model in registry.models:
            _, longest = registry.target_ms(model.tier)
            for placement in model.deployments:
                for place in places.get(placement.endpoint, ()):
                    price = prices.of(placement.model or "") if place.billed else None
                    at = (place.endpoint, placement.model)
                    found.append(
                        Deployment(
                            place.endpoint,
                            placement.model or "",
                            place.base_url,
                            local=place.local,
                            phase="ready" if place.ready else "off",
                            detail=place.detail,
                            remedy=place.remedy,
                            health=self.pool.health(*at),
                            in_flight=self.pool.in_flight(place.endpoint),
                            latency_ms=self.pool.latency_ms(*at, completes=False),
                            alias=model.alias,
                            quality=model.quality,
                            context_tokens=model.context_tokens,
                            typical_ms=model.typical_ms,
                            longest_ms=longest,
                            price=price,
                            takes_prompts=place.takes_prompts or placement.fills_in,
                        )
                    )
        return tuple(found)

    def place_of(self, deployment: Deployment) -> Place:
        """Return where a deployment is now; raises ProviderUnavailableError if it is gone."""
        for place in self._places():
            if (place.endpoint, place.base_url) == (deployment.endpoint, deployment.base_url):
                return place
        raise ProviderUnavailableError(
            f"{deployment.endpoint} is gone from the settings.",
            provider=deployment.endpoint,
            remedy="Ask again.",
        )

    async def aclose(self) -> None:
        """Close every connection of a pool of its own."""
        if self._own_pool:
            await self.pool.aclose()
