"""Who owns background tasks notices their death, goes on, and leaves none behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from coai_routing.background import Background

if TYPE_CHECKING:
    import pytest


async def test_a_task_that_dies_is_logged_and_told_of(caplog: pytest.LogCaptureFixture) -> None:
    background = Background()
    told: list[BaseException] = []

    async def die() -> None:
        raise LookupError("a flaw")

    background.spawn(die(), name="a test", on_failure=told.append)
    await background.settle()
    await asyncio.sleep(0)
    assert [str(error) for error in told] == ["a flaw"]
    assert "The background task a test failed" in caplog.text
    assert "LookupError" in caplog.text


async def test_a_step_that_fails_is_logged_and_does_not_end_the_work(
    caplog: pytest.LogCaptureFixture,
) -> None:
    background = Background()
    enough = asyncio.Event()
    steps = 0

    async def step() -> None:
        nonlocal steps
        steps += 1
        if steps == 3:
            enough.set()
        raise UnicodeError("a flaw")

    background.repeat(step, every=0.001, name="a test")
    await enough.wait()
    await background.aclose()
    assert caplog.text.count("a test failed") >= 2


async def test_all_have_ended_when_their_owner_has() -> None:
    background = Background()
    ended = asyncio.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.set()

    task = background.spawn(wait(), name="a test")
    never_begun = background.spawn(wait(), name="another test")
    await asyncio.sleep(0)
    await background.aclose()
    assert ended.is_set()
    assert task.cancelled()
    assert never_begun.cancelled()
