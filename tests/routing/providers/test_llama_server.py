"""What only llama.cpp's own API offers."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from coai_routing.errors import ProviderUnavailableError, ReplyCutOffError
from coai_routing.providers.llama_server import LlamaServerProvider
from coai_routing.request import Message, ModelRequest
from tests.routing.providers.dialects import LLAMA_SERVER, served
from tests.support.faulty_server import stream
from tests.support.llama import LlamaServer, start_llama_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

FULL_TIMINGS = {"prompt_n": 3, "cache_n": 5, "predicted_n": 2}
PROMPT = ModelRequest(prompt="class Shelf:\n    def ", max_tokens=6, timeout=60.0)


@pytest.fixture
async def provider(llama_server: LlamaServer) -> AsyncIterator[LlamaServerProvider]:
    provider = LlamaServerProvider(
        name="embedded", base_url=llama_server.base_url, api_key=llama_server.api_key
    )
    yield provider
    await provider.aclose()


async def test_a_grown_prompt_is_evaluated_only_where_it_grew(
    provider: LlamaServerProvider,
) -> None:
    prompt = "value = [" + "1, " * 60
    first = await provider.complete(ModelRequest(prompt=prompt, max_tokens=2, slot=1))
    grown = await provider.complete(ModelRequest(prompt=prompt + "2", max_tokens=2, slot=1))
    assert first.slot == grown.slot == 1
    assert grown.usage.prompt_tokens == first.usage.prompt_tokens + 1
    assert grown.usage.cached_tokens >= first.usage.prompt_tokens - 1
    assert grown.usage.evaluated_tokens <= 2


async def test_a_prompt_can_be_evaluated_ahead(provider: LlamaServerProvider) -> None:
    prompt = "other = [" + "7, " * 60
    await provider.complete(ModelRequest(prompt=prompt, max_tokens=0, slot=2))
    warm = await provider.complete(ModelRequest(prompt=prompt, max_tokens=1, slot=2))
    assert warm.usage.evaluated_tokens <= 1


async def test_the_slot_is_told_even_if_none_was_asked_for(provider: LlamaServerProvider) -> None:
    assert (await provider.complete(PROMPT)).slot is not None


async def test_what_is_sent_is_what_the_server_documents() -> None:
    good = stream([LLAMA_SERVER.piece("ok"), *LLAMA_SERVER.last], LLAMA_SERVER.content_type)
    async with served(LLAMA_SERVER, good) as (server, provider):
        await provider.complete(PROMPT.model_copy(update={"slot": 0, "stop": ("\n",)}))
        await provider.complete(PROMPT.model_copy(update={"suffix": "after", "model": "m"}))
        await provider.chat(
            ModelRequest(messages=(Message(role="user", content="hé"),), json_schema={}, slot=3)
        )
        raw, infill, chat = server.received
        assert (raw.path, infill.path, chat.path) == (
            "/completion",
            "/infill",
            "/v1/chat/completions",
        )
        sent = json.loads(raw.body)
        assert sent["prompt"] == PROMPT.prompt
        assert sent["n_predict"] == 6
        assert sent["stream"] is sent["cache_prompt"] is True
        assert sent["timings_per_token"] is False
        assert sent["id_slot"] == 0
        assert sent["stop"] == ["\n"]
        assert "model" not in sent
        sent = json.loads(infill.body)
        assert (sent["input_prefix"], sent["input_suffix"]) == (PROMPT.prompt, "after")
        assert sent["model"] == "m"
        assert "stop" not in sent
        sent = json.loads(chat.body)
        assert sent["messages"] == [{"role": "user", "content": "hé"}]
        assert sent["response_format"]["type"] == "json_schema"
        assert sent["id_slot"] == 3


async def test_the_last_event_does_not_repeat_the_prompt(
    provider: LlamaServerProvider, llama_server: LlamaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[bytes] = []
    decode = json.loads

    def watch(event: bytes) -> object:
        received.append(event)
        return decode(event)

    monkeypatch.setattr("coai_routing.providers.llama_server.json.loads", watch)
    await provider.complete(PROMPT.model_copy(update={"prompt": "unmistakable = 1\n" * 20}))
    assert len(received) == 7
    assert not any(b"unmistakable" in event for event in received)


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (
            {"stop_type": "eos", "id_slot": 1, "timings": FULL_TIMINGS},
            ("stop", 8, 5, 2, 1),
        ),
        (
            {"stop_type": "word", "timings": {}, "tokens_evaluated": 8, "tokens_predicted": 2},
            ("stop", 8, 0, 2, None),
        ),
        # Before it was told what came from the cache.
        (
            {"stop_type": "limit", "tokens_evaluated": 8, "timings": {"prompt_n": 3}},
            ("length", 8, 5, 0, None),
        ),
        ({}, ("unknown", 0, 0, 0, None)),
        (
            {"stop_type": 5, "timings": None, "id_slot": -1, "tokens_evaluated": "8"},
            ("unknown", 0, 0, 0, None),
        ),
    ],
)
async def test_the_last_event_of_any_version(
    last: dict[str, object], expected: tuple[str, int, int, int, int | None]
) -> None:
    event = b"data: " + json.dumps({"content": "", "stop": True, **last}).encode() + b"\n\n"
    behaviour = stream([LLAMA_SERVER.piece("ok"), event], LLAMA_SERVER.content_type)
    async with served(LLAMA_SERVER, behaviour) as (_, provider):
        reply = await provider.complete(PROMPT)
        usage = reply.usage
        assert reply.text == "ok"
        assert expected == (
            reply.finish,
            usage.prompt_tokens,
            usage.cached_tokens,
            usage.output_tokens,
            reply.slot,
        )


async def test_an_engine_that_is_killed_in_mid_stream(tiny_gguf: Path) -> None:
    server = start_llama_server(tiny_gguf, slots=1, context_tokens=32_768)
    provider = LlamaServerProvider(
        name="embedded", base_url=server.base_url, api_key=server.api_key
    )
    endless = PROMPT.model_copy(update={"max_tokens": 30_000})
    try:
        async with aclosing(provider.stream(endless)) as deltas:
            came = (await anext(deltas)).text
            await asyncio.to_thread(server.kill)
            with pytest.raises(ReplyCutOffError) as caught:
                _ = [delta async for delta in deltas]
        assert caught.value.partial.startswith(came)
        with pytest.raises(ProviderUnavailableError):
            await provider.complete(PROMPT)
        assert not (await provider.health()).ok
    finally:
        await provider.aclose()
        if server.process.poll() is None:
            server.kill()
