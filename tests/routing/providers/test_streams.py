"""The forms that a streamed reply may have: each is read alike, whoever the server imitates."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from coai_routing.errors import ProviderError, ReplyCutOffError, RequestRejectedError
from coai_routing.providers.replies.refusals import LeftOut
from coai_routing.providers.replies.sse import JsonDecoder, OverlongEventError, ReplyDecoder
from coai_routing.providers.replies.streams import StopWords
from coai_routing.request import ModelRequest
from tests.routing.providers.dialects import (
    ALL,
    ANTHROPIC,
    LLAMA_SERVER,
    OLLAMA,
    OPENAI_COMPATIBLE,
    Dialect,
    ask,
    served,
)
from tests.support.faulty_server import respond, stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.faulty_server import Exchange

PROMPT = ModelRequest(prompt="x = ", model="m", max_tokens=8, timeout=30.0)
EVENTS = "text/event-stream"
LINES = "application/x-ndjson"
SAID = ("a\u2028", "é\U0001f600", "b")
"""A line end of Unicode's is none of a protocol's."""


@pytest.fixture(params=ALL, ids=str)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return request.param


def values(frames: list[bytes]) -> list[bytes]:
    """Return the JSON within frames of either form, and `[DONE]`."""
    lines = b"".join(frames).split(b"\n")
    return [line.removeprefix(b"data: ") for line in lines if line]


def unescaped(value: bytes) -> bytes:
    """Return JSON with its characters as they are."""
    if value == b"[DONE]":
        return value
    return json.dumps(json.loads(value), ensure_ascii=False).encode()


def good(dialect: Dialect) -> list[bytes]:
    return [*map(unescaped, values([dialect.piece(text) for text in SAID])), *ends(dialect)]


def ends(dialect: Dialect) -> list[bytes]:
    return values(list(dialect.last))


def sse(
    found: list[bytes], *, end: bytes = b"\n", before: bytes = b"", after: bytes = b""
) -> bytes:
    """Return server-sent events with `before` in front of each and `after` behind its data."""
    return b"".join(before + b"data: " + value + end + after + end for value in found)


def in_many_lines(value: bytes) -> list[bytes]:
    if value == b"[DONE]":
        return [value]
    return json.dumps(json.loads(value), indent=1).encode().split(b"\n")


Form = tuple[str, bytes]
"""A content type and a whole body."""

FORMS: dict[str, Callable[[list[bytes]], Form]] = {
    "events": lambda found: (EVENTS, sse(found)),
    "CRLF": lambda found: (EVENTS, sse(found, end=b"\r\n")),
    "CR": lambda found: (EVENTS, sse(found, end=b"\r")),
    "no blank after the colon": lambda found: (EVENTS, sse(found).replace(b"data: ", b"data:")),
    "byte order mark": lambda found: (EVENTS, b"\xef\xbb\xbf" + sse(found)),
    "comments": lambda found: (EVENTS, sse(found, before=b": WORKING\n\n:\n")),
    "ids and retries": lambda found: (EVENTS, sse(found, after=b"id: 7\nretry: 9\nodd\n")),
    "events without data": lambda found: (EVENTS, sse(found, before=b"event: ping\n\n")),
    "empty data": lambda found: (EVENTS, sse(found, before=b"data:\n\ndata\n\n")),
    "pings": lambda found: (EVENTS, sse(found, before=b"event: ping\ndata: {}\n\n")),
    "pings in words": lambda found: (EVENTS, sse(found, before=b"event: ping\ndata: now\n\n")),
    "empty objects": lambda found: (EVENTS, sse(found, before=b"data: {}\n\ndata: null\n\n")),
    "named events": lambda found: (EVENTS, sse(found, before=b"event: message\n")),
    "data in many lines": lambda found: (
        EVENTS,
        b"".join(
            b"".join(b"data: " + line + b"\n" for line in in_many_lines(value)) + b"\n"
            for value in found
        ),
    ),
    "no empty line at the end": lambda found: (EVENTS, sse(found).rstrip(b"\n")),
    "type in capitals": lambda found: ("Text/Event-Stream", sse(found)),
    "type with parameters": lambda found: ("text/event-stream ; charset=UTF-8", sse(found)),
    "events called JSON": lambda found: ("application/json", sse(found)),
    "lines": lambda found: (LINES, b"\n".join(found) + b"\n"),
    "lines that end in CRLF": lambda found: (LINES, b"\r\n".join(found)),
    "lines with empty ones between": lambda found: (LINES, b"\n\n".join(found) + b"\n\n"),
    "lines in capitals": lambda found: ("Application/X-NDJSON; charset=utf-8", b"\n".join(found)),
    "lines called events": lambda found: (EVENTS, b"\n".join(found)),
    "values of many lines": lambda found: (
        "application/jsonl",
        b"\n".join(b"\n".join(in_many_lines(value)) for value in found),
    ),
}


@pytest.mark.parametrize("size", [1, 100_000])
@pytest.mark.parametrize("form", FORMS, ids=str)
async def test_a_reply_is_read_whatever_its_form(dialect: Dialect, form: str, size: int) -> None:
    content_type, body = FORMS[form](good(dialect))
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    async with served(dialect, stream(pieces, content_type)) as (_, provider):
        reply = await ask(provider, PROMPT)
        assert reply.text == "".join(SAID)
        assert reply.finish == "stop"


async def test_a_compressed_reply_is_read(dialect: Dialect) -> None:
    body = gzip.compress(b"".join([dialect.piece("ok"), *dialect.last]))
    headers = {"Content-Type": dialect.content_type, "Content-Encoding": "gzip"}
    async with served(dialect, respond(200, body, headers)) as (_, provider):
        assert (await ask(provider, PROMPT)).text == "ok"


WHOLE: list[tuple[Dialect, dict[str, Any]]] = [
    (LLAMA_SERVER, {"content": "ok", "stop": True, "stop_type": "eos", "model": "m"}),
    (LLAMA_SERVER, {"content": "ok"}),
    (OPENAI_COMPATIBLE, {"model": "m", "choices": [{"text": "ok", "finish_reason": "stop"}]}),
    (OPENAI_COMPATIBLE, {"choices": [{"message": {"role": "assistant", "content": "ok"}}]}),
    (OLLAMA, {"model": "m", "response": "ok", "done": True, "done_reason": "stop"}),
    (OLLAMA, {"response": "ok"}),
    (ANTHROPIC, {"type": "message", "model": "m", "content": [{"type": "text", "text": "ok"}]}),
]


@pytest.mark.parametrize(("dialect", "whole"), WHOLE)
@pytest.mark.parametrize("indent", [None, 2])
async def test_a_whole_reply_where_a_stream_was_asked_for_is_taken(
    dialect: Dialect, whole: dict[str, Any], indent: int | None
) -> None:
    body = json.dumps(whole, indent=indent).encode()
    async with served(dialect, respond(200, body)) as (_, provider):
        assert (await ask(provider, PROMPT)).text == "ok"


@pytest.mark.parametrize("ending", [b"data: [DONE]\n\n", b"data: [done]\n\n", b'data: "[DONE]"'])
async def test_the_last_word_is_an_end_even_without_a_reason(
    dialect: Dialect, ending: bytes
) -> None:
    body = sse(values([dialect.piece("ok")])) + ending
    async with served(dialect, stream([body], EVENTS)) as (_, provider):
        reply = await ask(provider, PROMPT)
        assert (reply.text, reply.finish) == ("ok", "unknown")


@pytest.mark.parametrize("form", ["events", "lines"])
async def test_half_a_value_at_the_end_is_no_end(dialect: Dialect, form: str) -> None:
    content_type, body = FORMS[form](values([dialect.piece("ab"), dialect.piece("cd")]))
    async with served(dialect, stream([body[:-9]], content_type)) as (_, provider):
        with pytest.raises(ReplyCutOffError) as caught:
            await ask(provider, PROMPT)
        assert caught.value.partial in {"", "ab"}


FAILURES = {
    "an event": b'event: error\ndata: {"message": "boom"}\n\n',
    "an event of words": b"event: error\ndata: boom\n\n",
    "an event around an object": b'event: error\ndata: {"error": {"message": "boom"}}\n\n',
    "an object": b'data: {"error": {"message": "boom", "type": "server_error"}}\n\n',
    "words": b'data: {"error": "boom"}\n\n',
    "a flag": b'data: {"error": true, "message": "boom"}\n\n',
    "a message": b'data: {"error_message": "boom"}\n\n',
    "a detail": b'data: {"detail": "boom"}\n\n',
    "details": b'data: {"detail": [{"loc": ["body", "x"], "msg": "boom"}]}\n\n',
    "errors": b'data: {"errors": [{"message": "boom"}]}\n\n',
    "a named object": b'data: {"object": "error", "message": "boom", "code": 500}\n\n',
    "a list": b'data: [{"error": {"message": "boom", "status": "INTERNAL"}}]\n\n',
    "text of JSON": b'data: {"error": {"message": "{\\"detail\\": \\"boom\\"}"}}\n\n',
    "a line": b'{"error": "boom"}\n',
}


@pytest.mark.parametrize("failure", FAILURES, ids=str)
@pytest.mark.parametrize("begun", [False, True])
async def test_a_failure_within_a_reply_keeps_its_words(
    dialect: Dialect, failure: str, *, begun: bool
) -> None:
    said, told = values([dialect.piece("ok")]), FAILURES[failure]
    is_line = not told.startswith((b"event", b"data"))
    before = (b"\n".join(said) + b"\n" if is_line else sse(said)) if begun else b""
    async with served(dialect, stream([before + told], EVENTS)) as (_, provider):
        with pytest.raises(ProviderError, match="boom"):
            await ask(provider, PROMPT)


REFUSED = {
    LLAMA_SERVER.name: "cache_prompt",
    OLLAMA.name: "temperature",
    OPENAI_COMPATIBLE.name: "stream_options",
    ANTHROPIC.name: "temperature",
}
REFUSALS: dict[str, Callable[[str], dict[str, Any]]] = {
    "in words": lambda name: {"error": {"message": f"Unknown field: {name}"}},
    "in words alone": lambda name: {"error": f"unrecognized argument '{name}'"},
    "as the parameter": lambda name: {"error": {"message": "Not supported.", "param": name}},
    "by its place": lambda name: {
        "detail": [{"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs"}]
    },
    "by its place within a message": lambda name: {
        "object": "error",
        "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra"}]},
    },
    "by a path": lambda name: {"message": "invalid", "errors": [{"field": f"body.{name}"}]},
    "in camel case": lambda name: {"message": f"no such property {camel(name)}", "code": 400},
}


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
async def test_what_a_server_refuses_to_know_is_left_out(
    dialect: Dialect, refusal: str, status: int
) -> None:
    name = REFUSED[dialect.name]
    refuse = respond(status, REFUSALS[refusal](name))
    answer = stream([dialect.piece("ok"), *dialect.last], dialect.content_type)

    async def behave(exchange: Exchange) -> None:
        await (refuse if name.encode() in exchange.request.body else answer)(exchange)

    async with served(dialect, behave) as (server, provider):
        for _ in range(2):
            assert (await ask(provider, PROMPT)).text == "ok"
        assert len(server.received) == 3, "once refused, it is never sent again"


@pytest.mark.parametrize(
    ("pieces", "text", "met"),
    [
        (["ab"], "ab", False),
        (["a<e", "nd>b"], "a", True),
        (["a<e", "n", "x"], "a<enx", False),
        (["a<en"], "a<en", False),
        (["a\nb"], "a", True),
        (["<end", ">", "x"], "", True),
        (["<<end>"], "<", True),
    ],
)
def test_a_stop_word_is_found_however_it_is_cut(pieces: list[str], text: str, *, met: bool) -> None:
    words = StopWords(("<end>", "\n", ""))
    said = "".join(words.feed(piece) for piece in pieces) + words.finish()
    assert (said, words.met) == (text, met)


def test_json_without_end_is_refused() -> None:
    decoder = JsonDecoder()
    with pytest.raises(OverlongEventError):
        decoder.feed(b"{" + b" " * 5_000_000)


def test_nothing_is_no_event() -> None:
    decoder = ReplyDecoder()
    assert decoder.feed(b" \n") == []
    assert decoder.finish() == []
    assert not decoder.was_one_value


def test_a_refusal_that_another_request_brought_first_is_no_failure() -> None:
    left_out = LeftOut("stream_options")
    refusal = RequestRejectedError("Unknown field: stream_options", provider="stub")
    known = left_out.count
    assert left_out.learn(refusal, ["stream_options"], known=known)
    assert left_out.learn(refusal, ["stream_options"], known=known)
    assert not left_out.learn(refusal, ["stream_options"], known=left_out.count)
