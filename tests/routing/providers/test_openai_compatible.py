"""How servers of OpenAI's API differ, and that it does not show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from coai_routing.errors import (
    BadReplyError,
    ModelNotFoundError,
    OutOfMemoryError,
    RequestRejectedError,
)
from coai_routing.privacy.egress import Egress
from coai_routing.providers.description import describe_openai_compatible
from coai_routing.providers.sdk import client_options
from coai_routing.request import Message, ModelRequest
from tests.routing.providers.dialects import OPENAI_COMPATIBLE, served
from tests.support import faulty_server
from tests.support.faulty_server import respond, stream

if TYPE_CHECKING:
    from tests.support.faulty_server import Behaviour, Exchange

PROMPT = ModelRequest(prompt="x = ", model="m", max_tokens=4, timeout=60.0)
CHAT = ModelRequest(messages=(Message(role="user", content="hi"),), model="m", timeout=60.0)
KIND = OPENAI_COMPATIBLE.content_type
GOOD = stream([OPENAI_COMPATIBLE.piece("ok"), *OPENAI_COMPATIBLE.last], KIND)


def sse(*events: object) -> list[bytes]:
    return [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]


def refusing(unknown: str, message: str) -> Behaviour:
    """Answer requests without an option, and refuse to know the option."""

    async def behaviour(exchange: Exchange) -> None:
        sent: dict[str, Any] = json.loads(exchange.request.body)
        answer = GOOD
        if unknown in sent:
            answer = respond(400, {"error": {"message": message, "type": "invalid_request_error"}})
        await answer(exchange)

    return behaviour


async def test_what_is_sent_is_openais_api() -> None:
    async with served(OPENAI_COMPATIBLE, GOOD) as (server, provider):
        request = PROMPT.model_copy(update={"suffix": "after", "stop": ("\n",), "max_tokens": 0})
        assert (await provider.complete(request)).text == ""
        await provider.chat(CHAT.model_copy(update={"json_schema": {"type": "object"}}))
        completion, chat = server.received
        assert (completion.path, chat.path) == ("/v1/completions", "/v1/chat/completions")
        assert json.loads(completion.body) == {
            "model": "m",
            "prompt": "x = ",
            "suffix": "after",
            "stop": ["\n"],
            "max_tokens": 1,  # servers differ in what 0 means
            "temperature": 0.0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        sent = json.loads(chat.body)
        assert sent["messages"] == [{"role": "user", "content": "hi"}]
        assert sent["response_format"]["json_schema"]["schema"] == {"type": "object"}


async def test_a_server_that_cannot_count_is_asked_again_without() -> None:
    behaviour = refusing("stream_options", "Unrecognized request argument: stream_options")
    async with served(OPENAI_COMPATIBLE, behaviour) as (server, provider):
        assert (await provider.complete(PROMPT)).text == "ok"
        assert len(server.received) == 2
        assert (await provider.complete(PROMPT)).text == "ok"
        assert len(server.received) == 3, "what was refused once is not tried again"


async def test_openais_newer_models_want_another_name_of_the_limit() -> None:
    message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    async with served(OPENAI_COMPATIBLE, refusing("max_tokens", message)) as (server, provider):
        assert (await provider.chat(CHAT)).text == "ok"
        assert json.loads(server.received[1].body)["max_completion_tokens"] == CHAT.max_tokens


async def test_a_model_that_reasons_is_left_its_own_temperature() -> None:
    message = "Unsupported value: 'temperature' does not support 0 with this model."
    async with served(OPENAI_COMPATIBLE, refusing("temperature", message)) as (server, provider):
        assert (await provider.chat(CHAT)).text == "ok"
        assert (await provider.chat(CHAT)).text == "ok"
        assert len(server.received) == 3, "what was refused once is not tried again"


async def test_other_refusals_are_not_repeated() -> None:
    refusal = respond(400, {"error": {"message": "the prompt has no words"}})
    async with served(OPENAI_COMPATIBLE, refusal) as (server, provider):
        with pytest.raises(RequestRejectedError, match="no words"):
            await provider.complete(PROMPT)
        assert len(server.received) == 1


async def test_no_more_stop_words_are_sent_than_openai_takes() -> None:
    words = ("<a>", "<b>", "<c>", "<d>", "<e>", "\n")
    # The server knows nothing of the word that it was not told.
    frames = [OPENAI_COMPATIBLE.piece(piece) for piece in ("ok<", "d", ">more", "never")]
    behaviour = stream([*frames, *OPENAI_COMPATIBLE.last], KIND)
    async with served(OPENAI_COMPATIBLE, behaviour) as (server, provider):
        reply = await provider.complete(PROMPT.model_copy(update={"stop": words}))
        assert json.loads(server.received[0].body)["stop"] == ["<a>", "<b>", "<c>", "\n"]
        assert (reply.text, reply.finish) == ("ok", "stop")


async def test_a_server_that_takes_fewer_stop_words_gets_fewer() -> None:
    async def at_most_one(exchange: Exchange) -> None:
        stop = json.loads(exchange.request.body).get("stop", [])
        refusal = respond(400, {"error": {"message": "Invalid 'stop': array too long."}})
        await (refusal if len(stop) > 1 else GOOD)(exchange)

    async with served(OPENAI_COMPATIBLE, at_most_one) as (server, provider):
        asked = PROMPT.model_copy(update={"stop": ("<a>", "<b>", "<c>", "\n")})
        assert (await provider.complete(asked)).text == "ok"
        assert (await provider.complete(asked)).text == "ok"
        sent = [json.loads(request.body)["stop"] for request in server.received]
        assert [len(stop) for stop in sent] == [4, 2, 1, 1]
        assert sent[-1] == ["\n"]


async def test_a_refusal_of_what_was_not_sent_ends() -> None:
    refusal = respond(400, {"error": {"message": "stream_options max_completion_tokens"}})
    async with served(OPENAI_COMPATIBLE, refusal) as (server, provider):
        with pytest.raises(RequestRejectedError):
            await provider.chat(CHAT)
        assert len(server.received) <= 3


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        # LM Studio answers what it does not know with a good status.
        ({"error": "Unexpected endpoint or method."}, Exception, "Unexpected endpoint"),
        ({"error": {"message": "insufficient system resources"}}, OutOfMemoryError, "smaller"),
        ({"odd": 1}, BadReplyError, "empty"),
        ([], BadReplyError, "no object"),
    ],
)
async def test_json_instead_of_a_stream(reply: object, error: type[Exception], words: str) -> None:
    async with served(OPENAI_COMPATIBLE, respond(200, reply)) as (_, provider):
        with pytest.raises(error, match=words):
            await provider.complete(PROMPT)


@pytest.mark.parametrize(
    ("finish_reason", "finish"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "unknown")],
)
async def test_how_a_reply_ended(finish_reason: str, finish: str) -> None:
    events = sse(
        {"choices": [{"delta": {"role": "assistant", "content": None}}]},
        {"choices": [{"delta": {"reasoning_content": "hm"}}]},
        {"choices": [{"delta": {"content": "ok"}}]},
        {"choices": [{"delta": {"content": ""}, "finish_reason": finish_reason}]},
        {"choices": [], "usage": None},
    )
    # No model name, no count, no [DONE].
    async with served(OPENAI_COMPATIBLE, stream(events, KIND)) as (_, provider):
        reply = await provider.chat(CHAT)
        assert (reply.text, reply.finish, reply.model) == ("ok", finish, "m")
        assert reply.usage.prompt_tokens == 0


async def test_tokens_are_counted_as_the_server_does() -> None:
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 5},
    }
    events = sse({"choices": [{"text": "ok", "finish_reason": "stop"}], "usage": usage})
    async with served(OPENAI_COMPATIBLE, stream(events, KIND)) as (_, provider):
        reply = await provider.complete(PROMPT)
        assert reply.usage.evaluated_tokens == 4
        assert reply.usage.output_tokens == 2


async def test_a_connection_that_stays_open_after_the_end_delays_little() -> None:
    frames = [OPENAI_COMPATIBLE.piece("ok"), *OPENAI_COMPATIBLE.last]
    async with served(OPENAI_COMPATIBLE, stream(frames, KIND, ending="hang")) as (server, provider):
        assert (await provider.complete(PROMPT)).text == "ok"
        await server.closed.wait()


LOADED, UNLOADED = {"value": "loaded"}, {"value": "unloaded"}


@pytest.mark.parametrize(
    ("models", "chosen"),
    [
        ([{"id": "a"}, {"id": "b"}], "a"),
        ([{"id": "text-embedding-x"}, {"id": "b"}], "b"),
        ([{"id": "a", "status": UNLOADED}, {"id": "b", "status": LOADED}], "b"),
        ([{"id": "a", "max_model_len": 8192}], "a"),
    ],
)
async def test_a_model_is_chosen_where_none_is_named(
    models: list[dict[str, Any]], chosen: str
) -> None:
    routes = {"/v1/models": {"data": models}}
    async with served(OPENAI_COMPATIBLE, GOOD, routes) as (server, provider):
        for _ in range(2):
            await provider.complete(PROMPT.model_copy(update={"model": None}))
        assert {json.loads(request.body)["model"] for request in server.received} == {chosen}


async def test_a_chosen_model_that_is_gone_is_chosen_anew() -> None:
    gone = respond(404, {"error": {"message": "model not found", "code": "model_not_found"}})
    behaviours = iter([gone, GOOD])

    async def behaviour(exchange: Exchange) -> None:
        await next(behaviours)(exchange)

    routes: dict[str, object] = {"/v1/models": {"data": [{"id": "old"}]}}
    async with served(OPENAI_COMPATIBLE, behaviour, routes) as (server, provider):
        nameless = PROMPT.model_copy(update={"model": None})
        with pytest.raises(ModelNotFoundError):
            await provider.complete(nameless)
        routes["/v1/models"] = {"data": [{"id": "new"}]}
        await provider.complete(nameless)
        assert json.loads(server.received[1].body)["model"] == "new"


async def test_the_model_it_was_set_up_with_is_used() -> None:
    async with (
        faulty_server.FaultyServer(GOOD) as server,
        OPENAI_COMPATIBLE.connect(server.base_url, model="mine") as provider,
    ):
        await provider.complete(PROMPT.model_copy(update={"model": None}))
        assert json.loads(server.received[0].body)["model"] == "mine"


@pytest.mark.parametrize(
    ("url", "egress", "trusts_environment", "checks_certificates"),
    [
        ("http://127.0.0.1:9/v1", Egress(), False, False),
        ("https://127.0.0.1:9/v1", Egress(), False, True),
        ("https://api.example.com/v1", Egress(allow=True), True, True),
        ("http://api.example.com/v1", Egress(allow=True), True, True),
        (
            "https://gpu.example.org/v1",
            Egress(allow=True, trusted_hosts=frozenset({"gpu.example.org"})),
            False,
            True,
        ),
    ],
)
def test_how_an_sdk_is_held(
    url: str, egress: Egress, *, trusts_environment: bool, checks_certificates: bool
) -> None:
    options = client_options(describe_openai_compatible("mine", url), egress, has_key=True)
    assert options["follow_redirects"] is False
    assert options["trust_env"] is trusts_environment
    assert (options["verify"] is True) is checks_certificates


async def test_an_sdk_cannot_go_elsewhere() -> None:
    backend = describe_openai_compatible("mine", "http://127.0.0.1:9/v1")
    check = client_options(backend, Egress(), has_key=True)["event_hooks"]["request"][0]

    class Request:
        headers: dict[str, str] = {}  # noqa: RUF012 - nobody changes it

        def __init__(self, url: str) -> None:
            self.url = url

    await check(Request("http://127.0.0.1:9/v1/models"))
    for url in ("http://127.0.0.1:10/v1/models", "https://127.0.0.1:9/v1", "http://evil.example/"):
        with pytest.raises(Exception, match="about to go elsewhere"):
            await check(Request(url))
