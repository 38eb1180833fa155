"""`coai/status`: what the editor's status bar shows. An extension to LSP, plain JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coai_server.server import Server

STATUS = "coai/status"


def register(server: Server) -> None:
    """Answer status requests."""

    @server.feature(STATUS)
    def status(_: object) -> dict[str, Any]:
        return server.services.status()
