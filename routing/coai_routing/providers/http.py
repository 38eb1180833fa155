"""HTTP for the hot path: one server, kept connections, replies read piece by piece.

A streamed completion is a dozen tiny chunks, and aiohttp spends much less processor time on them
than httpx does: time that a model on the same cores could use.

Redirects are not followed and proxies of the environment are not used: a request goes where the
base URL says or nowhere.
"""

from __future__ import annotations

import asyncio
import math
import socket
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from coai_routing.privacy.egress import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECT_TIMEOUT: Final = 5.0
"""Seconds to open a connection, if the call's own deadline is not sooner."""

_BODY_LIMIT: Final = 16_777_216
_KEPT_SECONDS: Final = 60.0
_LINGER: Final = 1.0
_JSON: Final = {"Content-Type": "application/json"}


class MalformedReplyError(Exception):
    """What came back is not HTTP/1.1, or more of it than anything sensible."""


class NoConnectionError(ConnectionError):
    """The server took too long to accept a connection, long before the call's deadline."""


class ClosedUnansweredError(ConnectionError):
    """The connection was closed before the whole head of a reply had come."""


class TruncatedReplyError(ConnectionError):
    """The connection was closed in the middle of a reply's body."""


class _Resolver(AbstractResolver):
    """Looks names up, but for this machine's own.

    `localhost` is this machine, whatever a hosts file says; IPv4 comes first because that is what
    model servers listen on.
    """

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a host."""
        if host == "localhost":
            found = [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)]
        else:
            loop = asyncio.get_running_loop()
            known = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
            found = [(str(address[0]), kind) for kind, _, _, _, address in known]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=0)
            for address, kind in found
        ]

    async def close(self) -> None:
        """Hold nothing, so close nothing."""


class Reply:
    """A reply whose body is read as it comes. Whoever holds it closes it."""

    def __init__(
        self, response: aiohttp.ClientResponse, open_ones: set[aiohttp.ClientResponse]
    ) -> None:
        open_ones.add(response)
        self._response = response
        self._open_ones = open_ones
        self._closed = False
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        """By names in letters of any size."""

    async def piece(self) -> bytes:
        """Return what has come of the body, waiting for it if need be; nothing at its end.

        Raises TruncatedReplyError, and TimeoutError after the deadline.
        """
        try:
            return await self._response.content.readany()
        except aiohttp.ClientError as error:
            raise TruncatedReplyError(str(error)) from error

    async def read(self) -> bytes:
        """Return the rest of the body. Raises what `piece` does, and MalformedReplyError."""
        body = bytearray()
        while piece := await self.piece():
            body += piece
            if len(body) > _BODY_LIMIT:
                raise MalformedReplyError("it is too long")
        return bytes(body)

    def close(self, *, said_all: bool = False) -> None:
        """Close the socket, unless the reply is over.

        After `said_all` it may have a second to end, so that its connection can be used again.
        """
        if self._closed:
            return
        self._closed = True
        if said_all and not self._response.content.is_eof():
            # At its end the response gives the connection back by itself.
            asyncio.get_running_loop().call_later(_LINGER, self._end)
        else:
            self._end()

    def _end(self) -> None:
        self._open_ones.discard(self._response)
        self._response.close()


class Client:
    """Sends requests to one server and keeps its connections open between them."""

    def __init__(self, base_url: str, *, headers: Mapping[str, str] | None = None) -> None:
        """Raise ValueError for an address or header that cannot be sent."""
        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            raise ValueError(f"{base_url!r} is not the address of an HTTP server")
        path = quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=-._~")
        self._base = str(URL(f"{parts.scheme}://{parts.netloc}")).rstrip("/") + path
        self._headers = {"Accept-Encoding": "identity", **(headers or {})}
        for key, value in self._headers.items():
            if not (value.isascii() and value.isprintable()):
                raise ValueError(f"the header {key} has characters that cannot be sent")
        self._session: aiohttp.ClientSession | None = None
        self._open_ones: set[aiohttp.ClientResponse] = set()
        self._has_answered = False
        # Elsewhere each sending is checked and logged, so whoever does that sends again.
        self._may_repeat = is_loopback(base_url)
        self._urls: dict[str, URL] = {}

    async def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        deadline: float,
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> Reply:
        """Send a request, with a body of JSON if any, and return the reply when its head is there.

        `deadline` is in the loop's time and holds for the whole exchange. Raises OSError when the
        server cannot be reached or closes the connection unanswered, TimeoutError, and
        MalformedReplyError.
        """
        times = aiohttp.ClientTimeout(
            total=max(1e-6, deadline - asyncio.get_running_loop().time()),
            sock_connect=connect_timeout,
            ceil_threshold=math.inf,  # it would make long deadlines whole seconds
        )
        try:
            return await self._exchange(method, path, body, times)
        except ClosedUnansweredError:
            if not (self._has_answered and self._may_repeat):
                raise
            # Likely the server closed an idle connection just when it was used again.
            return await self._exchange(method, path, body, times)

    async def _exchange(
        self, method: str, path: str, body: bytes, times: aiohttp.ClientTimeout
    ) -> Reply:
        session = self._session or self._open()
        url = self._urls.get(path)
        if url is None:
            # There are a handful of paths, and taking one apart takes as long as sending it.
            url = self._urls[path] = URL(self._base + path, encoded=True)
        try:
            response = await session.request(
                method,
                url,
                data=body or None,
                headers=_JSON if body else None,
                allow_redirects=False,
                timeout=times,
            )
        except aiohttp.ConnectionTimeoutError as error:
            raise NoConnectionError(str(error)) from error
        except aiohttp.ClientConnectorError:
            raise  # it tells by its cause why there is no connection
        except aiohttp.ClientConnectionError as error:
            raise ClosedUnansweredError(str(error)) from error
        except aiohttp.ClientError as error:
            raise MalformedReplyError(str(error)) from error
        self._has_answered = True
        return Reply(response, self._open_ones)

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, resolver=_Resolver(), keepalive_timeout=_KEPT_SECONDS
            ),
            headers=self._headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            # Some gateways compress although nobody said that they may.
            auto_decompress=True,
            trust_env=False,
        )
        return self._session

    async def aclose(self) -> None:
        """Close all connections; calls under way fail."""
        for response in self._open_ones:
            response.close()
        self._open_ones.clear()
        session, self._session = self._session, None
        if session is not None:
            await session.close()
