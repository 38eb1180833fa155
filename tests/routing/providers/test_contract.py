"""The contract that every provider keeps, against a real model."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from coai_routing.errors import ModelNotFoundError, ProviderError, RequestRejectedError
from coai_routing.providers.base import Provider
from coai_routing.providers.openai_compatible import OpenAICompatibleProvider
from coai_routing.request import Message, ModelReply, ModelRequest
from tests.routing.providers.dialects import (
    ALL,
    ANTHROPIC,
    LLAMA_SERVER,
    OLLAMA,
    VENDORS,
    Dialect,
    ask,
    sent,
)
from tests.support.llama import LlamaServer, start_llama_server
from tests.support.ollama_stand_in import MODEL, OllamaStandIn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


PROMPT = ModelRequest(prompt="def add(a, b):\n", max_tokens=12, timeout=60.0)
CHAT = ModelRequest(messages=(Message(role="user", content="hello"),), max_tokens=12, timeout=60.0)
SCHEMA = {
    "type": "object",
    "properties": {"kind": {"enum": ["bug", "style"]}},
    "required": ["kind"],
    "additionalProperties": False,
}


@pytest.fixture(params=[*ALL, *VENDORS], ids=str)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return request.param


async def connected(dialect: Dialect, llama: LlamaServer) -> AsyncIterator[Provider]:
    """Yield a provider that reaches the real model, by way of the stand-in for Ollama."""
    if dialect is OLLAMA:
        async with OllamaStandIn(llama) as ollama:
            provider = dialect.provider(name="p", base_url=ollama.base_url)
            yield provider
            await provider.aclose()
    else:
        provider = dialect.provider(name="p", base_url=llama.base_url, api_key=llama.api_key)
        yield provider
        await provider.aclose()


@pytest.fixture
async def provider(dialect: Dialect, llama_server: LlamaServer) -> AsyncIterator[Provider]:
    async for made in connected(dialect, llama_server):
        yield made


@pytest.fixture(scope="module")
def lone_slot(tiny_gguf: Path) -> Iterator[LlamaServer]:
    """Run a server that can answer only one request at a time."""
    server = start_llama_server(tiny_gguf, slots=1, context_tokens=32_768)
    yield server
    server.kill()


async def streamed(provider: Provider, request: ModelRequest) -> tuple[str, ModelReply]:
    """Return the text of all deltas and the reply of the last."""
    pieces: list[str] = []
    reply: ModelReply | None = None
    async with aclosing(provider.stream(request)) as deltas:
        async for delta in deltas:
            assert reply is None, "something came after the reply"
            pieces.append(delta.text)
            reply = delta.reply
    assert reply is not None
    return "".join(pieces), reply


def test_it_has_all_that_the_protocol_names(dialect: Dialect) -> None:
    named = {name for name in vars(Provider) if not name.startswith("_")}
    assert "stream" in named
    assert named <= set(dir(getattr(dialect.provider, "func", dialect.provider)))


async def test_completes_a_raw_prompt(provider: Provider, dialect: Dialect) -> None:
    if dialect is ANTHROPIC:
        with pytest.raises(RequestRejectedError, match="no raw prompts"):
            await provider.complete(PROMPT)
        return
    reply = await provider.complete(PROMPT)
    assert reply.text
    assert reply.provider == "p"
    assert reply.model
    assert reply.finish == "length"
    # The model's tokens are bytes.
    assert reply.usage.prompt_tokens == len("def add(a, b):\n")
    assert reply.usage.output_tokens == 12
    assert reply.timings.prompt_ms is not None
    assert reply.timings.output_ms is not None


async def test_answers_messages(provider: Provider) -> None:
    reply = await provider.chat(CHAT)
    assert reply.text
    assert reply.usage.output_tokens == 12


@pytest.mark.parametrize("request_", [PROMPT, CHAT], ids=["prompt", "messages"])
async def test_a_stream_carries_the_text_of_the_whole_reply(
    provider: Provider, request_: ModelRequest
) -> None:
    text, reply = await streamed(provider, sent(provider, request_))
    whole = await ask(provider, request_)
    assert text == reply.text == whole.text


async def test_the_same_text_comes_from_every_provider(
    provider: Provider, llama_server: LlamaServer
) -> None:
    direct = LLAMA_SERVER.provider(
        name="direct", base_url=llama_server.base_url, api_key=llama_server.api_key
    )
    expected = await ask(direct, sent(provider, PROMPT))
    assert (await ask(provider, PROMPT)).text == expected.text
    await direct.aclose()


async def test_what_the_cache_knew_is_counted(provider: Provider, dialect: Dialect) -> None:
    if dialect is OLLAMA:
        pytest.skip("its API does not tell")
    long = CHAT.model_copy(update={"messages": (Message(role="user", content="cached " * 40),)})
    await provider.chat(long)
    usage = (await provider.chat(long)).usage
    assert 0 < usage.cached_tokens <= usage.prompt_tokens
    assert usage.evaluated_tokens < usage.prompt_tokens


async def test_says_no_more_than_it_was_asked_for(provider: Provider) -> None:
    reply = await ask(provider, PROMPT.model_copy(update={"max_tokens": 3}))
    assert reply.usage.output_tokens == 3
    assert reply.finish == "length"


async def test_evaluates_a_prompt_without_saying_anything(provider: Provider) -> None:
    text, reply = await streamed(
        provider, sent(provider, PROMPT.model_copy(update={"max_tokens": 0}))
    )
    assert text == reply.text == ""


async def test_stops_before_a_stop_string(provider: Provider) -> None:
    unstopped = (await ask(provider, PROMPT)).text
    stop = unstopped[5:7]
    reply = await ask(provider, PROMPT.model_copy(update={"stop": (stop,)}))
    assert reply.text == unstopped[: unstopped.index(stop)]
    assert reply.finish == "stop"


async def test_answers_messages_by_a_json_schema(provider: Provider, dialect: Dialect) -> None:
    if dialect is ANTHROPIC:
        pytest.skip("llama.cpp leaves the schema out in that API; test_anthropic.py sees it sent")
    request = CHAT.model_copy(update={"json_schema": SCHEMA, "max_tokens": 60})
    assert keeps_to_schema(await provider.chat(request))


def keeps_to_schema(reply: ModelReply) -> bool:
    """Say whether a reply is an answer by the schema, or all white space of one that began.

    A model of random weights may like white space, which JSON allows without end.
    """
    if reply.finish == "stop":
        return json.loads(reply.text)["kind"] in {"bug", "style"}
    return re.match(r'\s*\{\s*("|$)', reply.text) is not None


async def test_continues_a_prompt_by_a_json_schema_where_the_api_can(
    provider: Provider, dialect: Dialect
) -> None:
    if dialect is ANTHROPIC:
        pytest.skip("that API continues no prompts")
    request = PROMPT.model_copy(update={"json_schema": SCHEMA, "max_tokens": 60})
    if isinstance(provider, OpenAICompatibleProvider):
        with pytest.raises(RequestRejectedError, match="only with messages"):
            await ask(provider, request)
    else:
        assert keeps_to_schema(await ask(provider, request))


async def test_lets_the_backend_fill_in_before_a_suffix(
    provider: Provider, dialect: Dialect
) -> None:
    if dialect is ANTHROPIC:
        pytest.skip("that API continues no prompts")
    reply = await ask(provider, PROMPT.model_copy(update={"suffix": "\n    return c\n"}))
    assert reply.text
    # llama.cpp ignores the suffix in OpenAI's API.
    if not isinstance(provider, OpenAICompatibleProvider):
        assert reply.usage.prompt_tokens > len("def add(a, b):\n")


async def test_text_that_is_no_unicode_is_sent_all_the_same(provider: Provider) -> None:
    half_a_surrogate_pair = PROMPT.model_copy(update={"prompt": "x = '\ud83d'\n"})
    assert (await ask(provider, half_a_surrogate_pair)).text


async def test_lists_models(provider: Provider, dialect: Dialect) -> None:
    (model,) = await provider.models()
    assert model.provider == "p"
    assert model.context_tokens == 4096
    assert model.size_bytes
    assert model.loaded
    assert model.name == MODEL if dialect is OLLAMA else model.name.endswith(".gguf")
    named = PROMPT.model_copy(update={"model": model.name})
    assert (await ask(provider, named)).model == model.name


async def test_counts_tokens_where_the_server_has_a_tokenizer(
    provider: Provider, dialect: Dialect
) -> None:
    counted = await provider.count_tokens("<|fim_prefix|>añ")
    # The model's tokens are bytes, but for control tokens.
    assert counted == (4 if dialect.name == "llama_server" else None)


async def test_is_healthy(provider: Provider) -> None:
    health = await provider.health()
    assert health.ok, health
    assert health.detail
    assert not health.remedy


async def test_a_wrong_key_is_told(dialect: Dialect, llama_server: LlamaServer) -> None:
    if dialect is OLLAMA:
        pytest.skip("Ollama has no keys")
    provider = dialect.provider(name="vllm", base_url=llama_server.base_url, api_key="wrong")
    health = await provider.health()
    assert not health.ok
    assert "endpoints.vllm.api_key" in health.remedy
    with pytest.raises(ProviderError, match=r"endpoints\.vllm\.api_key"):
        await ask(provider, PROMPT)
    await provider.aclose()


async def test_a_prompt_longer_than_the_context_is_rejected(provider: Provider) -> None:
    with pytest.raises(RequestRejectedError, match="too long") as caught:
        await ask(provider, PROMPT.model_copy(update={"prompt": "x" * 5000}))
    assert caught.value.remedy


async def test_prompts_and_messages_are_not_confused(provider: Provider) -> None:
    with pytest.raises(RequestRejectedError):
        await provider.complete(CHAT)
    with pytest.raises(RequestRejectedError):
        await provider.chat(PROMPT)


async def test_it_works_again_after_it_was_closed(provider: Provider) -> None:
    await ask(provider, PROMPT)
    await provider.aclose()
    assert (await ask(provider, PROMPT)).text


async def test_many_requests_at_a_time_get_their_own_answers(provider: Provider) -> None:
    prompts = [f"value_{number} = " for number in range(6)]
    alone = [(await ask(provider, asking(prompt))).text for prompt in prompts]
    together = await asyncio.gather(*(ask(provider, asking(prompt)) for prompt in prompts))
    assert [reply.text for reply in together] == alone


def asking(prompt: str) -> ModelRequest:
    return PROMPT.model_copy(update={"prompt": prompt})


async def test_a_cancelled_request_makes_room_for_the_next(
    dialect: Dialect, lone_slot: LlamaServer
) -> None:
    endless = PROMPT.model_copy(update={"max_tokens": 30_000, "timeout": 600.0})
    async for provider in connected(dialect, lone_slot):
        loop = asyncio.get_running_loop()
        async with aclosing(provider.stream(sent(provider, endless))) as deltas:
            start = loop.time()
            seen = 0
            async for _ in deltas:
                seen += 1
                if seen == 50:
                    break
            time_per_token = (loop.time() - start) / seen
        # There is one slot: were the first request still running, it would take 30,000 tokens'
        # time, however fast this machine is, until the second is answered.
        hurried = PROMPT.model_copy(update={"timeout": 10_000 * time_per_token})
        assert (await ask(provider, hurried)).text


async def test_a_model_that_is_not_there_is_named(llama_server: LlamaServer) -> None:
    async for provider in connected(OLLAMA, llama_server):
        with pytest.raises(ModelNotFoundError, match="ollama pull codellama:7b-code"):
            await ask(provider, PROMPT.model_copy(update={"model": "codellama:7b-code"}))
