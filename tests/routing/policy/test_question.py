"""Which model is asked first, which are not asked at all, and that the plan says why."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from coai_routing.errors import SettingsError
from coai_routing.policy.question import (
    CROWDED,
    Circumstances,
    RoutePlan,
    affinity_of,
    plan_route,
)
from coai_routing.pool.deployments import Deployments
from coai_routing.pool.place import Place
from coai_routing.pool.pool import ModelPool
from coai_routing.privacy.sensitivity import Reason, Sensitivity
from coai_routing.registry.capabilities import (
    Capabilities,
    Objective,
    TierName,
    builtin_capabilities,
    load_capabilities,
)
from coai_routing.registry.prices import Prices, builtin_prices, estimated_tokens, load_prices
from coai_routing.request import Capability, Message, ModelRequest, Usage

if TYPE_CHECKING:
    from pathlib import Path

    from coai_routing.policy.deployment import Deployment
    from coai_routing.providers.base import Provider

REGISTRY = builtin_capabilities()
SECRET = Sensitivity((Reason("secret", "a secret (x)"),))


def no_provider() -> Provider:
    raise AssertionError("planning connects to nothing")


def local(name: str) -> Place:
    return Place(name, "http://127.0.0.1:1", local=True, connect=no_provider)


def cloud(name: str) -> Place:
    return Place(
        name,
        f"https://api.{name}.com",
        local=False,
        connect=no_provider,
        billed=True,
        takes_prompts=name != "anthropic",
    )


EVERYWHERE = (local("embedded"), local("ollama"), cloud("anthropic"), cloud("openai"))


def deployments(*places: Place) -> tuple[Deployment, ...]:
    return Deployments(lambda: places, lambda: REGISTRY).deployments()


def planned(
    capability: Capability = Capability.CODE_ANALYSIS,
    places: tuple[Place, ...] = EVERYWHERE,
    objective: Objective | None = None,
    **around: Any,  # noqa: ANN401 - any of the circumstances
) -> RoutePlan:
    policy = REGISTRY.policy(capability)
    wanted: dict[str, Any] = {
        "allow_cloud": True,
        "prompt_tokens": 1000,
        "max_tokens": 500,
        **around,
    }
    return plan_route(
        deployments(*places),
        Circumstances(policy=policy, objective=objective or policy.objective, **wanted),
    )


def order(plan: RoutePlan) -> list[str]:
    return [f"{one.deployment.alias}@{one.deployment.endpoint}" for one in plan.candidates]


@pytest.mark.parametrize(
    ("around", "first"),
    [
        ({"complexity": 0.1}, "local.server@ollama"),
        ({"complexity": 0.9}, "cloud.strong@anthropic"),
        ({"complexity": 0.6}, "cloud.fast@anthropic"),
        ({"complexity": 0.9, "sensitivity": SECRET}, "local.server@ollama"),
        ({"complexity": 0.9, "allow_cloud": False}, "local.server@ollama"),
        ({"objective": Objective.LATENCY}, "local.code@embedded"),
        ({"objective": Objective.QUALITY}, "cloud.strong@anthropic"),
        ({"objective": Objective.COST}, "local.server@ollama"),
        ({"capability": Capability.CODE_COMPLETION, "is_prompt": True}, "local.code@embedded"),
        ({"capability": Capability.ARCHITECTURE_DESIGN}, "cloud.strong@anthropic"),
        ({"alias": "cloud.fast"}, "cloud.fast@anthropic"),
        ({"complexity": 0.9, "money_left": 0.01}, "cloud.balanced@anthropic"),
        ({"complexity": 0.9, "money_left": 0.0}, "local.server@ollama"),
        ({"standings": {"local.code": 0.99}, "objective": Objective.COST}, "local.code@embedded"),
    ],
)
def test_who_is_asked_first(around: dict[str, Any], first: str) -> None:
    assert order(planned(**around))[0] == first


def test_local_models_that_fall_short_come_last_but_stay() -> None:
    plan = planned(complexity=0.9)
    short = [one.falls_short for one in plan.candidates]
    assert short == sorted(short)
    assert order(plan)[-1].startswith("local.")
    assert "falls short" in plan.candidates[-1].why


@pytest.mark.parametrize(
    ("around", "rejected", "words"),
    [
        ({"sensitivity": SECRET}, "anthropic", "a secret (x)"),
        ({"allow_cloud": False}, "openai", "nothing may leave"),
        ({"is_prompt": True}, "anthropic", "messages only"),
        ({"prompt_tokens": 100_000}, "ollama", "do not fit"),
        ({"money_left": 0.0}, "anthropic", "the budget leaves"),
    ],
)
def test_who_is_not_asked_has_a_reason(around: dict[str, Any], rejected: str, words: str) -> None:
    plan = planned(**around)
    reasons = [one.why for one in plan.rejected if one.deployment.endpoint == rejected]
    assert reasons
    assert all(words in why for why in reasons)
    assert rejected not in {one.deployment.endpoint for one in plan.candidates}


def test_a_budget_never_holds_back_a_local_model() -> None:
    plan = planned(money_left=0.0)
    assert {one.deployment.local for one in plan.candidates} == {True}
    assert all(not one.deployment.local for one in plan.rejected)


def test_what_is_not_ready_or_keeps_failing_is_left_alone() -> None:
    off = replace(local("ollama"), ready=False, detail="Nothing answers.", remedy="Start it.")
    plan = planned(places=(off,))
    (refused,) = plan.rejected
    assert (refused.why, refused.remedy) == ("Nothing answers.", "Start it.")
    pool = ModelPool(clock=lambda: 0.0, strained=lambda: False)
    fleet = Deployments(lambda: (local("embedded"),), lambda: REGISTRY, pool=pool)
    for _ in range(3):
        pool.late("embedded", None, "boom", base_url="http://127.0.0.1", words=0)
    (deployment,) = fleet.deployments()
    policy = REGISTRY.policy(Capability.CODE_ANALYSIS)
    around = Circumstances(policy, Objective.COST)
    assert "boom" in plan_route([deployment], around).rejected[0].why
    later = replace(around, now=1000.0)
    assert plan_route([deployment], later).candidates, "after the pause it is tried again"


def test_measured_latency_counts_more_than_what_is_typical() -> None:
    ready = [
        replace(one, latency_ms=60_000.0) if one.endpoint == "embedded" else one
        for one in deployments(local("embedded"), local("ollama"))
    ]
    policy = REGISTRY.policy(Capability.CODE_ANALYSIS)
    plan = plan_route(ready, Circumstances(policy, Objective.LATENCY))
    assert order(plan) == ["local.server@ollama", "local.code@embedded"]


def replicas(*in_flight: int, affinity: bytes) -> list[str]:
    places = tuple(replace(cloud("openai"), endpoint=f"openai#{n}") for n in range(len(in_flight)))
    ready = [
        replace(one, in_flight=in_flight[int(one.endpoint[-1])]) for one in deployments(*places)
    ]
    policy = REGISTRY.policy(Capability.CODE_ANALYSIS)
    around = Circumstances(
        policy, Objective.COST, allow_cloud=True, alias="cloud.fast", affinity=affinity
    )
    return [one.deployment.endpoint for one in plan_route(ready, around).candidates]


def test_endpoints_of_one_model_keep_their_prompts_until_they_are_crowded() -> None:
    prompts = [str(n).encode() for n in range(200)]
    firsts = {prompt: replicas(0, 0, 0, affinity=prompt)[0] for prompt in prompts}
    assert set(firsts.values()) == {"openai#0", "openai#1", "openai#2"}
    for prompt, first in firsts.items():
        assert replicas(CROWDED, CROWDED, CROWDED, affinity=prompt)[0] == first
        load = [0, 0, 0]
        load[int(first[-1])] = CROWDED
        assert replicas(*load, affinity=prompt)[0] == first
        load[int(first[-1])] = CROWDED + 1
        assert replicas(*load, affinity=prompt)[0] != first


def test_requests_that_begin_alike_have_one_affinity() -> None:
    system = Message(role="system", content="x" * 5000)
    one, two = (
        ModelRequest(messages=(system, Message(role="user", content=text))) for text in "ab"
    )
    assert affinity_of(one) == affinity_of(two)
    assert affinity_of(ModelRequest(prompt="a\ud83d")) != affinity_of(ModelRequest(prompt="b"))


# ------------------------------------------------------------------------------- the registry


def test_every_capability_has_a_local_candidate() -> None:
    for capability in Capability:
        candidates = REGISTRY.policy(capability).candidates
        assert any(alias.startswith("local.") for alias in candidates)
        assert all(REGISTRY.model(alias) for alias in candidates)
    assert REGISTRY.target_ms(TierName.PREMIUM) == (2000, 5000)
    assert REGISTRY.model("no.such") is None


def test_a_user_adds_models_and_changes_capabilities(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text(
        """
