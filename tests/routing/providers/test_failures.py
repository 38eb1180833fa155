"""Each way in which a backend fails is one typed error that says what to do, whoever it is."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest

from coai_routing.errors import (
    AuthenticationError,
    BadReplyError,
    ModelNotFoundError,
    NoCreditError,
    OutOfMemoryError,
    PromptTooLongError,
    ProviderBusyError,
    ProviderError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    ReplyCutOffError,
    RequestRejectedError,
)
from coai_routing.privacy.egress import Egress
from coai_routing.providers import anthropic, llama_server, ollama, openai_compatible
from coai_routing.request import Message, ModelRequest
from tests.routing.providers.dialects import ALL, OLLAMA, Dialect, ask, sent, served
from tests.support import faulty_server
from tests.support.faulty_server import refused_url, respond, stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.faulty_server import Behaviour

PROMPT = ModelRequest(prompt="x = ", model="m", max_tokens=8, timeout=30.0)
CHAT = ModelRequest(messages=(Message(role="user", content="hi"),), model="m", timeout=30.0)
HTML = {"Content-Type": "text/html; charset=utf-8"}
PAGE = respond(200, b"<html>Please log in</html>", HTML)
NOT_FOUND = respond(404, b"<html>Not found</html>", HTML)
BROKEN = respond(500, b"<html>Oops</html>", HTML)


@pytest.fixture(params=ALL, ids=str)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return request.param


@dataclass(frozen=True)
class Fault:
    """A behaviour of a server and what must come of it."""

    name: str
    behaviour: Callable[[Dialect], Behaviour]
    error: type[ProviderError]
    remedy: str
    """What the message or the remedy must contain."""


def always(behaviour: Behaviour) -> Callable[[Dialect], Behaviour]:
    return lambda _: behaviour


def says(
    status: int, message: str, headers: dict[str, str] | None = None
) -> Callable[..., Behaviour]:
    """Answer with an error in each server's own form."""

    def answer(dialect: Dialect) -> Behaviour:
        error: object = message if dialect is OLLAMA else {"message": message, "code": status}
        return respond(status, {"error": error}, headers)

    return answer


PLAIN_TEXT = respond(200, b"hi", {"Content-Type": "text/plain"})
ELSEWHERE = respond(302, b"", {"Location": "https://evil.example/v1"})
NO_ROOM = "the request exceeds the available context size"
NO_MEMORY = "model requires more system memory (9.0 GiB) than is available (2.0 GiB)"


def frames(*pieces: bytes) -> Callable[[Dialect], Behaviour]:
    return lambda dialect: stream(pieces, dialect.content_type)


def in_stream(*words: str, begun: bool = False) -> Callable[[Dialect], Behaviour]:
    """Send an error object within a stream, after some text if it has begun."""

    def answer(dialect: Dialect) -> Behaviour:
        begin = [dialect.piece("a")] if begun else []
        return stream([*begin, *map(dialect.error, words)], dialect.content_type)

    return answer


