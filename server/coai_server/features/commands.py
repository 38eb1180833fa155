"""`workspace/executeCommand`: what the editor's user can have the server do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coai_server.features import model_download

if TYPE_CHECKING:
    from coai_server.server import Server


def register(server: Server) -> None:
    """Register the commands that `app.COMMANDS` names."""

    @server.command("coai.completionAccepted")
    def accepted(identity: int) -> None:
        server.services.accepted(identity)

    @server.command("coai.pullModel")
    async def pull_model() -> dict[str, Any]:
        await model_download.fetch(server)
        return server.services.status()

    @server.command("coai.why")
    def why() -> list[dict[str, Any]]:
        return server.services.why()
