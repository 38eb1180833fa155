"""The OpenAI-compatible routes, asked by the official client, in front of a real model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import openai
import pytest

from tests.server.http.support import Door, error_of, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx


@pytest.fixture(scope="module")
def client(door: Door) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{door.url}/v1", api_key=door.token()) as client:
        yield client


HELLO = [{"role": "user", "content": "Say hello."}]


def test_a_chat_is_answered_and_headers_say_by_whom_and_why(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="auto",
        messages=[
            {"role": "developer", "content": "Be short."},
            {"role": "user", "content": [{"type": "text", "text": "Say hello."}]},
        ],
        max_tokens=6,
    )
    answer = raw.parse()
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert (answer.usage.completion_tokens, answer.model) == (6, "local.server")
    said = raw.headers
    assert said["x-coai-model"] == "local.server"
    assert (said["x-coai-endpoint"], said["x-coai-local"]) == ("llama_server", "true")
    assert (said["x-coai-source"], said["x-coai-sensitive"]) == ("model", "no")
    assert said["x-coai-why"].startswith("It is on this machine")
    assert "nothing may leave it" in said["x-coai-not-asked"]


def test_a_chat_streams_as_events_with_its_usage(client: openai.OpenAI) -> None:
    with client.chat.completions.with_streaming_response.create(
        model="auto",
        messages=[{"role": "user", "content": "Count."}],
        max_tokens=12,
        stream=True,
        stream_options={"include_usage": True},
    ) as raw:
        assert raw.headers["content-type"].startswith("text/event-stream")
        assert raw.headers["x-coai-model"] == "local.server"
        chunks = list(raw.parse())
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "length"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 12
    assert len(chunks) > 5, "it came in pieces"


def test_a_hole_is_filled_and_the_suffix_is_read(client: openai.OpenAI) -> None:
    alone = client.completions.create(model="auto", prompt="def f(", max_tokens=8)
    filled = client.completions.create(
        model="local.server", prompt="def f(", suffix="):\n    pass\n", max_tokens=8
    )
    assert filled.choices[0].text
    assert alone.usage is not None
    assert filled.usage is not None
    # What stands after the hole was in the prompt, with the marks of the middle.
    assert filled.usage.prompt_tokens > alone.usage.prompt_tokens + 8
    streamed = list(
        client.completions.create(
            model="auto", prompt="def f(", suffix="):\n    pass\n", max_tokens=8, stream=True
        )
    )
    assert "".join(each.choices[0].text for each in streamed) == filled.choices[0].text


def test_models_are_the_registrys(client: openai.OpenAI) -> None:
    names = [each.id for each in client.models.list()]
    assert names[0] == "auto"
    assert {"local.code", "local.server", "cloud.strong"} <= set(names)


TOKEN: Final = "".join(("gh", "p_", "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY1zA2"))
"""Of the form of a secret, put together here so that this file has none."""


def test_what_is_sensitive_in_a_request_is_found_and_stays_here(own: httpx.Client) -> None:
    said = [{"role": "user", "content": f"What is wrong with token = '{TOKEN}'?"}]
    here = own.post("/v1/chat/completions", json={"messages": said, "max_tokens": 2})
    assert here.headers["x-coai-local"] == "true"
    assert here.headers["x-coai-sensitive"] != "no"
    assert TOKEN not in str(here.headers)
    away = own.post("/v1/chat/completions", json={"messages": said, "model": "cloud.fast"})
    assert (away.status_code, error_of(away)["type"]) == (409, "stays_here")
    assert TOKEN not in away.text


def test_what_the_client_calls_sensitive_stays_here(own: httpx.Client) -> None:
    asked = {"model": "cloud.fast", "messages": HELLO}
    refused = own.post("/v1/chat/completions", json=asked, headers={"x-coai-sensitive": "true"})
    assert (refused.status_code, refused.headers["x-should-retry"]) == (409, "false")
    assert error_of(refused)["remedy"]


REFUSED: Final[list[tuple[str, dict[str, Any], int, str]]] = [
    ("chat/completions", {"model": "gpt-9", "messages": HELLO}, 404, "model_not_found"),
    ("chat/completions", {"messages": []}, 422, "invalid_request"),
    ("chat/completions", {"messages": HELLO, "n": 2}, 422, "invalid_request"),
    ("chat/completions", {"messages": HELLO, "tools": [{}]}, 422, "invalid_request"),
    ("chat/completions", {"messages": HELLO, "model": "cloud.fast"}, 409, "no_model"),
    ("completions", {"prompt": "x", "max_tokens": 0}, 422, "invalid_request"),
    ("completions", {"prompt": ["x"]}, 422, "invalid_request"),
    ("completions", {"prompt": "x" * 300_000}, 409, "no_model"),
    ("completions", {"prompt": "x", "model": "cloud.strong"}, 409, "no_model"),
]


@pytest.mark.parametrize(("path", "asked", "status", "kind"), REFUSED)
def test_what_cannot_be_answered_says_why(
    own: httpx.Client, path: str, asked: dict[str, Any], status: int, kind: str
) -> None:
    response = own.post(f"/v1/{path}", json=asked)
    assert (response.status_code, error_of(response)["type"]) == (status, kind), response.text


def test_the_official_client_sees_typed_errors_and_does_not_try_again(door: Door) -> None:
    with openai.OpenAI(base_url=f"{door.url}/v1", api_key="coai_wrong") as stranger:
        with pytest.raises(openai.AuthenticationError) as refused:
            stranger.models.list()
        assert refused.value.code == "wrong_token"


def test_without_any_model_it_says_so(tmp_path: Path) -> None:
    with running(tmp_path, None) as door, door.client() as client:
        for path, asked in (
            ("chat/completions", {"messages": HELLO}),
            ("chat/completions", {"messages": HELLO, "stream": True}),
            ("completions", {"prompt": "def f("}),
        ):
            response = client.post(f"/v1/{path}", json=asked)
            assert response.status_code == 409
            problem = error_of(response)
            assert (problem["type"], bool(problem["remedy"])) == ("no_model", True)
