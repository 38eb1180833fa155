"""The speed that backends have at the moment, from what their answers tell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from coai_agents.completion.prompt.pace import UNMEASURED, Flow, Pace
from coai_routing.pool.speed import Speed
from coai_routing.request import ModelReply, Timings, Usage
from tests.support.scripted import ScriptedBackends

MEASURED = Speed(100, 50)
BACKEND = replace(ScriptedBackends().candidates()[0], speed=MEASURED)


def reply(read: int, read_ms: float, written: int, written_ms: float) -> ModelReply:
    return ModelReply(
        text="",
        finish="stop",
        model="m",
        provider="p",
        usage=Usage(prompt_tokens=read + 7, cached_tokens=7, output_tokens=written),
        timings=Timings(prompt_ms=read_ms, output_ms=written_ms),
    )


def flow(*times: float) -> Flow:
    flow = Flow(began=0.0)
    for time in times:
        flow.piece(time)
    return flow


@pytest.mark.parametrize(
    ("came", "fresh", "told", "expected"),
    [
        # The backend's own account, however fast or slow.
        (flow(1, 2), 0, reply(100, 10_000, 10, 2_000), Speed(55, 27.5)),
        (flow(1, 2), 0, reply(100, 100, 10, 20), Speed(550, 275)),
        (flow(1, 2), 500, reply(5, 1, 2, 1), MEASURED),  # too little to tell
        # The clock, where the answer was cut off before the account came.
        (flow(10, 11, 12, 13, 14, 15), 100, None, Speed(55, 25.5)),
        (flow(10), 5, None, MEASURED),
        (flow(), 5, None, MEASURED),
        # One that was given up after 20 seconds without a word: at most so fast.
        (flow(), 500, None, Speed(62.5, 50)),
        (flow(), 5000, None, MEASURED),
        # Faster than it was measured means only that something was in the cache.
        (flow(0.001, 0.002, 0.003, 0.004, 0.005, 0.006), 100, None, MEASURED),
    ],
)
def test_the_last_answer_counts_for_half(
    came: Flow, fresh: float, told: ModelReply | None, expected: Speed
) -> None:
    pace = Pace()
    backend = pace.adapted(BACKEND)
    pace.take(backend, came, fresh, told, now=20.0)
    speed = pace.adapted(BACKEND).speed
    assert speed is not None
    expected_figures = (expected.prompt_tokens_per_second, expected.output_tokens_per_second)
    figures = (speed.prompt_tokens_per_second, speed.output_tokens_per_second)
    assert figures == pytest.approx(expected_figures)


def test_it_follows_a_compiler_that_starts_and_ends() -> None:
    pace = Pace()
    speeds: list[float] = []
    for written_ms in [2_000.0] * 4 + [200.0] * 4:
        backend = pace.adapted(BACKEND)
        assert backend.speed is not None
        speeds.append(backend.speed.output_tokens_per_second)
        pace.take(backend, flow(), 0, reply(0, 0, 10, written_ms), now=1.0)
    assert min(speeds) < 10
    recovered = pace.adapted(BACKEND).speed
    assert recovered is not None
    assert recovered.output_tokens_per_second == pytest.approx(47, abs=3)


def test_without_a_measurement_nothing_is_made_up() -> None:
    pace = Pace()
    unknown = replace(BACKEND, speed=None)
    pace.take(unknown, flow(1, 2, 3, 4, 5, 6), 100, None, now=6.0)
    pace.take(unknown, flow(1, 2), 100, reply(5, 1, 2, 1), now=2.0)
    assert pace.adapted(unknown).speed is None


def test_without_a_measurement_the_backend_s_own_account_counts() -> None:
    pace = Pace()
    unknown = replace(BACKEND, speed=None)
    pace.take(unknown, flow(1, 2), 100, reply(100, 5_000, 10, 2_000), now=7.0)
    speed = pace.adapted(unknown).speed
    assert speed is not None
    assert speed.prompt_tokens_per_second < UNMEASURED.prompt_tokens_per_second
    assert speed.output_tokens_per_second < UNMEASURED.output_tokens_per_second


@pytest.mark.parametrize(
    ("came", "pieces", "rest"),
    [
        (flow(), 12, float("inf")),
        (flow(1.0), 12, float("inf")),
        (flow(1.0, 1.5), 12, 5.0),
        (flow(1.0, 1.5, 2.0), 4, 0.5),
        (flow(1.0, 1.5, 2.0), 2, 0.5),
    ],
)
def test_the_rest_of_an_answer_comes_as_its_beginning_did(
    came: Flow, pieces: int, rest: float
) -> None:
    assert came.rest(pieces) == pytest.approx(rest)
