"""`workspace/executeCommand`: what the editor's user can have the server do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from coai_server.daemon.status import describe_history, describe_models, describe_status
from coai_server.lsp.features import model_download

if TYPE_CHECKING:
    from coai_server.lsp.server import Server


def register(server: Server) -> None:
    """Register the commands that `capabilities.COMMANDS` names."""

    @server.command("coai.completionAccepted")
    def accepted(identity: int) -> None:
        server.services.accepted(identity)

    @server.command("coai.models")
    async def models() -> list[dict[str, Any]]:
        return await asyncio.to_thread(describe_models, server.services)

    @server.command("coai.pullModel")
    async def pull_model(*names: str) -> dict[str, Any]:
        # pygls lets only a rest of arguments be left out.
        pulled = await model_download.fetch(server, str(names[0]) if names else "")
        return {**describe_status(server.services), "pulled": pulled}

    @server.command("coai.settings")
    def settings() -> list[dict[str, Any]]:
        return server.services.settings_in_force()

    @server.command("coai.snooze")
    def snooze(minutes: float) -> dict[str, Any]:
        server.services.snooze(minutes)
        return describe_status(server.services)

    @server.command("coai.why")
    def why() -> list[dict[str, Any]]:
        return describe_history(server.services)
