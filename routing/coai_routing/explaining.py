"""The plan for a request that is not sent: what `coai route explain` shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from coai_routing.capabilities import Capabilities, Objective, load_capabilities
from coai_routing.catalog import builtin_catalog
from coai_routing.complexity import Level, RequestFeatures
from coai_routing.complexity import complexity as score_of
from coai_routing.discovery import discover
from coai_routing.errors import ModelStoreError
from coai_routing.fleet import Fleet, Place
from coai_routing.local import configured_endpoints, open_store
from coai_routing.places import (
    cloud_places,
    embedded_place,
    routing_egress,
    sensitivity_rules,
    server_places,
)
from coai_routing.prices import estimated_tokens
from coai_routing.request import Capability, Message, ModelRequest
from coai_routing.route import Circumstances, RoutePlan, affinity_of, plan_route
from coai_routing.sensitivity import Sensitivity, assess, texts_of
from coai_routing.settings_files import default_user_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from coai_routing.providers.base import Provider
    from coai_routing.sensitivity import ShownFile
    from coai_routing.settings import Settings


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


def user_registry_file() -> Path:
    """Return where the user's own models and capabilities are kept."""
    return default_user_file().with_name("models.toml")


def registry() -> Capabilities:
    """Return the registry with the user's own changes; raises SettingsError if they are wrong."""
    return load_capabilities(user_file=user_registry_file())


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
        Fleet(lambda: places, lambda: models).deployments(),
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


def chosen_objective(settings: Settings) -> Objective | None:
    """Return the objective that the user set for everything."""
    chosen = settings.routing.objective
    return None if chosen == "auto" else Objective(chosen)


def _engine(settings: Settings) -> Place:
    """Return the embedded engine as it would be: ready once it was asked, if there are weights."""
    ready, detail, remedy = settings.engine.enabled, "It is switched off.", "Set engine.enabled."
    if ready:
        try:
            open_store(settings, builtin_catalog()).resolve(settings.engine.model)
        except ModelStoreError as error:
            ready, detail, remedy = False, error.message, error.remedy
    return embedded_place(
        base_url="http://127.0.0.1",
        ready=ready,
        detail=detail,
        remedy=remedy,
        connect=_not_asked,
    )


def _not_asked() -> Provider:
    raise LookupError("an explanation asks no model")
