"""A proxy in front of a real model server that passes everything on but for one chosen fault."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.support.faulty_server import head

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.faulty_server import Behaviour, Exchange, Received


def relayed(
    upstream: str,
    *,
    change: Callable[[bytes], bytes] = lambda received: received,
    after: int | None = None,
    ending: str = "close",
    every: float = 0.0,
) -> Behaviour:
    """Pass a request to a server and its reply back.

    `change` is applied to each piece of the reply; after `after` bytes of it the connection is
    closed (`close`), reset (`reset`) or left open without a word (`hang`). With `every`, each byte
    takes so many seconds.
    """

    async def behave(exchange: Exchange) -> None:
        parts = urlsplit(upstream)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            writer.write(_request(exchange.request, parts.netloc))
            sent = 0
            while received := await reader.read(4096):
                piece = change(received)
                if after is not None and sent + len(piece) >= after:
                    await exchange.send(piece[: after - sent])
                    await _end(exchange, ending)
                    return
                sent += len(piece)
                for part in _bytewise(piece) if every else (piece,):
                    await exchange.send(part)
                    await asyncio.sleep(every)
            exchange.close()
        finally:
            writer.close()

    return behave


def _request(request: Received, host: str) -> bytes:
    headers = {**request.headers, "host": host, "connection": "close"}
    lines = [f"{request.method} {request.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + request.body


def _bytewise(piece: bytes) -> list[bytes]:
    return [piece[at : at + 1] for at in range(len(piece))]


async def _end(exchange: Exchange, ending: str) -> None:
    if ending == "reset":
        exchange.reset()
        return
    if ending == "hang":
        await exchange.until_closed()
    exchange.close()


def empty_stream(content_type: str) -> Behaviour:
    """Answer with the head of a stream and nothing in it."""

    async def behave(exchange: Exchange) -> None:
        await exchange.send(head(200, {"Content-Type": content_type, "Content-Length": "0"}))

    return behave
