"""`coai/status`: what the editor's status bar shows. An extension to LSP, plain JSON.

A request may name the document that the user looks at, `{"uri": ...}`; the answer then says whether
completions are on for its language. A client whose experimental capabilities have
`"coaiStatus": true` is sent `coai/statusChanged` when it should ask again.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, cast

from coai_routing.errors import BooksError
from coai_server.daemon.status import describe_status
from coai_server.lsp.capabilities import STATUS_CAPABILITY
from coai_server.lsp.features.usage import read_spending

if TYPE_CHECKING:
    from lsprotocol import types

    from coai_routing.settings.router_sections import BudgetSettings
    from coai_server.lsp.server import Server

logger = logging.getLogger(__name__)

STATUS = "coai/status"
CHANGED = "coai/statusChanged"

GATHER_SECONDS: Final = 0.2
"""Changes within this time are told at once: a download changes the status with every chunk."""


def register(server: Server) -> None:
    """Answer status requests."""

    @server.feature(STATUS)
    async def status(params: object) -> dict[str, Any]:
        asked = cast("dict[str, object]", params) if isinstance(params, dict) else {}
        uri = asked.get("uri")
        spending = await asyncio.to_thread(_spending, server.services.settings.budget)
        described = describe_status(server.services, uri if isinstance(uri, str) else None)
        return {**described, "spending": spending}


def _spending(budget: BudgetSettings) -> dict[str, Any] | None:
    """Return what models have cost; None where the books cannot be read."""
    try:
        return read_spending(budget)
    except BooksError as error:
        logger.debug("%s", error)
        return None


def is_told(client: types.ClientCapabilities) -> bool:
    """Say whether a client wants to be told of changes, as our extension for VS Code does."""
    offered: object = client.experimental
    if not isinstance(offered, dict):
        return False
    return cast("dict[str, object]", offered).get(STATUS_CAPABILITY) is True


def follow(server: Server) -> None:
    """Tell a client that wants to know when the status has changed."""
    if not is_told(server.client_capabilities):
        return
    pending: list[asyncio.TimerHandle] = []

    def tell() -> None:
        pending.clear()
        server.coai_protocol.notify(CHANGED, {})

    def changed() -> None:
        if not pending:
            pending.append(asyncio.get_running_loop().call_later(GATHER_SECONDS, tell))

    async def forget() -> None:
        for timer in pending:
            timer.cancel()
        server.services.on_status = None

    server.services.on_status = changed
    server.session.on_stop(forget)
