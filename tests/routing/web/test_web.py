"""The web for tools: what may leave, what may be reached, and how much of it comes."""

from __future__ import annotations

import json
import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from coai_routing.errors import EgressRefusedError
from coai_routing.privacy.departures import EgressLog
from coai_routing.privacy.egress import Egress
from coai_routing.privacy.sensitivity import SensitivityRules
from coai_routing.settings.router_sections import WebSettings
from coai_routing.web.pages import MOST_BYTES, Asking, WebError, WebPages
from coai_routing.web.public_addresses import PrivateAddressError, PublicResolver, is_public

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from aiohttp.abc import ResolveResult

ANYBODY = Asking()


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("127.8.8.8", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("172.16.5.4", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("not an address", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) == public


class Site:
    """A site on this machine, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.body: list[Any] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        self.body.append(await request.text())
        match request.path:
            case "/page":
                return web.Response(text="<p>Hello</p>", content_type="text/html")
            case "/big":
                return web.Response(text="x" * (MOST_BYTES + 1))
            case "/picture":
                return web.Response(body=b"\0", content_type="image/png")
            case "/loop":
                raise web.HTTPFound("/loop")
            case "/onward":
                raise web.HTTPFound("/page")
            case "/inside":
                raise web.HTTPFound(request.query["to"])
            case "/search":
                texts = {"content": "b", "description": "c"}
                found = [{"title": "A", "url": "https://a.example", **texts}]
                whole = {"results": found, "web": {"results": found}}
                return web.json_response(whole)
            case _:
                raise web.HTTPNotFound


@asynccontextmanager
async def site() -> AsyncGenerator[tuple[Site, TestServer]]:
    here = Site()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", here.answer)
    server = TestServer(app)
    await server.start_server()
    try:
        yield here, server
    finally:
        await server.close()


def port_of(server: TestServer) -> int:
    return server.make_url("/").port or 0


def pages(
    log: EgressLog | None = None,
    *,
    allow: bool = True,
    ports: tuple[int, ...] = (80, 443),
    here: bool = False,
    **settings: Any,  # noqa: ANN401 - of the section
) -> WebPages:
    return WebPages(
        WebSettings(enabled=True, **settings),
        egress=Egress(allow=allow),
        rules=SensitivityRules(private_files=("secret/**",)),
        departures=log,
        public=(lambda _: True) if here else is_public,
        ports=ports,
    )


async def test_a_page_comes_and_redirects_are_followed_so_far() -> None:
    async with site() as (_, server):
        asked = pages(ports=(port_of(server),), here=True)
        for path in ("/page", "/onward"):
            page = await asked.fetch(str(server.make_url(path)), ANYBODY)
            assert (page.kind, page.text) == ("text/html", "<p>Hello</p>")
        for path, why in (
            ("/loop", "leads on and on"),
            ("/big", "more than"),
            ("/picture", "no text"),
            ("/missing", "status 404"),
        ):
            with pytest.raises(WebError, match=why):
                await asked.fetch(str(server.make_url(path)), ANYBODY)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/page",
        "http://localhost:{port}/page",
        "http://[::1]:{port}/page",
        "http://[::ffff:127.0.0.1]:{port}/page",
        "http://0.0.0.0:{port}/page",
        "http://127.1:{port}/page",
        "http://2130706433:{port}/page",
        "http://0x7f000001:{port}/page",
        "http://169.254.169.254/latest/meta-data",
        "http://user:word@127.0.0.1:{port}/page",
        "http://example.org:22/",
        "file:///etc/passwd",
        "ftp://example.org/",
        "gopher://127.0.0.1:{port}/",
        "//127.0.0.1:{port}/page",
        "javascript:alert(1)",
        "",
        "http://",
        "https://example.org/" + "a" * 3000,
    ],
)
async def test_what_is_not_public_is_never_reached(url: str) -> None:
    async with site() as (here, server):
        with pytest.raises(WebError):
            await pages(ports=(80, 443, port_of(server))).fetch(
                url.replace("{port}", str(port_of(server))), ANYBODY
            )
        assert here.asked == []


async def test_a_public_page_cannot_lead_inside() -> None:
    async with site() as (here, server):
        reached: list[str] = []

        def public(address: str) -> bool:
            # The first answer comes from here as if it were public, and nothing after it.
            reached.append(address)
            return len(reached) < 2

        asked = WebPages(
            WebSettings(enabled=True),
            egress=Egress(allow=True),
            rules=SensitivityRules(),
            departures=None,
            public=public,
            ports=(port_of(server),),
        )
        to = server.make_url("/page")
        first = server.make_url("/inside").with_query(to=str(to))
        with pytest.raises(WebError, match="not public"):
            await asked.fetch(str(first), ANYBODY)
        assert [request.path for request in here.asked] == ["/inside"]


async def test_a_name_that_means_two_machines_means_none() -> None:
    resolver = PublicResolver()

    async def both(host: str, port: int, family: int) -> list[ResolveResult]:
        return [
            {"hostname": host, "host": each, "port": port, "family": family, "proto": 0, "flags": 0}
            for each in ("93.184.216.34", "10.0.0.1")
        ]

    resolver._inner.resolve = both  # type: ignore[method-assign,assignment]
    with pytest.raises(PrivateAddressError):
        await resolver.resolve("rebinding.example", 80)
    await resolver.close()


@pytest.mark.parametrize(
    ("allow", "words", "asking"),
    [
        (False, "python sorting", ANYBODY),
        (True, "python sorting", Asking(sensitive=True)),
        (True, "python sorting", Asking(paths=("secret/plan.py",))),
        (True, "AKIAIOSFODNN7EXAMPLQ wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEZ", ANYBODY),
        (True, "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8", ANYBODY),
    ],
)
async def test_nothing_sensitive_leaves_and_nothing_at_all_where_nothing_may(
    allow: bool, words: str, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", "key")
    asked = pages(
        allow=allow, provider="brave", url="https://search.example/x", api_key_env="A_KEY"
    )
    with pytest.raises(EgressRefusedError):
        await asked.search(words, asking, most=3)
    with pytest.raises(EgressRefusedError):
        await asked.fetch(f"https://page.example/?q={words.replace(' ', '+')}", asking)


@pytest.mark.parametrize(("provider", "text"), [("brave", "c"), ("tavily", "b"), ("searxng", "b")])
async def test_each_provider_is_asked_as_it_wants_and_what_left_is_logged(
    provider: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", "the key")
    log = EgressLog(tmp_path / "egress.sqlite3")
    async with site() as (here, server):
        url = str(server.make_url("/search"))
        asked = pages(log, provider=provider, url=url, api_key_env="A_KEY")
        found = await asked.search("sorting", ANYBODY, most=3)
        assert found == [{"title": "A", "url": "https://a.example", "text": text}]
        [request] = here.asked
        if provider == "tavily":
            assert json.loads(here.body[0]) == {"query": "sorting", "max_results": 3}
        else:
            assert request.query["q"] == "sorting"
        header = "X-Subscription-Token" if provider == "brave" else "Authorization"
        assert request.headers[header].endswith("the key")
        # Its own server on this machine is no departure; whatever is elsewhere is one.
        await asked.depart("sorting", "https://elsewhere.example/x", ANYBODY)
        await asked.aclose()
    with closing(sqlite3.connect(tmp_path / "egress.sqlite3")) as database:
        assert database.execute("SELECT endpoint, host FROM departures").fetchall() == [
            ("web", "elsewhere.example")
        ]


async def test_a_search_without_key_or_address_says_what_to_set() -> None:
    with pytest.raises(WebError) as raised:
        await pages(provider="brave").search("x", ANYBODY, most=1)
    assert "web.api_key_env" in raised.value.remedy
    with pytest.raises(WebError) as raised:
        await pages().search("x", ANYBODY, most=1)
    assert "web.url" in raised.value.remedy


async def test_an_answer_that_is_none_is_an_error() -> None:
    async with site() as (_, server):
        for path, why in (("/page", "no list"), ("/missing", "status 404")):
            asked = pages(url=str(server.make_url(path)))
            with pytest.raises(WebError, match=why):
                await asked.search("x", ANYBODY, most=1)
