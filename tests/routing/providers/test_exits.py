"""What may leave this machine, seen from the side of who must not get it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from coai_routing.errors import BadReplyError, EgressRefusedError
from coai_routing.privacy.egress import Egress
from coai_routing.request import Message, ModelRequest
from tests.routing.providers.dialects import ALL, LLAMA_SERVER, Dialect, ask, served
from tests.support.faulty_server import FaultyServer, respond, stream

if TYPE_CHECKING:
    from tests.support.faulty_server import Behaviour

PROMPT = ModelRequest(prompt="x = ", model="m", max_tokens=8, timeout=30.0)
CHAT = ModelRequest(messages=(Message(role="user", content="hi"),), model="m", timeout=30.0)
PAGE = respond(200, b"<html>Please log in</html>", {"Content-Type": "text/html"})


@pytest.fixture(params=ALL, ids=str)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return request.param


def good(dialect: Dialect) -> Behaviour:
    return stream([dialect.piece("ok"), *dialect.last], dialect.content_type)


async def test_a_redirect_is_not_followed(dialect: Dialect) -> None:
    async with FaultyServer(PAGE) as outside:
        away = respond(307, b"", {"Location": f"{outside.base_url}/completion"})
        async with served(dialect, away) as (_, provider):
            for call in (ask(provider, PROMPT), provider.chat(CHAT), provider.models()):
                with pytest.raises(BadReplyError, match="redirect"):
                    await call
            assert outside.connections == 0


async def test_proxies_of_the_environment_do_not_see_loopback_requests(
    dialect: Dialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FaultyServer(PAGE) as proxy, FaultyServer(good(dialect), dialect.routes) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.base_url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        async with dialect.connect(server.base_url) as provider:
            assert (await ask(provider, PROMPT)).text == "ok"
            assert proxy.connections == 0


async def test_keys_of_the_environment_are_not_sent(
    dialect: Dialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OLLAMA_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "somebody-else's")
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.setenv(name, "somebody-else's")
    for name in ("ANTHROPIC_CUSTOM_HEADERS", "OPENAI_CUSTOM_HEADERS"):
        monkeypatch.setenv(name, "X-Somebody: somebody-else's\nContent-Type: application/json")
    async with served(dialect, good(dialect)) as (server, provider):
        await ask(provider, PROMPT)
        assert "somebody-else's" not in str(server.received)
        assert not {"authorization", "x-api-key"} & server.received[0].headers.keys()
        async with dialect.connect(server.base_url, api_key="ours") as keyed:
            await ask(keyed, PROMPT)
            assert server.received[1].headers["authorization"] == "Bearer ours"


@pytest.mark.parametrize(
    ("egress", "sensitive", "refused"),
    [
        (None, False, True),
        (Egress(allow=True), True, True),
        (Egress(allow=True), False, False),
        (Egress(allow=True, trusted_hosts=frozenset({"0.0.0.0"})), True, False),
        (Egress(allow=False, trusted_hosts=frozenset({"0.0.0.0"})), True, True),
    ],
)
async def test_what_may_not_leave_does_not_even_open_a_connection(
    dialect: Dialect, egress: Egress | None, sensitive: bool, refused: bool
) -> None:
    async with FaultyServer(good(dialect), dialect.routes) as server:
        # An address that does not count as loopback and leads here all the same.
        outside = server.base_url.replace("127.0.0.1", "0.0.0.0")
        async with dialect.connect(outside, egress=egress) as provider:
            for send, request in ((partial(ask, provider), PROMPT), (provider.chat, CHAT)):
                asked = request.model_copy(update={"sensitive": sensitive})
                if refused:
                    with pytest.raises(EgressRefusedError):
                        await send(asked)
                elif send != provider.chat:
                    assert (await send(asked)).text == "ok"
            if refused and not (egress and egress.allow):
                with pytest.raises(EgressRefusedError):
                    await provider.models()
                assert not (await provider.health()).ok
            assert (server.connections == 0) is refused


async def test_no_text_is_counted_elsewhere() -> None:
    async with FaultyServer(respond(200, {"tokens": [1]})) as server:
        outside = server.base_url.replace("127.0.0.1", "0.0.0.0")
        async with LLAMA_SERVER.connect(outside, egress=Egress(allow=True)) as provider:
            with pytest.raises(EgressRefusedError):
                await provider.count_tokens("secret")
        assert server.connections == 0
