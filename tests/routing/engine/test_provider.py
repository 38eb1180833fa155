"""The embedded engine as a provider, through crashes and restarts."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from coai_routing.engine.client import RestartPolicy
from coai_routing.engine.provider import EmbeddedProvider
from coai_routing.engine.state import EnginePhase
from coai_routing.errors import (
    ProviderBusyError,
    ProviderError,
    ProviderUnavailableError,
    ReplyCutOffError,
)
from coai_routing.request import Message, ModelRequest
from tests.support.engine import AT_ONCE, PATIENCE, QUICK, engine_for, kill, until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from coai_routing.engine.client import EmbeddedEngine
    from coai_routing.providers.base import Provider
    from coai_routing.request import Delta

SHORT = ModelRequest(prompt="def f(", max_tokens=8, timeout=PATIENCE)
LONG = ModelRequest(prompt="def f(", max_tokens=30_000, timeout=PATIENCE)
OPTIONS = QUICK.model_copy(update={"context_tokens": 32_000})


@asynccontextmanager
async def embedded(
    model: Path, directory: Path, restart: RestartPolicy = AT_ONCE
) -> AsyncGenerator[tuple[EmbeddedEngine, EmbeddedProvider]]:
    """Give a provider on an engine that is starting."""
    async with engine_for(model, directory, restart, OPTIONS) as engine:
        provider = EmbeddedProvider(engine)
        engine.start()
        yield engine, provider
        await provider.aclose()


async def collect(deltas: AsyncGenerator[Delta]) -> str:
    return "".join([delta.text async for delta in deltas])


def kill_host(engine: EmbeddedEngine) -> None:
    assert engine.state.pid is not None
    kill(engine.state.pid)


async def test_requests_wait_for_the_engine_and_outlive_its_crashes(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    policy = RestartPolicy(first_delay=0.01, crashes=50)
    async with embedded(tiny_gguf, tmp_path / "engine", policy) as (engine, provider):
        as_protocol: Provider = provider
        assert as_protocol.name == "embedded"
        assert as_protocol.base_url == "http://127.0.0.1"
        assert not (await provider.health()).ok
        assert [model.loaded for model in await provider.models()] == [False]
        with pytest.raises(ProviderBusyError, match=r"starting|loading"):
            await provider.complete(SHORT.model_copy(update={"timeout": 0.01}))

        reply = await provider.complete(SHORT)
        assert reply.usage.output_tokens == 8
        assert reply.provider == "embedded"
        assert (await provider.health()).ok
        assert [model.loaded for model in await provider.models()] == [True]
        first_address = provider.base_url

        # A request in mid-stream fails, and says so; the next one works.
        async with aclosing(provider.stream(LONG)) as deltas:
            await anext(deltas)
            kill_host(engine)
            with pytest.raises(ReplyCutOffError) as caught:
                await collect(deltas)
        assert caught.value.partial
        assert (await provider.complete(SHORT)).text == reply.text
        assert provider.base_url != first_address

        # A request that comes before anyone knows of the crash is sent again, whatever its kind.
        kill_host(engine)
        chat = ModelRequest(messages=(Message(role="user", content="Hi"),), max_tokens=8)
        assert (await provider.chat(chat)).usage.output_tokens == 8
        kill_host(engine)
        async with aclosing(provider.stream(SHORT)) as deltas:
            assert await collect(deltas) == reply.text


async def test_an_engine_that_failed_is_unavailable_and_says_why(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    policy = RestartPolicy(first_delay=0.01, crashes=1)
    async with embedded(tiny_gguf, tmp_path / "engine", policy) as (engine, provider):
        await provider.complete(SHORT)
        kill_host(engine)
        await until(lambda: engine.state.phase is EnginePhase.FAILED)
        for ask in (provider.complete(SHORT), anext(provider.stream(SHORT))):
            with pytest.raises(ProviderUnavailableError, match="not restarted any more") as caught:
                await ask
            assert caught.value.remedy
        health = await provider.health()
        assert not health.ok
        assert health.remedy


async def test_a_request_that_the_engine_refuses_is_not_sent_twice(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    too_long = ModelRequest(prompt="x" * 40_000, max_tokens=1, timeout=PATIENCE)
    async with embedded(tiny_gguf, tmp_path / "engine") as (engine, provider):
        with pytest.raises(ProviderError) as caught:
            await provider.complete(too_long)
        assert not isinstance(caught.value, ProviderUnavailableError)
        assert engine.state.phase is EnginePhase.READY


async def test_leaving_a_stream_frees_its_slot(tiny_gguf: Path, tmp_path: Path) -> None:
    async with embedded(tiny_gguf, tmp_path / "engine") as (_, provider):
        for _ in range(OPTIONS.slots + 1):
            async with aclosing(provider.stream(LONG)) as deltas:
                await anext(deltas)
        async with asyncio.timeout(PATIENCE):
            assert (await provider.complete(SHORT)).text
