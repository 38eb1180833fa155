"""`coai http` with MCP at `/mcp`: the one place that knows two doors."""

from __future__ import annotations

import importlib.util
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from coai_server.http import start as http

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from starlette.types import ASGIApp

    from coai_agents.application.roots import Roots


def main(arguments: Sequence[str]) -> int:
    """Serve over HTTP, and MCP with it where its extra is installed; return the exit code."""
    there = importlib.util.find_spec("mcp") is not None
    return http.main(arguments, beside=_mcp if there else None)


@asynccontextmanager
async def _mcp(roots: Roots) -> AsyncGenerator[ASGIApp]:
    """Give MCP's application over HTTP; hosts, sites and tokens are the gate's affair."""
    from mcp.server.transport_security import TransportSecuritySettings  # noqa: PLC0415 (an extra)

    from coai_server.mcp.app import build, shared_by  # noqa: PLC0415 (as above)
    from coai_server.shared.connection import common  # noqa: PLC0415 (as above)

    async with (
        common() as kept,
        shared_by(kept) as shared,
        kept.models.of(roots.directory) as models,
    ):
        server = build(roots, models, shared)
        checked = TransportSecuritySettings(enable_dns_rebinding_protection=False)
        app = server.streamable_http_app(transport_security=checked)
        async with server.session_manager.run():
            yield app
