"""The gate: what every request has to pass before anything of the application sees it.

Pure ASGI, so that nothing is read or buffered for it. In this order: the host that the request
names (DNS rebinding), the site that it comes from (CSRF), no token in its address, who it is, how
much they have asked, and then its body: how large, and how slow.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers

from coai_server.http.config import is_loopback_host
from coai_server.http.problems import RefusedError, answer_to
from coai_server.http.security.access_log import Access
from coai_server.http.security.keys import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from coai_server.http.config import Config
    from coai_server.http.security.access_log import AccessLog
    from coai_server.http.security.doorkeeper import Doorkeeper
    from coai_server.http.security.principals import Principal

PROGRAMS: Final = ("/v1/", "/openapi.json", "/mcp")
"""Where programs ask, with a token in a header. The rest is the page's, and it sees to itself."""
_SECRET_NAMES: Final = frozenset(
    ("token", "access_token", "id_token", "api_key", "apikey", "key", "authorization", "ticket")
)
_HEALTH: Final = ("/healthz", "/readyz")


class Gate:
    """Wraps the application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        config: Config,
        doorkeeper: Doorkeeper,
        log: AccessLog,
        ends: Callable[[], bool],
    ) -> None:
        """Let everything through that passes; `ends` says whether the server takes nothing new."""
        self._app = app
        self._ends = ends
        self._config = config
        self._hosts = config.host_names()
        self._doorkeeper = doorkeeper
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer why not."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        body = Body(receive, self._config.body_bytes, self._config.body_seconds)

        async def allowed(message: Message) -> None:
            # What the application makes of a body that was cut off is not said.
            if body.refused is None or status:
                await noting(message)

        try:
            await self._checked(scope)
            await self._app(scope, body if scope["type"] == "http" else receive, allowed)
            if body.refused is not None and not status:
                raise body.refused
        except RefusedError as error:
            if status:
                raise
            await answer_to(error)(scope, receive, noting)
        finally:
            self._note(scope, status, started)

    async def _checked(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        state = scope.setdefault("state", {})
        peer = (scope.get("client") or ("", 0))[0]
        state["address"] = peer
        # The machine itself may ask how it does.
        checks_itself = scope["path"] in _HEALTH and is_loopback_host(peer)
        if self._config.proxy is not None and not checks_itself:
            state["address"] = self._behind_proxy(headers, peer)
        self._check_host(headers)
        self._check_origin(scope, headers)
        _check_address(scope)
        _check_length(headers, self._config.body_bytes)
        path: str = scope["path"]
        if self._ends() and path not in _HEALTH:
            raise RefusedError(
                503, "draining", "The server ends.", remedy="Ask again soon, or another one."
            )
        if not path.startswith(PROGRAMS):
            return
        authorization = headers.get("authorization")
        if scope["type"] == "websocket" and authorization is None:
            return  # the route asks for a ticket or a first message
        state["principal"] = await self._doorkeeper.by_header(authorization)

    def _behind_proxy(self, headers: Headers, peer: str) -> str:
        if peer != self._config.proxy:
            raise RefusedError(
                403,
                "not_the_proxy",
                "Only the proxy may connect.",
                remedy="Go through the proxy, or name the right one with --behind-proxy.",
            )
        return headers.get("x-forwarded-for", peer).rpartition(",")[2].strip()

    def _check_host(self, headers: Headers) -> None:
        named = headers.getlist("host")
        if len(named) != 1 or _host_of(named[0]) not in self._hosts:
            raise RefusedError(
                403,
                "wrong_host",
                "The request names a host that this is not.",
                remedy="Use the address that was shown at the start, or start it with "
                "--host-name NAME.",
            )

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        origin = headers.get("origin")
        if origin is None:
            if headers.get("sec-fetch-site") == "cross-site" and scope.get("method") != "GET":
                raise _cross_site()
            return
        secure = self._config.encrypted or self._config.proxy is not None
        own = f"{'https' if secure else 'http'}://{headers.get('host', '')}"
        if origin not in (own, *self._config.origins):
            raise _cross_site()

    def _note(self, scope: Scope, status: int, started: float) -> None:
        if scope["path"] in _HEALTH:
            return
        state = scope.get("state", {})
        principal: Principal | None = state.get("principal")
        route = scope.get("route")
        self._log.note(
            Access(
                at=datetime.now(UTC).isoformat(timespec="milliseconds"),
                tenant="" if principal is None else principal.tenant,
                who="" if principal is None else principal.name,
                address=str(state.get("address", "")),
                method=str(scope.get("method", "WS")),
                # What nobody has made a route of may be anything, a secret too.
                path=scope["path"] if route is not None else "(no route)",
                status=status,
                ms=round((time.monotonic() - started) * 1000.0, 1),
            )
        )


def _host_of(written: str) -> str:
    """Return the host of a header, without its port; empty for what is none."""
    try:
        return (urlsplit(f"//{written}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _cross_site() -> RefusedError:
    return RefusedError(
        403,
        "cross_site",
        "The request comes from another site's page.",
        remedy="If that site is to ask, start with --origin https://SITE.",
    )


def _check_address(scope: Scope) -> None:
    query = scope.get("query_string", b"").decode("latin-1")
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name.lower() in _SECRET_NAMES or value.startswith(PREFIX):
            raise RefusedError(
                400,
                "token_in_address",
                "A token stands in the address, where logs and histories keep it.",
                remedy="Send it in the header Authorization, and revoke this one.",
            )


def _check_length(headers: Headers, most: int) -> None:
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length[:20]) > most:
        raise _too_large(most)


def _too_large(most: int) -> RefusedError:
    return RefusedError(
        413, "too_large", f"The body has more than {most:,} bytes.", remedy="Send less at a time."
    )


class Body:
    """A request's body as it comes: no larger and no slower than allowed."""

    def __init__(self, receive: Receive, most: int, seconds: float) -> None:
        self._receive = receive
        self._most = most
        self._seconds = seconds
        self._deadline: float | None = None
        self._read = 0
        self._whole = False
        self.refused: RefusedError | None = None
        """Why it was not read to its end."""

    async def __call__(self) -> Message:
        """Return the next piece; raises `RefusedError`."""
        if self._whole:
            return await self._receive()
        loop = asyncio.get_running_loop()
        if self._deadline is None:
            self._deadline = loop.time() + self._seconds
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as error:
            self.refused = RefusedError(
                408,
                "too_slow",
                f"The body had not come after {self._seconds:g} s.",
                headers={"connection": "close"},
            )
            raise self.refused from error
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._read > self._most:
                self.refused = _too_large(self._most)
                raise self.refused
        return message
