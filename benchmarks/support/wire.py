"""HTTP/1.1 as a model server speaks it, on asyncio's streams: as much as a measurement needs.

Only one's own bytes leave no doubt about when a request was whole, when the last byte was written
and when the other side closed its socket.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from asyncio import StreamReader
    from collections.abc import Mapping

JSON_TYPE: Final = "application/json"
EVENTS_TYPE: Final = "text/event-stream"
LAST_CHUNK: Final = b"0\r\n\r\n"

HEAD_LIMIT: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request that has come whole."""

    method: str
    path: str
    headers: Mapping[str, str]
    """By their names in small letters."""
    body: bytes

    def fields(self) -> dict[str, Any]:
        """Return the fields of a JSON body; none for any other."""
        try:
            decoded: object = json.loads(self.body)
        except ValueError:
            return {}
        return cast("dict[str, Any]", decoded) if isinstance(decoded, dict) else {}


async def read_request(reader: StreamReader) -> HttpRequest | None:
    """Return the next request of a connection; None when the client has closed it."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    method, path, _ = first.split(" ", 2)
    return HttpRequest(method, path, headers, body)


async def closed_by_client(reader: StreamReader) -> None:
    """Return when the client has closed the connection.

    Whoever awaits this cancels it before the last byte of a reply is written: after that, what
    comes is the next request.
    """
    try:
        await reader.read(1)
    except ConnectionError:
        return


def stream_head(status: int = 200) -> bytes:
    """Return the head of a reply of events, which come in chunks."""
    return (
        f"HTTP/1.1 {status} OK\r\nContent-Type: {EVENTS_TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode("ascii")


def chunk(content: bytes) -> bytes:
    """Return a piece of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(content), content)


def event(fields: Mapping[str, Any]) -> bytes:
    """Return a server-sent event."""
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def whole_reply(body: bytes, *, status: int = 200, content_type: str = JSON_TYPE) -> bytes:
    """Return a reply whose body is known."""
    head = (
        f"HTTP/1.1 {status} {'OK' if status < 400 else 'Error'}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def json_reply(document: object, *, status: int = 200) -> bytes:
    """Return a reply of JSON."""
    return whole_reply(json.dumps(document).encode(), status=status)
