"""The door in the shared daemon: an agent for each connection; models for all."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from acp import run_agent

from coai_server.acp.app import CoaiAgent
from coai_server.acp.sessions import Sessions, location

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from acp.interfaces import Agent

    from coai_server.shared.connection import Common, Connection, Serve


@asynccontextmanager
async def opened(common: Common) -> AsyncGenerator[Serve]:
    """Give what serves a connection."""

    async def serve(connection: Connection) -> None:
        async with common.models.of(Path(connection.hello.directory)) as models:
            agent = cast("Agent", CoaiAgent(models, Sessions(location())))
            await run_agent(agent, connection.writer, connection.reader, use_unstable_protocol=True)

    yield serve
