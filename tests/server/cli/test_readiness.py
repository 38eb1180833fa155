"""Waiting for a model: what counts as ready, what as a refusal, and for how long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from coai_server.cli import readiness
from coai_server.cli.readiness import NotReadyError, wait_until_ready

if TYPE_CHECKING:
    from coai_server.editor import Editor

SPEED = {"prompt": 100.0, "output": 50.0}


def status(phase: str, backend: str | None = "embedded", **other: object) -> dict[str, Any]:
    return {
        "phase": phase,
        "backend": backend,
        "model": "m",
        "local": True,
        "detail": f"It is {phase}.",
        "remedy": "",
        "missingModel": None,
        "candidates": [{"speed": None}],
        **other,
    }


READY = status("ready")
STARTING = status("starting", None)
OFF = status("off", None, remedy="Switch it on.")
FAILED = status("failed", None)
MISSING = status("off", None, missingModel="m", remedy="Pull it.")
MEASURED = status("ready", candidates=[{"speed": SPEED}])


class Scripted:
    """An editor whose daemon says one thing after another, the last of them for ever."""

    def __init__(self, *said: dict[str, Any]) -> None:
        self._said = [*said]
        self.asked = 0

    async def status(self) -> dict[str, Any]:
        await asyncio.sleep(0)
        self.asked += 1
        return self._said.pop(0) if len(self._said) > 1 else self._said[0]


def scripted(*said: dict[str, Any]) -> Editor:
    return Scripted(*said)  # type: ignore[return-value] # pyright: ignore[reportReturnType] - only `status` is used


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_POLL_SECONDS", 0.001)


@pytest.mark.parametrize(
    "said",
    [
        (READY,),
        (STARTING, STARTING, READY),
        # Before the daemon knows of its engine, and between a crash and a restart.
        (OFF, OFF, READY),
        (STARTING, FAILED, STARTING, READY),
    ],
)
async def test_it_waits_until_a_model_answers(said: tuple[dict[str, Any], ...]) -> None:
    watched: list[str] = []
    ready = await wait_until_ready(scripted(*said), settle=60, watch=watched.append)
    assert (ready.backend, ready.model, ready.local, ready.why) == (
        "embedded", "m", True, "It is ready."
    )  # fmt: skip
    assert watched == [each["detail"] for each in said[:-1]]


async def test_it_waits_for_the_speed_if_it_is_told_to() -> None:
    editor = Scripted(READY, READY, MEASURED)
    await wait_until_ready(editor, speed=60)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - as above
    assert editor.asked == 3
    # Not for ever: some backends never tell.
    await wait_until_ready(scripted(READY), speed=0.01)


@pytest.mark.parametrize(
    ("said", "settle", "message", "remedy"),
    [
        ((STARTING, OFF), 0.01, "can serve completions. It is off", "Switch it on."),
        ((FAILED,), 0.0, "can serve completions. It is failed", "Run `coai doctor`."),
        # Ready, and still not the one to ask: no known format, say.
        ((status("ready", None),), 0.0, "can serve completions", "Run `coai doctor`."),
        ((STARTING, MISSING), 60.0, "can serve completions. It is off", "Pull it."),
        ((STARTING,), 60.0, "ready within 0.05 s. It is starting", "Run `coai doctor`."),
    ],
)
async def test_it_gives_up_with_the_reason(
    said: tuple[dict[str, Any], ...], settle: float, message: str, remedy: str
) -> None:
    with pytest.raises(NotReadyError) as caught:
        await wait_until_ready(scripted(*said), seconds=0.05, settle=settle)
    assert message in caught.value.message
    assert caught.value.remedy == remedy
