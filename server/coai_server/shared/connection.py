"""What doors in the daemon are given: a connection, and what they have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from coai_agents.application.shared.background_runs import BackgroundRuns
from coai_agents.application.shared.kept_models import KeptModels

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncGenerator

    from coai_server.shared.talk import Hello


@dataclass(frozen=True, slots=True)
class Common:
    """What a process has once for all its clients."""

    models: KeptModels
    runs: BackgroundRuns


@asynccontextmanager
async def common() -> AsyncGenerator[Common]:
    """Give what is shared; what is under way is paused at the end."""
    models = KeptModels()
    runs = BackgroundRuns(models)
    try:
        yield Common(models, runs)
    finally:
        await runs.aclose()
        await models.aclose()


@dataclass(frozen=True, slots=True)
class Connection:
    """A stream to a client that has proven itself, and what it has said of itself."""

    hello: Hello
    reader: StreamReader
    writer: StreamWriter


Serve: TypeAlias = Callable[[Connection], Awaitable[None]]
"""Serves one connection of a door to its end; it is cancelled when the daemon ends."""

Open: TypeAlias = Callable[[Common], AbstractAsyncContextManager[Serve]]
"""Opens a door, for as long as the daemon serves."""
