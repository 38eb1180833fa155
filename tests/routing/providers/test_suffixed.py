"""A model of unknown family that Ollama says can insert is asked by Ollama's own template."""

from __future__ import annotations

import json
from contextlib import aclosing

import pytest

from coai_routing.policy.completion import Wishes
from coai_routing.pool.backends import Backends
from coai_routing.pool.endpoints import server_place
from coai_routing.pool.pool import ModelPool
from coai_routing.privacy.egress import Egress
from coai_routing.providers.discovery import ModelServer, discover
from coai_routing.providers.suffixed import BY_SERVER, taken_apart
from coai_routing.registry.catalog import load_catalog
from coai_routing.request import ModelRequest
from tests.routing.providers.dialects import OLLAMA
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
        endpoint = ModelServer(name="ollama", kind="ollama", base_url=server.base_url)
        pool = ModelPool()
        backends = Backends(
            catalog=load_catalog(),
            wishes=Wishes,
            endpoints=lambda: [endpoint],
            embedded=lambda: None,
            place=lambda one: server_place(one, Egress()),
            discover=discover,
            pool=pool,
        )
        try:
            await backends.look()
            candidates = backends.candidates()
            assert len(candidates) == offered
            server.received.clear()
            for backend in candidates:
                request = ModelRequest(prompt=backend.fim.prompt("a = ", "\nb"), max_tokens=4)
                async with aclosing(backends.stream(backend, request)) as deltas:
                    assert "".join([delta.text async for delta in deltas]) == "ok"
                sent = json.loads(server.received[-1].body)
                assert (sent["prompt"], sent["suffix"]) == ("a = ", "\nb")
                assert not sent.get("raw")
                assert "coai" not in str(sent)
        finally:
            await backends.aclose()
            await pool.aclose()