[[models]]
alias = "own.gpu"
title = "Mine"
tier = "premium"
quality = 0.9
typical_ms = 1000
context_tokens = 32768
deployments = [{ endpoint = "box", model = "big" }]

[[capabilities]]
name = "code_analysis"
candidates = ["own.gpu", "local.code"]
objective = "quality"
""",
        encoding="utf-8",
    )
    registry = load_capabilities(user_file=file)
    policy = registry.policy(Capability.CODE_ANALYSIS)
    assert policy.candidates == ("own.gpu", "local.code")
    assert policy.objective is Objective.QUALITY
    assert policy.threshold == REGISTRY.policy(Capability.CODE_ANALYSIS).threshold
    assert registry.policy(Capability.PERFORMANCE) == REGISTRY.policy(Capability.PERFORMANCE)
    places = (replace(local("box"), endpoint="box"), local("embedded"))
    found = Deployments(lambda: places, lambda: registry).deployments()
    assert {one.key for one in found} == {"own.gpu@box/big", "local.code@embedded/"}


def test_without_a_file_of_the_users_nothing_changes(tmp_path: Path) -> None:
    assert load_capabilities(user_file=tmp_path / "models.toml") == REGISTRY


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("no TOML", "cannot be read"),
        ('[[capabilities]]\nname = "code_analysis"\ncandidates = ["no.such"]', "no.such"),
        ('[[capabilities]]\nname = "odd"', "capabilities.0.name"),
        ('[[models]]\nalias = "nodot"', "models.0.alias"),
        ("odd = 1", "odd"),
    ],
)
def test_a_wrong_file_of_the_users_is_told(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "models.toml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError, match=words) as caught:
        load_capabilities(user_file=file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"tiers": ()},
        {"capabilities": REGISTRY.capabilities[1:]},
        {"models": (*REGISTRY.models, REGISTRY.models[0])},
    ],
)
def test_a_registry_is_whole(change: dict[str, Any]) -> None:
    whole = {name: getattr(REGISTRY, name) for name in ("tiers", "models", "capabilities")}
    with pytest.raises(ValueError, match=r"once|two models"):
        Capabilities.model_validate({**whole, **change})


def test_every_cloud_model_has_a_price_of_its_own() -> None:
    prices = builtin_prices()
    for model in REGISTRY.models:
        for place in model.deployments:
            if place.model is not None:
                assert prices.of(place.model).name == place.model.rpartition("/")[2].removesuffix(
                    "-latest"
                )


PRICES = Prices.model_validate(
    {
        "as_of": "2026-01-01",
        "models": [
            {"name": "a", "input": 1, "output": 10, "cached_input": 0.1, "cache_write": 2},
            {"name": "b", "input": 100, "output": 1000},
        ],
    }
)


@pytest.mark.parametrize(
    ("model", "usage", "dollars"),
    [
        ("a", Usage(prompt_tokens=1_000_000, output_tokens=1_000_000), 11.0),
        ("vendor/A-20260102", Usage(prompt_tokens=1_000_000, cached_tokens=500_000), 0.55),
        (
            "a-2026-01-02",
            Usage(prompt_tokens=1_000_000, cached_tokens=500_000, cache_write_tokens=500_000),
            1.05,
        ),
        ("b", Usage(prompt_tokens=1_000_000, cached_tokens=1_000_000), 100.0),
        ("unknown", Usage(output_tokens=1000), 1.0),
    ],
)
def test_what_a_call_costs(model: str, usage: Usage, dollars: float) -> None:
    assert PRICES.of(model).of(usage) == pytest.approx(dollars)  # pyright: ignore[reportUnknownMemberType] - pytest's own types


def test_what_a_call_costs_at_most_is_never_less_than_what_it_costs() -> None:
    usage = Usage(prompt_tokens=1000, cache_write_tokens=1000, output_tokens=10)
    assert PRICES.of("a").at_most(1000, 10) >= PRICES.of("a").of(usage)
    assert estimated_tokens(0) == 1
    assert estimated_tokens(300) == 101


@pytest.mark.parametrize("content", ["odd", "as_of = 2026-01-01\nmodels = []"])
def test_wrong_prices_are_told_with_their_file(tmp_path: Path, content: str) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"prices\.toml"):
        load_prices(file)


def test_a_tier_is_asked_instead_of_the_capabilitys_candidates() -> None:
    for tier in TierName:
        policy = REGISTRY.policy(Capability.CODE_ANALYSIS, tier)
        assert policy.candidates
        models = [REGISTRY.model(alias) for alias in policy.candidates]
        assert {model.tier for model in models if model is not None} == {tier}


def test_a_call_that_could_cost_more_than_it_may_is_not_made() -> None:
    dear = planned(places=(cloud("anthropic"),), allow_cloud=True, max_tokens=1000)
    assert dear.candidates
    capped = planned(
        places=(cloud("anthropic"),), allow_cloud=True, max_tokens=1000, most_usd=0.000001
    )
    assert not capped.candidates
    assert all("one call may cost" in one.why for one in capped.rejected)
    free = planned(places=(local("embedded"),), max_tokens=1000, most_usd=0.0)
    assert free.candidates
