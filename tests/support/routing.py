"""A router over servers of the tests' own."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from coai_routing.policy.question import Question
from coai_routing.pool.deployments import Deployments
from coai_routing.pool.place import Place
from coai_routing.privacy.egress import Egress, is_loopback
from coai_routing.providers.llama_server import LlamaServerProvider
from coai_routing.registry.capabilities import Capabilities, RoutedModel, builtin_capabilities
from coai_routing.request import Message, ModelRequest
from coai_routing.router.router import Router, RouterSettings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from coai_routing.providers.base import Provider

ALLOWED = Egress(allow=True)


def question(text: str = "hi", *, timeout: float = 20.0, **fields: Any) -> Question:  # noqa: ANN401 - any field
    """Return a question of a few tokens."""
    wanted = ModelRequest.model_fields.keys() & fields.keys()
    request = ModelRequest.model_validate(
        {
            "capability": "code_analysis",
            "messages": (Message(role="user", content=text),),
            "max_tokens": 8,
            "timeout": timeout,
            **{name: fields.pop(name) for name in wanted},
        }
    )
    return Question(request, **fields)


def place(
    name: str,
    url: str,
    *,
    provider: Callable[..., Provider] = LlamaServerProvider,
    key: str | None = None,
    egress: Egress = ALLOWED,
    billed: bool = False,
) -> Place:
    """Return a place at an address."""
    return Place(
        name,
        url,
        local=is_loopback(url),
        connect=lambda: provider(name=name, base_url=url, api_key=key, egress=egress),
        billed=billed,
    )


def registry_of(places: Sequence[Place]) -> Capabilities:
    """Return a registry with one model at each place, the first one the best."""
    models = [
        RoutedModel.model_validate(
            {
                "alias": f"test.{one.endpoint}",
                "title": one.endpoint,
                "tier": "fast",
                "quality": 0.9 - number / 20,
                "typical_ms": 1000,
                "context_tokens": 100_000,
                "deployments": [{"endpoint": one.endpoint.partition("#")[0]}],
            }
        )
        for number, one in enumerate(places)
        if "#" not in one.endpoint
    ]
    known = builtin_capabilities()
    aliases = tuple(model.alias for model in models)
    return Capabilities(
        tiers=known.tiers,
        models=tuple(models),
        capabilities=tuple(
            policy.model_copy(update={"candidates": aliases, "objective": "quality"})
            for policy in known.capabilities
        ),
    )


def fleet_over(places: Sequence[Place], registry: Capabilities) -> Deployments:
    """Return the deployments of a registry at places."""
    return Deployments(lambda: places, lambda: registry)


@asynccontextmanager
async def routing(
    *places: Place,
    egress: Egress = ALLOWED,
    settings: RouterSettings | None = None,
    **parts: Any,  # noqa: ANN401 - what else a router takes
) -> AsyncGenerator[Router]:
    """Run a router over places; the first is asked first."""
    registry = registry_of(places)
    wanted = settings or RouterSettings()
    router = Router(
        fleet_over(places, registry),
        registry=lambda: registry,
        egress=lambda: egress,
        settings=lambda: wanted,
        **parts,
    )
    try:
        yield router
    finally:
        await router.aclose()
