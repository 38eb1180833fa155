"""The hot path's HTTP: connections, deadlines, and replies that are not what they should be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from coai_routing.providers import http
from coai_routing.providers.http import (
    Client,
    ClosedUnansweredError,
    MalformedReplyError,
    NoConnectionError,
    TruncatedReplyError,
)
from tests.support import faulty_server
from tests.support.faulty_server import FaultyServer, chunk, head, raw, respond

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CHUNKED = head(200, {"Transfer-Encoding": "chunked"})
FIVE = head(200, {"Content-Length": "5"})
OK = respond(200, {"ok": True})


def soon(seconds: float = 20.0) -> float:
    return asyncio.get_running_loop().time() + seconds


@pytest.fixture
async def clients() -> AsyncIterator[list[Client]]:
    """Close the clients that a test puts here."""
    made: list[Client] = []
    yield made
    for client in made:
        await client.aclose()


async def test_a_request_carries_what_it_should(clients: list[Client]) -> None:
    async with FaultyServer(OK) as server:
        client = Client(f"{server.base_url}/under/", headers={"Authorization": "Bearer k"})
        clients.append(client)
        reply = await client.send("POST", "/here", b'{"a": 1}', deadline=soon())
        assert reply.status == 200
        assert await reply.read() == b'{"ok": true}'
        reply.close()
        reply = await client.send("GET", "/there", deadline=soon())
        reply.close()
        posted, got = server.received
        assert (posted.method, posted.path, posted.body) == ("POST", "/under/here", b'{"a": 1}')
        assert posted.headers["authorization"] == "Bearer k"
        assert posted.headers["content-type"] == "application/json"
        assert posted.headers["accept-encoding"] == "identity"
        assert (got.method, got.path, got.body) == ("GET", "/under/there", b"")


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (FIVE + b"hello", b"hello"),
        (CHUNKED + chunk(b"he") + chunk(b"llo") + b"0\r\n\r\n", b"hello"),
        (CHUNKED + b"5;x=y\r\nhello\r\n0\r\nT: u\r\n\r\n", b"hello"),
        (head(200, {}) + b"hello", b"hello"),
        (b"HTTP/1.0 200 OK\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + FIVE + b"hello", b"hello"),
        (head(204, {}), b""),
    ],
)
async def test_bodies_of_every_framing(reply: bytes, body: bytes, clients: list[Client]) -> None:
    async with FaultyServer(raw(reply)) as server:
        clients.append(Client(server.base_url))
        answer = await clients[0].send("GET", "/", deadline=soon())
        assert await answer.read() == body
        answer.close()


@pytest.mark.parametrize(
    "reply",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        head(200, {"Content-Length": "many"}),
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused(reply: bytes, clients: list[Client]) -> None:
    async with FaultyServer(raw(reply)) as server:
        clients.append(Client(server.base_url))
        with pytest.raises(MalformedReplyError):
            await clients[0].send("GET", "/", deadline=soon())


@pytest.mark.parametrize(
    "reply",
    [
        head(200, {"Content-Length": "50"}) + b"hello",
        CHUNKED + chunk(b"hello"),
        CHUNKED + chunk(b"hello") + b"10\r\nhe",
    ],
)
async def test_a_body_that_is_not_whole_is_told(reply: bytes, clients: list[Client]) -> None:
    async with FaultyServer(raw(reply)) as server:
        clients.append(Client(server.base_url))
        answer = await clients[0].send("GET", "/", deadline=soon())
        with pytest.raises(TruncatedReplyError):
            await answer.read()
        answer.close()


async def test_a_body_without_end_is_cut(
    clients: list[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_BODY_LIMIT", 1000)
    async with FaultyServer(raw(head(200, {}) + b"x" * 2000)) as server:
        clients.append(Client(server.base_url))
        answer = await clients[0].send("GET", "/", deadline=soon())
        with pytest.raises(MalformedReplyError, match="too long"):
            await answer.read()
        answer.close()


@pytest.mark.parametrize("behaviour", [faulty_server.hang_up, faulty_server.reset])
async def test_no_reply_at_all_is_told(
    behaviour: faulty_server.Behaviour, clients: list[Client]
) -> None:
    async with FaultyServer(behaviour) as server:
        clients.append(Client(server.base_url))
        with pytest.raises(ClosedUnansweredError):
            await clients[0].send("POST", "/", b"{}", deadline=soon())
        assert len(server.received) == 1, "a request that killed a server is not sent again"


async def test_a_kept_connection_that_was_closed_meanwhile_is_replaced(
    clients: list[Client],
) -> None:
    behaviours = iter([OK, faulty_server.reset, OK])

    async def behaviour(exchange: faulty_server.Exchange) -> None:
        await next(behaviours)(exchange)

    async with FaultyServer(behaviour) as server:
        clients.append(Client(server.base_url))
        for _ in range(2):
            answer = await clients[0].send("POST", "/", b"{}", deadline=soon())
            assert await answer.read() == b'{"ok": true}'
            answer.close()
        assert server.connections == 2


async def test_a_reply_may_end_after_its_last_word(clients: list[Client]) -> None:
    end = asyncio.Event()

    async def behaviour(exchange: faulty_server.Exchange) -> None:
        await exchange.send(head(200, {"Transfer-Encoding": "chunked"}) + chunk(b"last word"))
        await end.wait()
        await exchange.send(b"0\r\n\r\n")

    async with FaultyServer(behaviour) as server:
        clients.append(Client(server.base_url))
        for _ in range(3):
            end.clear()
            answer = await clients[0].send("POST", "/", b"{}", deadline=soon())
            assert await answer.piece() == b"last word"
            answer.close(said_all=True)
            answer.close()
            end.set()
            await asyncio.sleep(0.02)
        assert server.connections == 1


async def test_a_reply_that_does_not_end_is_given_up(
    clients: list[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_LINGER", 0.05)
    never = faulty_server.stream([b"last word"], "text/plain", ending="hang")
    async with asyncio.timeout(20), FaultyServer(never) as server:
        clients.append(Client(server.base_url))
        answer = await clients[0].send("POST", "/", b"{}", deadline=soon())
        await answer.piece()
        answer.close(said_all=True)
        assert not server.closed.is_set()
        await server.closed.wait()


async def test_closing_the_client_ends_what_is_under_way() -> None:
    never = faulty_server.stream([b"x"], "text/plain", ending="hang")
    async with asyncio.timeout(20), FaultyServer(never) as server:
        client = Client(server.base_url)
        answer = await client.send("GET", "/", deadline=soon())
        await answer.piece()
        waiting = asyncio.create_task(answer.piece())
        await asyncio.sleep(0)
        await client.aclose()
        with pytest.raises(TruncatedReplyError):
            await waiting
        answer.close()
        await server.closed.wait()
        await client.aclose()


async def test_closing_the_client_ends_what_waits_for_a_reply() -> None:
    asked = asyncio.Event()

    async def behaviour(exchange: faulty_server.Exchange) -> None:
        asked.set()
        await faulty_server.silent(exchange)

    async with asyncio.timeout(20), FaultyServer(behaviour) as server:
        client = Client(server.base_url)
        waiting = asyncio.create_task(client.send("GET", "/", deadline=soon()))
        await asked.wait()
        await client.aclose()
        with pytest.raises(ClosedUnansweredError):
            await waiting
        await server.closed.wait()


async def test_deadlines_hold() -> None:
    async with asyncio.timeout(20), FaultyServer(faulty_server.silent) as server:
        client = Client(server.base_url)
        with pytest.raises(TimeoutError):
            await client.send("GET", "/", deadline=soon(0.2))
        with pytest.raises(TimeoutError):
            await client.send("GET", "/", deadline=soon(-1.0))
        await client.aclose()


async def test_a_server_that_accepts_no_connection_is_not_waited_for(
    clients: list[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", never)
    clients.append(Client(faulty_server.refused_url()))
    with pytest.raises(NoConnectionError):
        await clients[0].send("GET", "/", deadline=soon(), connect_timeout=0.05)


async def test_localhost_is_this_machine_whatever_a_hosts_file_says(
    clients: list[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lookup(*_: object, **__: object) -> object:
        pytest.fail("a name was looked up")

    async with FaultyServer(OK) as server:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lookup)
        clients.append(Client(server.base_url.replace("127.0.0.1", "localhost")))
        answer = await clients[0].send("GET", "/", deadline=soon())
        assert answer.status == 200
        answer.close()


async def test_other_names_are_looked_up(clients: list[Client]) -> None:
    clients.append(Client("http://nowhere.invalid:1234"))
    with pytest.raises(OSError, match=r"nowhere\.invalid"):
        await clients[0].send("GET", "/", deadline=soon())


@pytest.mark.parametrize("url", ["", "127.0.0.1:1", "ftp://x", "http://", "http://u:p@x"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Client(url)


@pytest.mark.parametrize("key", ["a\r\nX: y", "a\nb", "schlüssel", "\x00"])
def test_a_key_cannot_smuggle_in_a_header(key: str) -> None:
    with pytest.raises(ValueError, match="characters"):
        Client("http://127.0.0.1:1", headers={"Authorization": f"Bearer {key}"})
