"""Which model answers a question: a pure function of what is known, and its reasons as a value.

Nothing here reaches out. Privacy comes first: what must not see a request is ruled out before
anything is compared. Then models that are good enough for the request's complexity go before those
that are not, and within each the objective decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from coai_routing.policy.deployment import Candidate, Rejected
from coai_routing.privacy.sensitivity import Sensitivity, ShownFile
from coai_routing.registry.capabilities import Objective

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coai_routing.policy.deployment import Deployment
    from coai_routing.registry.capabilities import CapabilityPolicy, TierName
    from coai_routing.request import ModelRequest

CROWDED: Final = 2
"""Requests that an endpoint may have more under way than the least busy one of the same model,
before its warm prompt cache is worth less than the wait (bounded loads, Mirrokni et al., 2018)."""

AFFINITY_CHARACTERS: Final = 1024
"""Of a prompt's beginning, what tells which prompt cache knows it."""

SLOW_MS: Final = 10_000.0
DEAR: Final = 0.02
"""Where the balanced objective has taken off half a point of quality: milliseconds, US dollars."""

NEUTRAL: Final = 0.5
"""The standing of a model that nobody has judged yet."""


class Priority(IntEnum):
    """Who goes first where not everybody can; smaller is earlier."""

    INTERACTIVE = 0
    BACKGROUND = 1


@dataclass(frozen=True, slots=True)
class Question:
    """A request and what the router needs to know to find a model for it."""

    request: ModelRequest
    """`request.timeout` is the deadline of the whole, retries and fallbacks included."""
    objective: Objective | None = None
    """None for the capability's own."""
    paths: tuple[str | ShownFile, ...] = ()
    """Files of which the request shows something: relative to their workspace folder and judged by
    the user's settings, or with all their names and the settings of their own projects."""
    complexity: float = 0.0
    """From 0 to 1; `complexity.py` makes it of what the caller knows."""
    priority: Priority = Priority.INTERACTIVE
    alias: str | None = None
    """The one model to ask, instead of the capability's candidates."""
    tier: TierName | None = None
    """Ask only models of this tier, instead of the capability's candidates."""
    most_usd: float | None = None
    """What one call may cost at most, below what the budgets leave."""
    hedge: bool = False
    """Whether a second model may be asked when the first is late."""
    cached: bool = True
    """Whether an earlier answer will do, and this one may be kept."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a plan depends on besides the deployments."""

    policy: CapabilityPolicy
    objective: Objective
    sensitivity: Sensitivity = field(default_factory=Sensitivity)
    allow_cloud: bool = False
    complexity: float = 0.0
    alias: str | None = None
    most_usd: float | None = None
    """US dollars that one call may cost; None for any."""
    is_prompt: bool = False
    prompt_tokens: int = 0
    max_tokens: int = 0
    money_left: float | None = None
    """US dollars that the budgets leave; None without a budget."""
    standings: Mapping[str, float] = field(default_factory=dict[str, float])
    """How well models have done for this capability, by alias, from 0 to 1."""
    affinity: bytes = b""
    """What stands for the prompt's beginning; see `affinity_of`."""
    now: float = 0.0
    """Monotonic seconds."""


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """The order in which deployments are asked, and those that are not."""

    objective: Objective
    candidates: tuple[Candidate, ...]
    rejected: tuple[Rejected, ...]


def affinity_of(request: ModelRequest) -> bytes:
    """Return what stands for the beginning of a request, where prompt caches begin too."""
    text = request.prompt if request.prompt is not None else request.messages[0].content
    beginning = text[:AFFINITY_CHARACTERS].encode("utf-8", "replace")
    return blake2b(beginning, digest_size=8).digest()


def plan_route(deployments: Sequence[Deployment], around: Circumstances) -> RoutePlan:
    """Order the deployments that may answer; the others keep their reason."""
    wanted = (around.alias,) if around.alias is not None else around.policy.candidates
    rejected: list[Rejected] = []
    groups: dict[tuple[str, str], list[Candidate]] = {}
    for deployment in deployments:
        if deployment.alias not in wanted:
            continue
        cost = _cost(deployment, around)
        refusal = _refusal(deployment, around, cost)
        if refusal is not None:
            rejected.append(Rejected(deployment, *refusal))
            continue
        short = deployment.quality < _needed(around)
        candidate = Candidate(
            deployment, _why(deployment, around, cost=cost, short=short), cost, short
        )
        # `NAME` and `NAME#2` are two addresses of one endpoint, so of one model.
        same = deployment.model or f"at {deployment.endpoint.partition('#')[0]}"
        groups.setdefault((deployment.alias, same), []).append(candidate)
    ordered = sorted(
        groups.values(), key=lambda group: min(_preference(one, around) for one in group)
    )
    return RoutePlan(
        around.objective,
        tuple(one for group in ordered for one in _balanced(group, around)),
        tuple(rejected),
    )


