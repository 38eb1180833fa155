"""Another door's application beside the routes, behind the same gate: MCP at `/mcp`.

It works as whoever runs the server, on all of its folders and runs, so only that user's own token,
or a key with all of that, may use it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Final, TypeAlias

from starlette.types import ASGIApp

from coai_agents.application.roots import Roots
from coai_server.http.problems import RefusedError
from coai_server.http.security.principals import OWN_TENANT, Role

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from coai_server.http.security.principals import Principal

PATH: Final = "/mcp"

Open: TypeAlias = Callable[[Roots], AbstractAsyncContextManager[ASGIApp]]
"""Opens the other door on folders, for as long as the server serves."""


class Beside:
    """Gives requests for `/mcp` to the other door, and all others to the routes."""

    def __init__(self, routes: ASGIApp) -> None:
        """Know no other door yet."""
        self._routes = routes
        self.other: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; raises `RefusedError`."""
        if self.other is None or scope["type"] != "http" or scope["path"] != PATH:
            await self._routes(scope, receive, send)
            return
        _check(scope["state"]["principal"])
        scope["route"] = PATH  # for the log of access
        await self.other(scope, receive, send)


def _check(principal: Principal) -> None:
    everything = principal.tenant == OWN_TENANT and principal.folders is None
    if not everything or principal.role < Role.RUNNER:
        raise RefusedError(
            403,
            "not_yours",
            "MCP works on all folders and runs of who runs this server.",
            remedy="Use that user's own token, or a runner's key for all folders.",
        )
