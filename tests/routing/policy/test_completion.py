"""Which backend serves, as tables of offers and reasons."""

from __future__ import annotations

import pytest

from coai_routing.policy.completion import CompletionPlan, Offer, Wishes, plan_completion
from coai_routing.pool.health import FAILURES_TO_OPEN, HEALTHY, BackendHealth, Circuit
from coai_routing.pool.speed import Speed

NOW = 100.0
FAST, SLOW = Speed(1000, 100), Speed(50, 10)


def offer(name: str, **changes: object) -> Offer:
    values: dict[str, object] = {"model": f"{name}-model", "fills_in": True, **changes}
    return Offer(name=name, **values)  # pyright: ignore[reportArgumentType] (a table's row)


def broken(times: int) -> BackendHealth:
    health = BackendHealth()
    for _ in range(times):
        health = health.failed(NOW, "It is gone.")
    return health


def names(plan: CompletionPlan) -> list[str]:
    return [candidate.offer.name for candidate in plan.candidates]


@pytest.mark.parametrize(
    ("offers", "wishes", "expected"),
    [
        ([offer("embedded"), offer("ollama")], Wishes(), ["embedded", "ollama"]),
        ([offer("embedded"), offer("ollama")], Wishes(backend="ollama"), ["ollama"]),
        (
            [offer("embedded", speed=FAST), offer("llama_server", speed=Speed(2000, 100),
                                                  size_bytes=9)],
            Wishes(),
            ["llama_server", "embedded"],
        ),
        (
            [offer("ollama", speed=SLOW), offer("embedded", speed=Speed(150, 30))],
            Wishes(),
            ["embedded", "ollama"],
        ),
        (
            [offer("ollama", loaded=False, speed=FAST), offer("embedded")],
            Wishes(),
            ["embedded", "ollama"],
        ),
        (
            [offer("embedded", phase="starting"), offer("ollama", speed=SLOW)],
            Wishes(),
            ["ollama", "embedded"],
        ),
        ([offer("vllm", local=False)], Wishes(), []),
        ([offer("vllm", local=False)], Wishes(allow_remote=True), ["vllm"]),
        ([offer("vllm", local=False)], Wishes(allow_remote=True, sensitive=True), []),
        ([offer("ollama", fills_in=False)], Wishes(), []),
        ([offer("embedded", phase="failed", detail="broken")], Wishes(), []),
        ([offer("ollama", health=broken(FAILURES_TO_OPEN))], Wishes(), []),
        ([offer("ollama", health=broken(FAILURES_TO_OPEN - 1))], Wishes(), ["ollama"]),
        (
            [offer("ollama", model="a"), offer("ollama", model="b")],
            Wishes(backend="ollama", model="b"),
            ["ollama"],
        ),
        ([offer("a", rank=1), offer("b", rank=3)], Wishes(), ["b", "a"]),
    ],
)  # fmt: skip
def test_offers_are_ordered_by_what_serves_the_user(
    offers: list[Offer], wishes: Wishes, expected: list[str]
) -> None:
    plan = plan_completion(offers, wishes, NOW)
    assert names(plan) == expected
    assert len(plan.candidates) + len(plan.rejected) == len(offers)
    assert all(candidate.why for candidate in plan.candidates)


def test_a_rejected_offer_says_why_and_what_would_change_that() -> None:
    offers = [
        offer("vllm", local=False),
        offer("ollama", fills_in=False),
        offer("lmstudio", phase="off", detail="Nothing answers.", remedy="Start it."),
        offer("llama_server", health=broken(FAILURES_TO_OPEN)),
    ]
    for rejected in plan_completion(offers, Wishes(), NOW).rejected:
        assert rejected.why
        assert rejected.remedy


def test_a_model_here_that_is_starting_is_waited_for_rather_than_asking_elsewhere() -> None:
    offers = [offer("embedded", phase="starting"), offer("cloud", local=False)]
    plan = plan_completion(offers, Wishes(allow_remote=True), NOW)
    assert names(plan) == ["embedded"]
    assert "starting" in plan.rejected[0].why
    wanted = plan_completion(offers, Wishes(allow_remote=True, backend="cloud"), NOW)
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
