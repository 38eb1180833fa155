"""What is Ollama's own: models that run elsewhere, options, names."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from coai_routing.errors import (
    EgressRefusedError,
    ModelNotFoundError,
    OutOfMemoryError,
    RequestRejectedError,
)
from coai_routing.privacy.egress import Egress
from coai_routing.providers import ollama as ollama_module
from coai_routing.providers.ollama import OllamaProvider
from coai_routing.providers.replies.listings import ollama_remote, ollama_window
from coai_routing.request import Message, ModelRequest
from tests.routing.providers.dialects import OLLAMA, served
from tests.support import faulty_server
from tests.support.faulty_server import respond, stream
from tests.support.ollama_stand_in import CLOUD_MODEL, MODEL, REMOTE_MODEL, OllamaStandIn

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.support.llama import LlamaServer

PROMPT = ModelRequest(prompt="x = ", max_tokens=4, timeout=60.0)


@asynccontextmanager
async def connected(
    llama: LlamaServer,
    *,
    egress: Egress | None = None,
    model: str | None = None,
    keep_alive: str | None = None,
    context_tokens: int | None = None,
) -> AsyncGenerator[tuple[OllamaStandIn, OllamaProvider]]:
    async with OllamaStandIn(llama) as server:
        provider = OllamaProvider(
            base_url=server.base_url,
            egress=egress,
            model=model,
            keep_alive=keep_alive,
            context_tokens=context_tokens,
        )
        try:
            yield server, provider
        finally:
            await provider.aclose()


async def test_options_are_ollamas(llama_server: LlamaServer) -> None:
    async with connected(llama_server, keep_alive="30m", context_tokens=2048) as (server, provider):
        await provider.complete(PROMPT.model_copy(update={"stop": ("\n",), "max_tokens": 0}))
        (sent,) = server.bodies("/api/generate")
        assert sent["raw"] is True
        assert sent["keep_alive"] == "30m"
        assert sent["options"] == {
            "num_predict": 1,  # 0 would be no limit
            "temperature": 0.0,
            "stop": ["\n"],
            "num_ctx": 2048,
        }
        await provider.complete(PROMPT.model_copy(update={"suffix": "after"}))
        sent = server.bodies("/api/generate")[1]
        assert (sent["prompt"], sent["suffix"]) == (PROMPT.prompt, "after")
        assert not sent.get("raw"), "the model's template puts prompt and suffix together"


async def test_what_is_not_set_is_left_to_ollama(llama_server: LlamaServer) -> None:
    async with connected(llama_server) as (server, provider):
        await provider.complete(PROMPT)
        (sent,) = server.bodies("/api/generate")
        assert "keep_alive" not in sent
        assert sent["options"] == {"num_predict": 4, "temperature": 0.0}


async def test_a_model_without_a_tag_is_its_latest(llama_server: LlamaServer) -> None:
    async with connected(llama_server) as (_, provider):
        named = PROMPT.model_copy(update={"model": MODEL.removesuffix(":latest")})
        assert (await provider.complete(named)).text


async def test_the_model_it_was_set_up_with_is_used(llama_server: LlamaServer) -> None:
    async with connected(llama_server, model="codellama:7b-code") as (_, provider):
        with pytest.raises(ModelNotFoundError, match="ollama pull codellama:7b-code"):
            await provider.complete(PROMPT)
        assert (await provider.complete(PROMPT.model_copy(update={"model": MODEL}))).text


@pytest.mark.parametrize("model", [CLOUD_MODEL, REMOTE_MODEL])
@pytest.mark.parametrize(
    ("egress", "sensitive"),
    [(None, False), (None, True), (Egress(allow=True), True)],
)
async def test_a_model_that_runs_elsewhere_is_elsewhere(
    llama_server: LlamaServer, model: str, egress: Egress | None, *, sensitive: bool
) -> None:
    async with connected(llama_server, egress=egress) as (server, provider):
        request = PROMPT.model_copy(update={"model": model, "sensitive": sensitive})
        for _ in range(2):
            with pytest.raises(EgressRefusedError):
                await provider.complete(request)
        chat = ModelRequest(
            messages=(Message(role="user", content="x"),), model=model, sensitive=sensitive
        )
        with pytest.raises(EgressRefusedError):
            await provider.chat(chat)
        assert server.bodies("/api/generate") == server.bodies("/api/chat") == []


async def test_a_model_that_runs_elsewhere_may_be_used_where_the_user_allows_it(
    llama_server: LlamaServer,
) -> None:
    async with connected(llama_server, egress=Egress(allow=True)) as (server, provider):
        # The stand-in has no cloud behind it: what matters is that it was asked.
        with pytest.raises(ModelNotFoundError):
            await provider.complete(PROMPT.model_copy(update={"model": CLOUD_MODEL}))
        assert len(server.bodies("/api/generate")) == 1
        assert {model.name for model in await provider.models()} == {
            MODEL,
            CLOUD_MODEL,
            REMOTE_MODEL,
        }


async def test_only_models_that_run_here_are_listed_and_chosen(llama_server: LlamaServer) -> None:
    async with connected(llama_server) as (server, provider):
        assert [model.name for model in await provider.models()] == [MODEL]
        await provider.complete(PROMPT)
        assert server.bodies("/api/generate")[0]["model"] == MODEL


@pytest.mark.parametrize(("seconds", "asked"), [(60.0, 1), (0.0, 3)])
async def test_where_a_model_runs_is_asked_again_after_a_while(
    llama_server: LlamaServer, monkeypatch: pytest.MonkeyPatch, *, seconds: float, asked: int
) -> None:
    monkeypatch.setattr(ollama_module, "_WHEREABOUTS_KEPT", seconds)
    async with connected(llama_server) as (server, provider):
        for _ in range(3):
            await provider.complete(PROMPT.model_copy(update={"model": MODEL}))
        assert len(server.bodies("/api/show")) == asked


@pytest.mark.parametrize(
    ("name", "description", "remote"),
    [
        ("codellama:7b-code", {}, None),
        ("codellama", {"remote_host": "", "remote_model": ""}, None),
        ("mycloud:latest", {}, None),
        ("cloud", {}, None),
        ("gpt-oss:120b-cloud", {}, "https://ollama.com"),
        ("glm-4.6:cloud", {}, "https://ollama.com"),
        ("plain:latest", {"remote_host": "https://ollama.com:443"}, "https://ollama.com:443"),
        ("plain:latest", {"remote_host": "gpu.example.org"}, "https://gpu.example.org"),
        ("plain:latest", {"remote_model": "x"}, "https://ollama.com"),
        ("plain:latest", None, None),
    ],
)
def test_where_a_model_runs(name: str, description: object, remote: str | None) -> None:
    assert ollama_remote(name, description) == remote


@pytest.mark.parametrize(
    ("last", "finish"),
    [
        ({"done_reason": "stop"}, "stop"),
        ({"done_reason": "length"}, "length"),
        ({"done_reason": "load"}, "unknown"),
        ({}, "unknown"),
    ],
)
async def test_how_a_reply_ended(last: dict[str, str], finish: str) -> None:
    frames = [OLLAMA.piece("ok"), OLLAMA.last[0].replace(b'"done_reason": "stop"', b'"x": 0')]
    if last:
        frames[1] = OLLAMA.last[0].replace(b'"stop"', f'"{last["done_reason"]}"'.encode())
    async with served(OLLAMA, stream(frames, OLLAMA.content_type)) as (_, provider):
        reply = await provider.complete(PROMPT.model_copy(update={"model": "m"}))
        assert (reply.text, reply.finish) == ("ok", finish)
        # Ollama leaves counts out where everything came from its cache.
        assert reply.usage.prompt_tokens == 0


async def test_text_in_the_last_part_is_not_lost() -> None:
    whole = OLLAMA.last[0].replace(b'"response": ""', b'"response": "all"')
    async with served(OLLAMA, stream([whole], OLLAMA.content_type)) as (_, provider):
        assert (await provider.complete(PROMPT.model_copy(update={"model": "m"}))).text == "all"


async def test_errors_that_ollama_gives_with_a_good_status() -> None:
    frames = [OLLAMA.error("llama runner process has terminated: cudaMalloc failed")]
    async with served(OLLAMA, stream(frames, OLLAMA.content_type)) as (_, provider):
        with pytest.raises(OutOfMemoryError, match="OLLAMA_CONTEXT_LENGTH"):
            await provider.complete(PROMPT.model_copy(update={"model": "m"}))


async def test_a_model_that_cannot_complete_says_so() -> None:
    refusal = respond(400, {"error": '"nomic-embed-text" does not support generate'})
    async with served(OLLAMA, refusal) as (_, provider):
        with pytest.raises(RequestRejectedError, match="does not support generate"):
            await provider.complete(PROMPT.model_copy(update={"model": "m"}))


async def test_ollama_without_a_model_is_not_ready() -> None:
    nothing: list[object] = []
    routes = {
        "/api/version": {"version": "0.40.12"},
        "/api/tags": {"models": nothing},
        "/api/ps": {"models": nothing},
    }
    async with served(OLLAMA, faulty_server.hang_up, routes) as (_, provider):
        health = await provider.health()
        assert not health.ok
        assert health.version == "0.40.12"
        assert "ollama pull MODEL" in health.remedy
        with pytest.raises(ModelNotFoundError):
            await provider.complete(PROMPT)


async def test_first_requests_at_the_same_time_share_the_client(llama_server: LlamaServer) -> None:
    async with connected(llama_server) as (_, provider):
        replies = await asyncio.gather(*(provider.complete(PROMPT) for _ in range(4)))
        assert len({reply.text for reply in replies}) == 1


@pytest.mark.parametrize(
    ("shown", "window"),
    [
        ({"parameters": 'stop                  "<|x|>"\nnum_ctx               8192\n'}, 8192),
        ({"parameters": "num_ctx 2048"}, 2048),
        ({"parameters": "num_ctx many"}, None),
        ({"parameters": "num_predict 7"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_a_model_may_set_its_own_window(shown: object, window: int | None) -> None:
    assert ollama_window(shown) == window
