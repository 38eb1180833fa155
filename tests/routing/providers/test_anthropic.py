"""What is Anthropic's API's own: what is sent, what is counted, how it differs from others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from coai_routing.errors import (
    ModelNotFoundError,
    ProviderBusyError,
    ProviderError,
    RequestRejectedError,
)
from coai_routing.providers.anthropic import AnthropicProvider
from coai_routing.request import Message, ModelRequest
from tests.routing.providers.dialects import ANTHROPIC, served
from tests.support.faulty_server import respond, stream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.faulty_server import Behaviour, Exchange

ASK = Message(role="user", content="hi")
CHAT = ModelRequest(messages=(ASK,), model="m", max_tokens=4, timeout=60.0)
KIND = ANTHROPIC.content_type
GOOD = stream([ANTHROPIC.piece("ok"), *ANTHROPIC.last], KIND)


def frame(event: Mapping[str, object]) -> bytes:
    return b"data: " + json.dumps(event).encode() + b"\n\n"


async def test_what_is_sent_is_anthropics_api() -> None:
    async with served(ANTHROPIC, GOOD) as (server, provider):
        system = Message(role="system", content="be brief")
        request = CHAT.model_copy(
            update={
                "messages": (system, ASK),
                "stop": ("\n",),
                "json_schema": {"type": "object"},
                "max_tokens": 0,
            }
        )
        assert (await provider.chat(request)).text == ""
        (received,) = server.received
        assert received.path == "/v1/messages"
        assert json.loads(received.body) == {
            "model": "m",
            "max_tokens": 1,  # nothing at all cannot be asked for
            "messages": [{"role": "user", "content": "hi"}],
            "system": [
                {"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}
            ],
            "stop_sequences": ["\n"],
            "temperature": 0.0,
            "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
            "stream": True,
        }


async def test_cached_and_written_tokens_are_counted_as_prompt_tokens() -> None:
    usage = {"input_tokens": 10, "cache_read_input_tokens": 70, "cache_creation_input_tokens": 20}
    frames = [
        frame({"type": "message_start", "message": {"model": "big-1", "usage": usage}}),
        frame({"type": "ping"}),
        frame({"type": "content_block_start", "content_block": {"type": "text", "text": ""}}),
        frame({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a"}}),
        frame({"type": "content_block_delta", "delta": {"type": "thinking_delta"}}),
        frame(
            {
                "type": "message_delta",
                "delta": {"stop_reason": "max_tokens"},
                "usage": {"output_tokens": 5},
            }
        ),
        frame({"type": "message_stop"}),
    ]
    async with served(ANTHROPIC, stream(frames, KIND)) as (_, provider):
        reply = await provider.chat(CHAT)
    assert (reply.text, reply.finish, reply.model) == ("a", "length", "big-1")
    assert reply.usage.prompt_tokens == 100
    assert reply.usage.cached_tokens == 70
    assert reply.usage.cache_write_tokens == 20
    assert reply.usage.output_tokens == 5


async def test_an_unknown_stop_reason_is_unknown() -> None:
    last = frame({"type": "message_delta", "delta": {"stop_reason": "refusal"}})
    frames = [ANTHROPIC.piece("a"), last, frame({"type": "message_stop"})]
    async with served(ANTHROPIC, stream(frames, KIND)) as (_, provider):
        assert (await provider.chat(CHAT)).finish == "unknown"


async def test_an_option_that_a_model_refuses_is_left_out_from_then_on() -> None:
    async def behaviour(exchange: Exchange) -> None:
        sent: dict[str, Any] = json.loads(exchange.request.body)
        answer: Behaviour = GOOD
        if "temperature" in sent:
            error = {"type": "invalid_request_error", "message": "temperature is deprecated"}
            answer = respond(400, {"type": "error", "error": error})
        await answer(exchange)

    async with served(ANTHROPIC, behaviour) as (server, provider):
        assert (await provider.chat(CHAT)).text == "ok"
        assert (await provider.chat(CHAT)).text == "ok"
        assert len(server.received) == 3


async def test_a_refusal_for_another_reason_is_final() -> None:
    error = {"type": "invalid_request_error", "message": "max_tokens: too many"}
    async with served(ANTHROPIC, respond(400, {"error": error})) as (server, provider):
        with pytest.raises(RequestRejectedError, match="too many"):
            await provider.chat(CHAT)
        assert len(server.received) == 1


async def test_overloaded_is_busy() -> None:
    error = {"type": "overloaded_error", "message": "Overloaded"}
    async with served(ANTHROPIC, respond(529, {"type": "error", "error": error})) as (_, provider):
        with pytest.raises(ProviderBusyError):
            await provider.chat(CHAT)


async def test_json_where_a_stream_should_be_is_an_error() -> None:
    async with served(ANTHROPIC, respond(200, {"error": {"message": "boom"}})) as (_, provider):
        with pytest.raises(ProviderError, match="boom"):
            await provider.chat(CHAT)
    async with served(ANTHROPIC, respond(200, {"odd": 1})) as (_, provider):
        with pytest.raises(ProviderError, match="empty"):
            await provider.chat(CHAT)
    async with served(ANTHROPIC, stream([b"data: 7\n\n"], KIND)) as (_, provider):
        with pytest.raises(ProviderError, match="no object"):
            await provider.chat(CHAT)


async def test_without_a_name_the_first_model_that_is_listed_is_asked() -> None:
    routes = {"/v1/models": {"data": [{"id": "first", "max_input_tokens": 9}, {"id": "second"}]}}
    async with served(ANTHROPIC, GOOD, routes) as (server, provider):
        await provider.chat(CHAT.model_copy(update={"model": None}))
        assert json.loads(server.received[0].body)["model"] == "first"
        assert [one.context_tokens for one in await provider.models()] == [9, None]
    async with served(ANTHROPIC, GOOD, {"/v1/models": {"data": []}}) as (_, provider):
        with pytest.raises(ModelNotFoundError):
            await provider.chat(CHAT.model_copy(update={"model": None}))
        assert not (await provider.health()).ok


async def test_a_chosen_model_that_is_gone_is_chosen_anew() -> None:
    gone = respond(404, {"error": {"type": "not_found_error", "message": "model: old"}})
    behaviours = iter([gone, GOOD])

    async def behaviour(exchange: Exchange) -> None:
        await next(behaviours)(exchange)

    routes: dict[str, object] = {"/v1/models": {"data": [{"id": "old"}]}}
    async with served(ANTHROPIC, behaviour, routes) as (server, provider):
        nameless = CHAT.model_copy(update={"model": None})
        with pytest.raises(ModelNotFoundError):
            await provider.chat(nameless)
        routes["/v1/models"] = {"data": [{"id": "new"}]}
        await provider.chat(nameless)
        assert json.loads(server.received[1].body)["model"] == "new"


@pytest.mark.parametrize(
    ("name", "setting"),
    [("anthropic", "cloud.anthropic.api_key"), ("proxy", "endpoints.custom.proxy.api_key_env")],
)
async def test_a_wrong_key_names_its_setting(name: str, setting: str) -> None:
    async with served(ANTHROPIC, respond(401, {"error": "no"})) as (server, _):
        provider = AnthropicProvider(name=name, base_url=f"{server.base_url}/v1", api_key="k")
        assert provider.base_url == server.base_url
        with pytest.raises(ProviderError, match=setting.replace(".", r"\.")):
            await provider.chat(CHAT)
        await provider.aclose()
