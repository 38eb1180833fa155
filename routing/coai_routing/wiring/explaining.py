"""The plan for a request that is not sent: what `coai route explain` shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from coai_routing.errors import ModelStoreError
from coai_routing.policy.deployment import EMBEDDED
from coai_routing.policy.question import Circumstances, RoutePlan, affinity_of, plan_route
from coai_routing.pool.deployments import Deployments
from coai_routing.pool.endpoints import (
    absent,
    cloud_places,
    server_places,
)
from coai_routing.pool.place import Place
from coai_routing.privacy.sensitivity import Sensitivity, assess, texts_of
from coai_routing.providers.discovery import discover
from coai_routing.registry.catalog import builtin_catalog
from coai_routing.registry.complexity import Level, RequestFeatures
from coai_routing.registry.complexity import complexity as score_of
from coai_routing.registry.prices import estimated_tokens
from coai_routing.request import Capability, Message, ModelRequest
from coai_routing.wiring.configured import configured_endpoints, open_store
from coai_routing.wiring.configured_routing import (
    chosen_objective,
    registry,
    routing_egress,
    sensitivity_rules,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_routing.privacy.sensitivity import ShownFile
    from coai_routing.providers.base import Provider
    from coai_routing.registry.capabilities import Objective
    from coai_routing.settings.schema import Settings


@dataclass(frozen=True, slots=True)
class Explanation:
    """A plan and what it was made of."""

    capability: Capability
    title: str
    complexity: float
    level: Level
    contributions: tuple[tuple[str, float], ...]
    sensitivity: Sensitivity
    plan: RoutePlan


async def explain_route(
    settings: Settings,
    *,
    question: str,
    capability: Capability,
    shown: str | None = None,
    files: Sequence[ShownFile] = (),
    objective: Objective | None = None,
    complexity: float | None = None,
) -> Explanation:
    """Plan a request that shows a file's text and asks a question about it.

    `files` are the file's names with the rules of each project that it belongs to. Only model
    servers are asked, for what they are; nothing of the request goes anywhere.
    """
    models = registry()
    policy = models.policy(capability)
    text = question if shown is None else f"{question}\n\n{shown}"
    request = ModelRequest(
        capability=capability,
        messages=(Message(role="user", content=text or "?"),),
        max_tokens=1024,
    )
    sensitivity = assess(request, sensitivity_rules(settings), paths=files)
    scored = score_of(
        RequestFeatures(
            kind=capability,
            question=question,
            span_lines=0 if shown is None else shown.count("\n") + 1,
            files=0 if shown is None else 1,
        )
    )
    if complexity is not None:
        scored = replace(scored, score=complexity, contributions=())
    egress = routing_egress(settings)
    found = await discover(configured_endpoints(settings), egress=egress)
    places = (_engine(settings), *server_places(settings, found), *cloud_places(settings))
    plan = plan_route(
        Deployments(lambda: places, lambda: models).deployments(),
        Circumstances(
            policy=policy,
            objective=objective or chosen_objective(settings) or policy.objective,
            sensitivity=sensitivity,
            allow_cloud=egress.allow,
            complexity=scored.score,
            prompt_tokens=estimated_tokens(sum(map(len, texts_of(request)))),
            max_tokens=request.max_tokens,
            affinity=affinity_of(request),
        ),
    )
    return Explanation(
        capability,
        policy.title,
        scored.score,
        scored.level,
        scored.contributions,
        sensitivity,
        plan,
    )


def _engine(settings: Settings) -> Place:
    """Return the embedded engine as it would be: ready once it was asked, if there are weights."""
    ready, detail, remedy = settings.engine.enabled, "It is switched off.", "Set engine.enabled."
    if ready:
        try:
            open_store(settings, builtin_catalog()).resolve(settings.engine.model)
        except ModelStoreError as error:
            ready, detail, remedy = False, error.message, error.remedy
    place = Place(EMBEDDED, "http://127.0.0.1", local=True, connect=_not_asked)
    return place if ready else absent(place, detail, remedy)


def _not_asked() -> Provider:
    raise LookupError("an explanation asks no model")
