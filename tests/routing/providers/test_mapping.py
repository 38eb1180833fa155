"""How failures are told apart, and what events look like on the way: tables without a server."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
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
from coai_routing.providers.description import (
    describe_llama_server,
    describe_ollama,
    describe_openai_compatible,
)
from coai_routing.providers.replies import failures
from coai_routing.providers.replies.sse import Event, EventDecoder, OverlongEventError

if TYPE_CHECKING:
    from coai_routing.providers.description import BackendDescription

BACKEND = describe_openai_compatible("mine", "http://user:secret@127.0.0.1:9/v1")

TOO_LONG = {"error": {"message": "no", "code": "context_length_exceeded"}}
NO_QUOTA = {
    "error": {
        "message": "You exceeded your current quota, please check your plan and billing details.",
        "type": "insufficient_quota",
        "code": "insufficient_quota",
    }
}
NO_CREDIT = {
    "type": "error",
    "error": {
        "type": "invalid_request_error",
        "message": "Your credit balance is too low to access the Anthropic API.",
    },
}
MISSING = {"type": "error", "error": {"type": "not_found_error", "message": "model: m"}}
FASTAPI = {"detail": [{"msg": "field required", "input": "my code"}, "odd"]}


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        # OpenAI and llama.cpp
        (400, {"error": {"message": "bad", "type": "x"}}, RequestRejectedError, "bad"),
        (400, TOO_LONG, PromptTooLongError, "too long"),
        (404, {"error": {"message": "no", "code": "model_not_found"}}, ModelNotFoundError, "'m'"),
        (429, NO_QUOTA, NoCreditError, "quota"),
        # Anthropic
        (404, MISSING, ModelNotFoundError, "'m'"),
        (400, NO_CREDIT, NoCreditError, "credit balance"),
        (402, {"type": "error", "error": {"type": "billing_error"}}, NoCreditError, "paid"),
        (404, {"error": {"type": "not_found_error", "message": "no"}}, BadReplyError, "no such"),
        # vLLM
        (404, {"message": "The model `m` does not exist."}, ModelNotFoundError, "exist"),
        (400, {"message": "maximum context length is 9"}, PromptTooLongError, "too long"),
        # LM Studio
        (400, {"error": "No models loaded. Please load a model."}, ModelNotFoundError, "loaded"),
        (400, {"error": "Failed to load model: insufficient memory"}, OutOfMemoryError, "load"),
        # FastAPI repeats the request beside what is wrong with it.
        (422, FASTAPI, RequestRejectedError, "field required"),
        (500, {"detail": "boom"}, ProviderError, "boom"),
        # Anything
        (503, {}, ProviderBusyError, "no reason given"),
        (529, {"error": "Overloaded"}, ProviderBusyError, "Overloaded"),
        (408, {}, ProviderTimeoutError, "gave up"),
        (404, [], BadReplyError, "no such path"),
        (500, b"plain words", ProviderError, "plain words"),
        (500, b"\xff\xfe\x00", ProviderError, ""),
        (500, {"error": "CUDA error: out of memory"}, OutOfMemoryError, "CUDA"),
        (204, b"", BadReplyError, "204"),
        (101, b"", BadReplyError, "101"),
    ],
)
def test_a_status_and_its_words(
    status: int, body: object, error: type[ProviderError], words: str
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = failures.from_status(
        BACKEND, status, {"content-type": "application/json"}, content, model="m"
    )
    assert type(found) is error, found
    assert words in str(found)
    assert found.remedy
    assert "my code" not in str(found)


@pytest.mark.parametrize(
    ("body", "tokens", "window"),
    [
        # llama.cpp, today and before
        (
            {"error": {"message": "no", "type": "exceed_context_size_error", "n_ctx": 4096}},
            None,
            4096,
        ),
        (
            {"error": {"message": "exceeds the context size", "n_prompt_tokens": 9, "n_ctx": 8}},
            9,
            8,
        ),
        ("request (12345 tokens) exceeds the available context size (4096 tokens)", 12345, 4096),
        # OpenAI, and vLLM after it
        (
            (
                "This model's maximum context length is 4,097 tokens. However, you requested 5,000 "
                "tokens (4,900 in the messages, 100 in the completion)."
            ),
            4900,
            4097,
        ),
        # Anthropic
        ("prompt is too long: 210000 tokens > 200000 maximum", 210000, 200000),
        # LM Studio
        (
            (
                "Trying to keep the first 5000 tokens when context the overflows. However, the "
                "model is loaded with context length of only 4096 tokens, which is not enough."
            ),
            5000,
            4096,
        ),
        # Text Generation Inference
        (
            (
                "`inputs` tokens + `max_new_tokens` must be <= 2048. Given: 2100 `inputs` tokens "
                "and 100 `max_new_tokens`"
            ),
            2100,
            2048,
        ),
        # Mistral
        (
            "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
            40000,
            32768,
        ),
        # Ollama says no numbers.
        ("the input length exceeds the context length", None, None),
    ],
)
def test_how_much_too_long_a_prompt_is(
    body: str | dict[str, object], tokens: int | None, window: int | None
) -> None:
    content = {"error": {"message": body}} if isinstance(body, str) else body
    found = failures.from_status(
        BACKEND, 400, {"content-type": "application/json"}, json.dumps(content).encode()
    )
    assert isinstance(found, PromptTooLongError)
    assert (found.tokens, found.window) == (tokens, window)


def test_words_are_short_and_safe_to_show() -> None:
    body = json.dumps({"error": "\x1b[31m" + "red \r\n" * 1000}).encode()
    found = failures.from_status(BACKEND, 500, {}, body)
    assert len(found.message) < 400
    assert found.message.isprintable()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("out of memory", OutOfMemoryError),
        ({"code": 400, "message": "the request exceeds the context size"}, PromptTooLongError),
        ({"type": "invalid_request_error", "message": "no"}, RequestRejectedError),
        ({"type": "overloaded_error", "message": "wait"}, ProviderBusyError),
        ({"type": "rate_limit_error", "message": "wait"}, ProviderBusyError),
        ({"type": "authentication_error", "message": "no"}, AuthenticationError),
        ({"code": "503", "message": "Loading model"}, ProviderBusyError),
        ({"message": "Loading model"}, ProviderBusyError),
        ({"message": "x", "type": "server_error"}, ProviderError),
        (None, ProviderError),
        (["odd"], ProviderError),
    ],
)
def test_an_error_object_in_a_stream(error: object, kind: type[ProviderError]) -> None:
    assert type(failures.from_error_object(BACKEND, error)) is kind


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        (None, None, None),
        ("7", 7.0, 7.0),
        ("0.5", 0.5, 0.5),
        (format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True), 3600.0, 7200.0),
        (format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True), 0.0, 0.0),
        ("Wed, 01 Jan 2020 00:00:00 -0000", 0.0, 0.0),
        ("soon", None, None),
        ("-5", None, None),
    ],
    # Dates are others in each process that collects the tests.
    ids=["none", "seconds", "parts", "to come", "past", "long past", "no date", "negative"],
)
def test_retry_after_in_seconds_or_as_a_date(
    header: str | None, low: float | None, high: float | None
) -> None:
    headers = {} if header is None else {"retry-after": header}
    found = failures.from_status(BACKEND, 429, headers, b"{}")
    assert isinstance(found, ProviderBusyError)
    if low is None or high is None:
        assert found.retry_after is None
    else:
        assert found.retry_after is not None
        assert low <= found.retry_after <= high


class ReadError(OSError):
    """Named as httpx names it."""


class RemoteProtocolError(OSError):
    """Named as httpx names it."""


class TransportError(Exception):
    """Named as httpx names it."""


class ProtocolError(TransportError):
    """Named as httpx names it."""


@pytest.mark.parametrize(
    ("error", "partial", "kind"),
    [
        (TimeoutError(), "", ProviderTimeoutError),
        (ConnectionRefusedError(), "", ProviderUnavailableError),
        (ReadError(), "", ProviderUnavailableError),
        (ReadError(), "abc", ReplyCutOffError),
        (ProtocolError("Server disconnected"), "", ProviderUnavailableError),
        (ProtocolError("illegal status line"), "", BadReplyError),
        (RemoteProtocolError("without sending complete message body"), "", ReplyCutOffError),
        (json.JSONDecodeError("x", "y", 0), "", BadReplyError),
        (OverlongEventError("an event is too long"), "", BadReplyError),
        (AttributeError("get"), "", BadReplyError),
    ],
)
def test_an_exception_of_a_client(
    error: Exception, partial: str, kind: type[ProviderError]
) -> None:
    found = failures.from_exception(BACKEND, error, seconds=3.0, partial=partial)
    assert type(found) is kind
    if isinstance(found, ReplyCutOffError):
        assert found.partial == partial


def test_our_own_error_comes_out_from_whatever_it_was_wrapped_in() -> None:
    ours = BACKEND.web_page()
    wrapped = ConnectionError("wrapped")
    wrapped.__cause__ = ours
    assert failures.from_exception(BACKEND, wrapped, seconds=1.0) is ours


def test_a_chain_of_causes_may_go_round() -> None:
    first, second = ValueError("1"), ValueError("2")
    first.__context__, second.__context__ = second, first
    assert isinstance(failures.from_exception(BACKEND, first, seconds=1.0), BadReplyError)


EVERY_BACKEND = [
    describe_llama_server("embedded", "http://127.0.0.1:9"),
    describe_llama_server("llama_server", "http://127.0.0.1:9"),
    describe_ollama("ollama", "http://127.0.0.1:9"),
    describe_openai_compatible("lmstudio", "http://127.0.0.1:9"),
    describe_openai_compatible("vllm", "http://127.0.0.1:9"),
    BACKEND,
]


@pytest.mark.parametrize("backend", EVERY_BACKEND, ids=lambda backend: backend.name)
def test_every_error_of_every_backend_says_what_to_do(backend: BackendDescription) -> None:
    errors = [
        backend.unreachable(),
        backend.not_found(),
        backend.insecure("x"),
        backend.closed(),
        backend.cut_off("x"),
        backend.gateway_alone("x"),
        backend.timed_out(1.0),
        backend.gave_up("x"),
        backend.busy("x", None),
        backend.unauthorized("x"),
        backend.model_missing("m"),
        backend.model_missing(None),
        backend.out_of_memory("x"),
        backend.too_long("x"),
        backend.rejected("x"),
        backend.malformed("x"),
        backend.web_page(),
        backend.redirect(""),
        backend.failed("x"),
        backend.somebody_else("Ollama", "ollama"),
    ]
    for error in errors:
        assert error.provider == backend.name
        assert error.message.endswith((".", "x"))
        assert error.remedy.endswith(".")
        assert "secret" not in str(error), "a key in the address must not show"
        assert "{" not in str(error)
        if backend.name == "embedded" and "Ollama" not in error.message:
            assert "endpoints." not in str(error), "the engine is no endpoint of the user's"


@pytest.mark.parametrize(
    ("url", "base_url"),
    [
        ("http://127.0.0.1:1234", "http://127.0.0.1:1234/v1"),
        ("http://127.0.0.1:1234/", "http://127.0.0.1:1234/v1"),
        ("http://127.0.0.1:1234/v1", "http://127.0.0.1:1234/v1"),
        ("https://example.org/api/openai", "https://example.org/api/openai"),
    ],
)
def test_openais_path_is_added_where_there_is_none(url: str, base_url: str) -> None:
    assert describe_openai_compatible("mine", url).base_url == base_url


# Server-sent events.

STREAM = (
    b'data: {"a": 1}\n\n: ping\n\nevent: x\ndata: 2\r\n\r\n'
    b"data:3\ndata: 4\nid: 5\n\ndata: [DONE]\n\n"
)
EVENTS = [b'{"a": 1}', b"2", b"3\n4", b"[DONE]"]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_events_are_found_however_they_are_chopped(size: int) -> None:
    decoder = EventDecoder()
    found: list[Event] = []
    for at in range(0, len(STREAM), size):
        found += decoder.feed(STREAM[at : at + size])
    assert [event.data for event in found] == EVENTS


def test_an_event_that_did_not_end_is_none() -> None:
    assert EventDecoder().feed(b"data: 1\ndata: 2") == []


def test_an_error_field_is_an_error_object() -> None:
    (event,) = EventDecoder().feed(b'error: {"code": 500, "message": "boom"}\n\n')
    assert event.kind == "error"
    assert json.loads(event.data) == {"code": 500, "message": "boom"}


def test_an_event_without_end_is_refused() -> None:
    with pytest.raises(OverlongEventError):
        EventDecoder().feed(b"data: " + b"x" * 5_000_000)
