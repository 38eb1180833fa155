"""Which backend serves, as tables of deployments and reasons."""

from __future__ import annotations

import pytest

from coai_routing.policy.completion import CompletionPlan, Wishes, plan_completion
from coai_routing.policy.deployment import Deployment
from coai_routing.pool.health import FAILURES_TO_OPEN, HEALTHY, BackendHealth, Circuit
from coai_routing.pool.speed import Speed

NOW = 100.0
FAST, SLOW = Speed(1000, 100), Speed(50, 10)


def deployed(name: str, **changes: object) -> Deployment:
    values: dict[str, object] = {"model": f"{name}-model", "fills_in": True, **changes}
    return Deployment(endpoint=name, **values)  # pyright: ignore[reportArgumentType] (a table's row)


def broken(times: int) -> BackendHealth:
    health = BackendHealth()
    for _ in range(times):
        health = health.failed(NOW, "It is gone.")
    return health


def names(plan: CompletionPlan) -> list[str]:
    return [candidate.deployment.endpoint for candidate in plan.candidates]


@pytest.mark.parametrize(
    ("deployments", "wishes", "expected"),
    [
        ([deployed("embedded"), deployed("ollama")], Wishes(), ["embedded", "ollama"]),
        ([deployed("embedded"), deployed("ollama")], Wishes(backend="ollama"), ["ollama"]),
        (
            [deployed("embedded", speed=FAST), deployed("llama_server", speed=Speed(2000, 100),
                                                  size_bytes=9)],
            Wishes(),
            ["llama_server", "embedded"],
        ),
        (
            [deployed("ollama", speed=SLOW), deployed("embedded", speed=Speed(150, 30))],
            Wishes(),
            ["embedded", "ollama"],
        ),
        (
            [deployed("ollama", loaded=False, speed=FAST), deployed("embedded")],
            Wishes(),
            ["embedded", "ollama"],
        ),
        (
            [deployed("embedded", phase="starting"), deployed("ollama", speed=SLOW)],
            Wishes(),
            ["ollama", "embedded"],
        ),
        ([deployed("vllm", local=False)], Wishes(), []),
        ([deployed("vllm", local=False)], Wishes(allow_remote=True), ["vllm"]),
        ([deployed("vllm", local=False)], Wishes(allow_remote=True, sensitive=True), []),
        ([deployed("ollama", fills_in=False)], Wishes(), []),
        ([deployed("embedded", phase="failed", detail="broken")], Wishes(), []),
        ([deployed("ollama", health=broken(FAILURES_TO_OPEN))], Wishes(), []),
        ([deployed("ollama", health=broken(FAILURES_TO_OPEN - 1))], Wishes(), ["ollama"]),
        (
            [deployed("ollama", model="a"), deployed("ollama", model="b")],
            Wishes(backend="ollama", model="b"),
            ["ollama"],
        ),
        ([deployed("a", rank=1), deployed("b", rank=3)], Wishes(), ["b", "a"]),
    ],
)  # fmt: skip
def test_offers_are_ordered_by_what_serves_the_user(
    deployments: list[Deployment], wishes: Wishes, expected: list[str]
) -> None:
    plan = plan_completion(deployments, wishes, NOW)
    assert names(plan) == expected
    assert len(plan.candidates) + len(plan.rejected) == len(deployments)
    assert all(candidate.why for candidate in plan.candidates)


def test_a_rejected_offer_says_why_and_what_would_change_that() -> None:
    deployments = [
        deployed("vllm", local=False),
        deployed("ollama", fills_in=False),
        deployed("lmstudio", phase="off", detail="Nothing answers.", remedy="Start it."),
        deployed("llama_server", health=broken(FAILURES_TO_OPEN)),
    ]
    for rejected in plan_completion(deployments, Wishes(), NOW).rejected:
        assert rejected.why
        assert rejected.remedy


def test_a_model_here_that_is_starting_is_waited_for_rather_than_asking_elsewhere() -> None:
    deployments = [deployed("embedded", phase="starting"), deployed("cloud", local=False)]
    plan = plan_completion(deployments, Wishes(allow_remote=True), NOW)
    assert names(plan) == ["embedded"]
    assert "starting" in plan.rejected[0].why
    wanted = plan_completion(deployments, Wishes(allow_remote=True, backend="cloud"), NOW)
    assert names(wanted) == ["cloud"]


def test_a_breaker_opens_then_lets_one_call_try() -> None:
    health = broken(FAILURES_TO_OPEN)
    assert health.circuit(NOW) is Circuit.OPEN
    later = health.open_until + 0.1
    assert health.circuit(later) is Circuit.HALF_OPEN
    trying = health.started(later)
    assert not trying.admits(later)
    assert trying.abandoned().admits(later)
    again = trying.failed(later, "Still gone.")
    assert again.open_until - later > health.open_until - NOW
    assert trying.refusal(later) is not None
    assert HEALTHY.refusal(later) is None
