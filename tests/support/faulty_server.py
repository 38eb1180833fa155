"""A real HTTP server on loopback that misbehaves in one chosen way.

Everything is over real sockets, and what the server saw (requests, connections, the moment when
the client closed) is there to be asked for.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    Behaviour = Callable[["Exchange"], Awaitable[None]]


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    """By their names in small letters."""
    body: bytes


async def read_request(reader: asyncio.StreamReader) -> Received | None:
    """Read one request; None when the client is gone."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    try:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return Received(method, path, headers, body)


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """Return the head of a reply."""
    lines = [f"HTTP/1.1 {status} Status", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def chunk(content: bytes) -> bytes:
    """Return one chunk of a body."""
    return b"%x\r\n%b\r\n" % (len(content), content)


class Exchange:
    """One request and the connection to answer it on."""

    def __init__(
        self, request: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.request = request
        self._reader = reader
        self._writer = writer

    async def send(self, content: bytes) -> None:
        """Send bytes as they are; a client that is gone is no failure of this server."""
        try:
            self._writer.write(content)
            await self._writer.drain()
        except ConnectionError:
            return

    async def until_closed(self) -> None:
        """Wait until the client closes the connection."""
        try:
            while await self._reader.read(65_536):
                pass
        except ConnectionError:
            return

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()

    def reset(self) -> None:
        """Close the connection with a reset."""
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


@dataclass
class FaultyServer:
    """Answers `routes` as it should and everything else by `behaviour`."""

    behaviour: Behaviour
    routes: Mapping[str, object] = field(default_factory=dict[str, object])
    """JSON to answer with, by path."""
    received: list[Received] = field(default_factory=list[Received])
    """The requests for anything but `routes`."""
    connections: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the first of them was there whole."""
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a behaviour was over or waited until the client closed."""
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    @property
    def base_url(self) -> str:
        """Where it listens."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        """Start to listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop, whatever is going on."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while request := await read_request(reader):
                exchange = Exchange(request, reader, writer)
                if request.path in self.routes:
                    await respond(200, self.routes[request.path])(exchange)
                    continue
                self.received.append(request)
                self.asked.set()
                await self.behaviour(exchange)
                if writer.is_closing():
                    return
        except asyncio.CancelledError:
            return  # the server is being closed; asyncio would report a cancelled handler
        finally:
            self.closed.set()
            writer.close()


def respond(
    status: int, content: object, headers: Mapping[str, str] | None = None, *, close: bool = False
) -> Behaviour:
    """Answer with a status and a body: bytes as they are, anything else as JSON."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    if close:
        fields["Connection"] = "close"

    async def behave(exchange: Exchange) -> None:
        await exchange.send(head(status, {**fields, **(headers or {})}) + body)
        if close:
            exchange.close()

    return behave


def stream(
    frames: Sequence[bytes], content_type: str, *, ending: str = "end", every: float = 0.0
) -> Behaviour:
    """Send frames as chunks, `every` so many seconds; then `end`, `cut` or `hang`."""

    async def behave(exchange: Exchange) -> None:
        fields = {"Content-Type": content_type, "Transfer-Encoding": "chunked"}
        await exchange.send(head(200, fields))
        for frame in frames:
            await exchange.send(chunk(frame))
            await asyncio.sleep(every)
        if ending == "end":
            await exchange.send(b"0\r\n\r\n")
        elif ending == "hang":
            await exchange.until_closed()
        if ending != "end":
            exchange.close()

    return behave


async def silent(exchange: Exchange) -> None:
    """Accept, read and never answer."""
    await exchange.until_closed()
    exchange.close()


async def reset(exchange: Exchange) -> None:
    """Reset the connection instead of answering."""
    exchange.reset()


async def hang_up(exchange: Exchange) -> None:
    """Close the connection instead of answering."""
    exchange.close()


def raw(content: bytes) -> Behaviour:
    """Send bytes that may not be HTTP, and close."""

    async def behave(exchange: Exchange) -> None:
        await exchange.send(content)
        exchange.close()

    return behave


def refused_url() -> str:
    """Return an address at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
