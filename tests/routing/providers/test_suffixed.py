"""A model of unknown family that Ollama says can insert is asked by Ollama's own template."""

from __future__ import annotations

import json

import pytest

from coai_routing.backends import Backends
from coai_routing.catalog import load_catalog
from coai_routing.discovery import EndpointSettings, discover, provider_for
from coai_routing.plan import Wishes
from coai_routing.providers.suffixed import BY_SERVER, SuffixedProvider, taken_apart
from coai_routing.request import ModelRequest
from tests.routing.providers.dialects import OLLAMA, served
from tests.support.faulty_server import FaultyServer, stream

TAGS = {"models": [{"name": "house-model:3b", "digest": "d1", "size": 1}]}
GOOD = stream([OLLAMA.piece("ok"), *OLLAMA.last], OLLAMA.content_type)


@pytest.mark.parametrize(
    ("prefix", "suffix", "tail", "expected"),
    [
        ("a = ", "\nb", "", ("a = ", "\nb")),
        ("a = ", "\nb", "f(", ("a = f(", "\nb")),
        ("", "", "", ("", "\n")),
        ("x = '<|coai_after|>'", ")", "", ("x = '< |coai_after|>'", ")")),
    ],
)
def test_what_stands_before_and_after_is_taken_apart(
    prefix: str, suffix: str, tail: str, expected: tuple[str, str]
) -> None:
    prompt = BY_SERVER.prompt(prefix, suffix, tail=tail)
    request = taken_apart(ModelRequest(prompt=prompt, stop=(*BY_SERVER.stop, "\n")))
    assert (request.prompt, request.suffix) == expected
    assert request.stop == ("\n",)


async def test_the_server_gets_no_mark_of_ours() -> None:
    async with served(OLLAMA, GOOD) as (server, provider):
        by_server = SuffixedProvider(provider)
        request = ModelRequest(prompt=BY_SERVER.prompt("a = ", "\nb"), model="m", max_tokens=4)
        assert (await by_server.complete(request)).text == "ok"
        sent = json.loads(server.received[0].body)
        assert (sent["prompt"], sent["suffix"]) == ("a = ", "\nb")
        assert not sent.get("raw")
        assert "coai" not in str(sent)


@pytest.mark.parametrize(("able", "offered"), [(["completion", "insert"], 1), (["completion"], 0)])
async def test_a_model_that_says_insert_is_offered_though_its_family_is_unknown(
    able: list[str], offered: int
) -> None:
    routes = {
        "/api/version": {"version": "1"},
        "/api/tags": TAGS,
        "/api/ps": {"models": [{"name": "house-model:3b", "context_length": 4096}]},
        "/api/show": {"capabilities": able},
    }
    async with FaultyServer(GOOD, routes) as server:
        endpoint = EndpointSettings(name="ollama", kind="ollama", base_url=server.base_url)
        backends = Backends(
            catalog=load_catalog(),
            wishes=Wishes,
            endpoints=lambda: [endpoint],
            embedded=lambda: None,
            trusted_hosts=frozenset,
            discover=discover,
            provider_for=provider_for,
        )
        try:
            await backends.look()
            assert len(backends.candidates()) == offered
        finally:
            await backends.aclose()
