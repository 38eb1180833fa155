"""The probe of a model's speed: what it asks, and what it makes of the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from coai_routing.pool.speed import OUTPUT_TOKENS, WORDS, Probe, Speed, Timing, measure, probing
from coai_routing.request import ModelReply, Timings, Usage
from tests.routing.test_pool import REPLY, Scripted

if TYPE_CHECKING:
    from coai_routing.providers.base import Provider

SLOW, QUICK = 500.0, 5.0


def probed(
    words: tuple[int, ...], timings: list[Timing], *, rounds: int, apart: bool
) -> tuple[list[Probe], Speed | None]:
    """Return what was asked, and what came out."""
    asking = probing(words, rounds=rounds, apart=apart)
    asked = [next(asking)]
    for timing in timings:
        try:
            asked.append(asking.send(timing))
        except StopIteration as told:
            return asked, told.value
    raise AssertionError("it asks for more")


def test_reading_and_writing_are_asked_apart_and_the_best_of_all_rounds_counts() -> None:
    timings = [
        Timing(SLOW, 100.0, 0.0),
        Timing(SLOW, 9999.0, 40.0),
        Timing(SLOW, 150.0, 0.0),
        Timing(SLOW, 9999.0, 30.0),
    ]
    asked, speed = probed((60, 240), timings, rounds=2, apart=True)
    assert [probe.output_tokens for probe in asked] == [0, OUTPUT_TOKENS] * 2
    assert asked[0].prompt == asked[1].prompt != asked[2].prompt
    assert speed == Speed(150.0, 40.0)


def test_a_prompt_that_is_read_in_no_time_gives_way_to_a_longer_one() -> None:
    timings = [Timing(QUICK, 1.0, 0.0), Timing(QUICK, 5000.0, 200.0)]
    asked, speed = probed((60, 240, 240), timings, rounds=1, apart=False)
    assert [len(probe.prompt.split()) for probe in asked] == [60, 240]
    assert speed == Speed(5000.0, 200.0)
    asked, _ = probed((60, 60), timings[:1], rounds=1, apart=False)
    assert len(asked) == 1, "the same length would tell the same"


def test_a_server_that_tells_no_speed_has_none() -> None:
    assert probed((60,), [Timing(SLOW, 100.0, 0.0)], rounds=1, apart=False)[1] is None


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (
            REPLY.model_copy(
                update={
                    "usage": Usage(prompt_tokens=200, output_tokens=16),
                    "timings": Timings(prompt_ms=1000.0, output_ms=400.0),
                }
            ),
            Speed(200.0, 40.0),
        ),
        (None, None),
    ],
    ids=["its own account", "no reply"],
)
async def test_a_server_is_measured_by_what_it_says_of_its_time(
    reply: ModelReply | None, told: Speed | None
) -> None:
    provider = Scripted(reply)
    assert await measure(cast("Provider", provider), "m") == told
    assert provider.asked == 1
    assert WORDS > 100