FAULTS = [
    Fault("reset", always(faulty_server.reset), ProviderUnavailableError, "its log"),
    Fault("hang up", always(faulty_server.hang_up), ProviderUnavailableError, "its log"),
    Fault("web page", always(PAGE), BadReplyError, "log in"),
    Fault("web page in its place", always(NOT_FOUND), BadReplyError, "log in"),
    Fault("broken gateway", always(BROKEN), ProviderError, "status 500"),
    Fault("other type", always(PLAIN_TEXT), BadReplyError, "text/plain"),
    Fault("no HTTP", always(faulty_server.raw(b"SSH-2.0-x\r\n\r\n")), BadReplyError, "url"),
    Fault("wrong key", says(401, "Invalid API Key"), AuthenticationError, ".api_key"),
    Fault("forbidden", says(403, "no"), AuthenticationError, ".api_key"),
    Fault("no model", says(404, "model 'm' not found"), ModelNotFoundError, "'m'"),
    Fault("no such path", says(404, "File Not Found"), BadReplyError, "no such path"),
    Fault("too large", says(413, "too big"), PromptTooLongError, "too long"),
    Fault("too long", says(400, NO_ROOM), PromptTooLongError, "too long"),
    Fault("bad request", says(400, "no such option"), RequestRejectedError, "no such option"),
    Fault("rate limit", says(429, "wait", {"Retry-After": "7"}), ProviderBusyError, "in 7 s"),
    Fault("no credit", says(402, "pay"), NoCreditError, "Add credit"),
    Fault("loading", says(503, "Loading model"), ProviderBusyError, "in a moment"),
    Fault("CUDA", says(500, "CUDA error: out of memory"), OutOfMemoryError, "smaller"),
    Fault("allocation", says(500, "failed to allocate buffers"), OutOfMemoryError, "smaller"),
    Fault("memory", says(500, NO_MEMORY), OutOfMemoryError, "smaller"),
    Fault("gateway", says(502, "bad gateway"), ProviderUnavailableError, "behind"),
    Fault("gateway timeout", says(504, "too slow"), ProviderTimeoutError, "gave up"),
    Fault("anything else", says(500, "boom"), ProviderError, "boom"),
    Fault("redirect", always(ELSEWHERE), BadReplyError, "evil.example"),
    Fault("empty", frames(), BadReplyError, "empty"),
    Fault("no JSON", frames(b"data: {nonsense\n\n"), BadReplyError, "not the JSON"),
    Fault("error at once", in_stream("out of memory"), OutOfMemoryError, "smaller"),
    Fault("error in mid-stream", in_stream("CUDA error", begun=True), ProviderError, "CUDA error"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_fault_is_one_typed_error(dialect: Dialect, fault: Fault) -> None:
    async with served(dialect, fault.behaviour(dialect)) as (_, provider):
        for send, request in ((partial(ask, provider), PROMPT), (provider.chat, CHAT)):
            with pytest.raises(ProviderError) as caught:
                await send(request)
            assert type(caught.value) is fault.error, caught.value
            assert caught.value.provider == "mine"
            assert caught.value.remedy
            assert fault.remedy in str(caught.value)


async def test_nothing_listens(dialect: Dialect) -> None:
    async with dialect.connect(refused_url()) as provider:
        with pytest.raises(ProviderUnavailableError, match=r"endpoints\.custom\.mine\.url"):
            await ask(provider, PROMPT)


async def test_a_host_that_cannot_be_found(dialect: Dialect) -> None:
    async with dialect.connect(
        "http://nowhere.invalid:1234", egress=Egress(allow=True)
    ) as provider:
        with pytest.raises(ProviderUnavailableError, match="cannot be found"):
            await ask(provider, PROMPT)


async def test_a_plain_server_behind_a_secure_address(dialect: Dialect) -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        address = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with dialect.connect(address) as provider:
            with pytest.raises(ProviderUnavailableError, match="No secure connection"):
                await ask(provider, PROMPT)


async def test_retry_after_is_kept(dialect: Dialect) -> None:
    behaviour = says(429, "slow down", {"Retry-After": "7"})(dialect)
    async with served(dialect, behaviour) as (_, provider):
        with pytest.raises(ProviderBusyError) as caught:
            await ask(provider, PROMPT)
        assert caught.value.retry_after == 7.0


@pytest.mark.parametrize("ending", ["cut", "end"])
async def test_a_reply_cut_off_keeps_what_had_come(dialect: Dialect, ending: str) -> None:
    frames = [dialect.piece("ab"), dialect.piece("cd")]
    behaviour = stream(frames, dialect.content_type, ending=ending)
    async with served(dialect, behaviour) as (_, provider):
        with pytest.raises(ReplyCutOffError) as caught:
            await ask(provider, PROMPT)
        assert caught.value.partial == "abcd"


async def test_a_reply_cut_off_at_any_byte_is_never_taken_for_whole(dialect: Dialect) -> None:
    whole = b"".join([dialect.piece("ab"), dialect.piece("cd"), dialect.last[0]])
    lengths = range(0, len(whole) - 2, 7)
    beginnings = iter([whole[:length] for length in lengths])

    async def behaviour(exchange: faulty_server.Exchange) -> None:
        beginning = next(beginnings)
        pieces = [beginning] if beginning else []
        await stream(pieces, dialect.content_type, ending="cut")(exchange)

    async with served(dialect, behaviour) as (_, provider):
        for _ in lengths:
            with pytest.raises(ReplyCutOffError) as caught:
                await ask(provider, PROMPT)
            assert caught.value.partial in {"", "ab", "abcd"}


@pytest.mark.parametrize("chopped", [1, 7, 1000])
async def test_frames_may_come_in_pieces_of_any_size(dialect: Dialect, chopped: int) -> None:
    whole = b"".join([dialect.piece("aé"), dialect.piece("\U0001f600"), *dialect.last])
    pieces = [whole[at : at + chopped] for at in range(0, len(whole), chopped)]
    async with served(dialect, stream(pieces, dialect.content_type)) as (_, provider):
        reply = await ask(provider, PROMPT)
        assert reply.text == "aé\U0001f600"
        assert reply.finish == "stop"


@pytest.mark.parametrize("kind", ["silent", "drip", "hang"])
async def test_the_deadline_is_over_the_whole_call(dialect: Dialect, kind: str) -> None:
    drops = [dialect.piece("a")] * 10_000
    behaviour = {
        "silent": faulty_server.silent,
        "drip": stream(drops, dialect.content_type, every=0.02),
        "hang": stream(drops[:1], dialect.content_type, ending="hang"),
    }[kind]
    async with asyncio.timeout(20), served(dialect, behaviour) as (server, provider):
        with pytest.raises(ProviderTimeoutError, match=r"0\.3 s"):
            await ask(provider, PROMPT.model_copy(update={"timeout": 0.3}))
        if kind != "drip":
            await server.closed.wait()


async def rounds_until(event: asyncio.Event, most: int) -> int:
    """Return after how many rounds of the event loop an event is set, at most so many."""
    for rounds in range(most):
        if event.is_set():
            return rounds
        await asyncio.sleep(0)
    return most


@pytest.mark.parametrize("way", ["cancel", "aclose", "cancel before the reply"])
async def test_cancelling_closes_the_socket(dialect: Dialect, way: str) -> None:
    waiting = asyncio.Event()

    async def behaviour(exchange: faulty_server.Exchange) -> None:
        waiting.set()
        await answer(exchange)

    first = [dialect.piece("a")]
    answer = stream(first, dialect.content_type, ending="hang")
    if way == "cancel before the reply":
        answer = faulty_server.silent
    async with asyncio.timeout(30), served(dialect, behaviour) as (server, provider):
        if way == "aclose":
            async with aclosing(provider.stream(sent(provider, PROMPT))) as deltas:
                assert (await anext(deltas)).text == "a"
                server.closed.clear()
        else:
            task = asyncio.create_task(ask(provider, PROMPT))
            await waiting.wait()
            if way == "cancel":
                await asyncio.sleep(0.05)  # so that the first piece is there
            server.closed.clear()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        # The call is over and the client does nothing more; the server must learn of it now. The
        # two share an event loop, so its rounds are a measure that no busy machine can stretch.
        assert await rounds_until(server.closed, 100) < 100


async def test_after_a_failure_the_next_request_works(dialect: Dialect) -> None:
    good = stream([dialect.piece("ok"), *dialect.last], dialect.content_type)
    behaviours = iter([faulty_server.reset, good, says(500, "boom")(dialect), good])

    async def behaviour(exchange: faulty_server.Exchange) -> None:
        await next(behaviours)(exchange)

    async with served(dialect, behaviour) as (_, provider):
        outcomes: list[str] = []
        for _ in range(4):
            try:
                outcomes.append((await ask(provider, PROMPT)).text)
            except ProviderError as error:
                outcomes.append(type(error).__name__)
        assert outcomes == ["ProviderUnavailableError", "ok", "ProviderError", "ok"]


async def test_connections_are_used_again(dialect: Dialect) -> None:
    good = stream([dialect.piece("ok"), *dialect.last], dialect.content_type)
    async with served(dialect, good) as (server, provider):
        for _ in range(5):
            await ask(provider, PROMPT)
            await asyncio.sleep(0.01)
        # Ollama's client leaves the end of a reply unread, and asks about models on a second one.
        assert server.connections <= (7 if dialect is OLLAMA else 1)


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (faulty_server.reset, ProviderUnavailableError),
        (faulty_server.silent, ProviderTimeoutError),
        (PAGE, BadReplyError),
        (respond(200, b"{nonsense"), BadReplyError),
        (respond(503, {"error": {"message": "Loading model"}}), ProviderBusyError),
        (respond(401, {"error": "no key"}), AuthenticationError),
        (respond(307, b"", {"Location": "http://evil.example/"}), BadReplyError),
    ],
    ids=["reset", "silent", "web page", "no JSON", "loading", "no key", "redirect"],
)
async def test_listing_and_health_of_a_sick_server(
    dialect: Dialect,
    behaviour: Behaviour,
    error: type[ProviderError],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (anthropic, llama_server, ollama, openai_compatible):
        monkeypatch.setattr(module, "_LISTING_TIMEOUT", 0.3, raising=False)
        monkeypatch.setattr(module, "_HEALTH_TIMEOUT", 0.3, raising=False)
    async with served(dialect, behaviour, routes={}) as (_, provider):
        with pytest.raises(error):
            await provider.models()
        health = await provider.health()
        assert not health.ok
        assert health.detail
        assert health.remedy


async def test_a_listing_of_unknown_form_lists_nothing(dialect: Dialect) -> None:
    nameless: list[object] = [{"id": 5, "name": None}, {"id": "", "name": ""}, "x", {}, 7]
    odd = {"data": nameless, "models": nameless}
    routes: dict[str, object] = {"/v1/models": odd, "/api/tags": odd, "/api/ps": {"models": 3}}
    async with served(dialect, faulty_server.hang_up, routes=routes) as (_, provider):
        assert await provider.models() == ()
        with pytest.raises(ProviderError):  # with no model to name, or none that answers
            await ask(provider, PROMPT.model_copy(update={"model": None}))
        assert not (await provider.health()).ok