def _needed(around: Circumstances) -> float:
    """Return the quality that a request wants: none below the capability's threshold."""
    return around.complexity if around.complexity >= around.policy.threshold else 0.0


def _cost(deployment: Deployment, around: Circumstances) -> float:
    if deployment.price is None:
        return 0.0
    return deployment.price.at_most(around.prompt_tokens, around.max_tokens)


def _refusal(deployment: Deployment, around: Circumstances, cost: float) -> tuple[str, str] | None:
    if not deployment.local and around.sensitivity:
        return (
            f"It is not on this machine, and the request is sensitive: {around.sensitivity}.",
            "Use a local model, or name the host in `privacy.trusted_hosts` if it is your own.",
        )
    if not deployment.local and not around.allow_cloud:
        return (
            "It is not on this machine, and nothing may leave it.",
            "Set `routing.allow_cloud`, and switch `privacy.mode` off if it is on.",
        )
    if deployment.phase != "ready":
        return deployment.detail, deployment.remedy
    if around.is_prompt and not deployment.takes_prompts:
        return "It takes messages only, and this is a raw prompt.", ""
    tokens = around.prompt_tokens + around.max_tokens
    if tokens > deployment.context_tokens:
        room = deployment.context_tokens
        why = f"About {tokens} tokens do not fit into its context of {room}."
        return why, "Ask about less code."
    if (sick := deployment.health.refusal(around.now)) is not None:
        return sick
    return _too_dear(around, cost)


def _too_dear(around: Circumstances, cost: float) -> tuple[str, str] | None:
    if around.most_usd is not None and cost > around.most_usd:
        most = around.most_usd
        return f"It could cost {cost:.4f} USD, and one call may cost {most:.4f}.", "Allow more."
    if around.money_left is not None and cost > around.money_left:
        return (
            f"It could cost {cost:.4f} USD, and the budget leaves {around.money_left:.4f}.",
            "Raise `budget.daily_usd` or `budget.monthly_usd`, or wait for the next day or month.",
        )
    return None


def _preference(candidate: Candidate, around: Circumstances) -> tuple[float, ...]:
    """Smaller is better: good enough, then the objective, coarsely; then standing; then finely."""
    deployment = candidate.deployment
    quality, soon = deployment.quality, deployment.expected_ms
    away = float(not deployment.local)
    worth = quality - 0.5 * min(1.0, soon / SLOW_MS) - 0.5 * min(1.0, candidate.cost / DEAR)
    band: tuple[float, ...]
    match around.objective:
        case Objective.LATENCY:
            band, exact = (round(math.log2(max(1.0, soon))),), soon
        case Objective.QUALITY:
            band, exact = (round(-10.0 * quality),), -quality
        case Objective.COST:
            band, exact = (away, round(1000.0 * candidate.cost)), candidate.cost
        case Objective.BALANCED if candidate.falls_short:
            band, exact = (round(-10.0 * quality),), -quality
        case Objective.BALANCED:
            # The local model first wherever it is good enough.
            band, exact = (away, round(-10.0 * worth)), -worth
    standing = around.standings.get(deployment.alias, NEUTRAL)
    return (float(candidate.falls_short), *band, -standing, exact, away, candidate.cost, -quality)


def _balanced(group: list[Candidate], around: Circumstances) -> list[Candidate]:
    """Order endpoints of one model: where the prompt is known first, unless it is crowded.

    Rendezvous hashing (Thaler and Ravishankar, 1998), so that an endpoint that comes or goes moves
    no other prompts.
    """
    if len(group) == 1:
        return group
    least = min(one.deployment.in_flight for one in group)

    def key(one: Candidate) -> tuple[int, bytes]:
        over = one.deployment.in_flight - least
        place = f"{one.deployment.endpoint}\0".encode() + around.affinity
        return (over if over > CROWDED else 0), blake2b(place, digest_size=8).digest()

    return sorted(group, key=key)


def _why(deployment: Deployment, around: Circumstances, *, cost: float, short: bool) -> str:
    where = "on this machine" if deployment.local else "not on this machine, which is allowed"
    words = [f"It is {where}"]
    if short:
        words.append(
            f"its quality of {deployment.quality:.2f} falls short of a complexity of "
            f"{around.complexity:.2f}"
        )
    match around.objective:
        case Objective.LATENCY:
            words.append(f"an answer takes about {deployment.expected_ms:.0f} ms")
        case Objective.QUALITY:
            words.append(f"its quality is {deployment.quality:.2f}")
        case Objective.COST:
            words.append(f"it costs at most {cost:.4f} USD" if cost else "it costs nothing")
        case Objective.BALANCED:
            words.append(
                f"quality {deployment.quality:.2f}, about {deployment.expected_ms:.0f} ms, "
                f"at most {cost:.4f} USD"
            )
    return "; ".join(words) + "."
