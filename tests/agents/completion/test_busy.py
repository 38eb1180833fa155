"""Who waits how long for what while other programs keep the machine busy."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from coai_agents.completion.outcome import Reason, Trigger
from tests.agents.completion.test_completer import SETTINGS, Strain, desktop, reason, text

if TYPE_CHECKING:
    from coai_agents.completion.signal import Signal

SLOW = SETTINGS.model_copy(update={"patience_ms": 150})
"""By what is known of it, the scripted model takes a little longer for a usual line."""

QUICK = SETTINGS.model_copy(update={"patience_ms": 1000})


class Limits:
    """Limits that pass when a test says so, and are counted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.passing = asyncio.Event()
        self.reached = asyncio.Event()
        monkeypatch.setattr("coai_agents.completion.completer.happens", self._happens)

    async def _happens(self, *signals: Signal, until: float) -> bool:
        assert until > 0
        self.count += 1
        self.reached.set()
        await self.passing.wait()
        return any(signal.is_set() for signal in signals)


@pytest.mark.parametrize(
    ("pieces", "limits"),
    [((), 1), (("sum",), 1), (("a", *[" + a"] * 12), 2)],
    ids=["nothing", "a beginning", "almost whole"],
)
async def test_a_slow_model_is_waited_for_a_moment_more_if_its_line_is_almost_whole(
    pieces: tuple[str, ...], limits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desktop(settings=SLOW, strained=Strain()) as desk:
        passed = Limits(monkeypatch)
        request = desk.ask()
        call = await desk.model.called(1)
        call.say(*pieces)
        await call.heard()
        passed.passing.set()
        assert reason(await request) is Reason.MACHINE_BUSY
        assert passed.count == limits
        assert call.open, "what has begun goes on"


async def test_a_model_that_was_quick_is_waited_for_when_it_is_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with desktop(settings=QUICK, strained=Strain()) as desk:
        passed = Limits(monkeypatch)
        passed.passing.set()
        request = desk.ask()
        call = await desk.model.called(1)
        await passed.reached.wait()
        call.say("sum(items)\n")
        call.end()
        assert text(await request) == "sum(items)"
        assert passed.count == 1


@pytest.mark.parametrize("trigger", Trigger)
async def test_on_a_busy_machine_a_new_prompt_is_shorter(trigger: Trigger) -> None:
    long = "".join(f"value_{line} = {line}\n" for line in range(2000)) + "total = |\n"
    lengths: list[int] = []
    for strained in (False, True):
        async with desktop(
            long, settings=QUICK, answer=lambda _: "1\n", strained=Strain(strained=strained)
        ) as desk:
            await desk.answered(trigger)
            lengths.append(len(desk.model.calls[0].request.prompt or ""))
    idle, busy = lengths
    assert busy < 0.6 * idle
