"""The door in the shared daemon: a server of tools for each connection; models and runs for all."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from coai_agents.application.roots import Roots
from coai_server.mcp.app import build, shared_by
from coai_server.mcp.lines import serve_lines

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from coai_server.shared.connection import Common, Connection, Serve


@asynccontextmanager
async def opened(common: Common) -> AsyncGenerator[Serve]:
    """Give what serves a connection."""
    async with shared_by(common) as shared:

        async def serve(connection: Connection) -> None:
            hello = connection.hello
            directory = Path(hello.directory)
            roots = Roots([Path(each) for each in hello.roots], directory)
            async with common.models.of(directory) as models:
                server = build(roots, models, shared)
                await serve_lines(server, connection.reader, connection.writer)

        yield serve
