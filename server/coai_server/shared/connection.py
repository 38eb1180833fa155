"""What doors in the daemon are given: a connection, and what they have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from coai_agents.application.shared.background_runs import BackgroundRuns
from coai_agents.application.shared.kept_models import KeptModels
from coai_server.shared.talk import TalkError, decoded

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncGenerator, Coroutine

    from coai_server.shared.talk import Hello

MOST_BYTES: Final = 64 * 1024 * 1024
"""Of what asks: it holds a whole file."""

_CHUNK_BYTES: Final = 256 * 1024


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


async def request_of(connection: Connection) -> dict[str, Any] | None:
    """Read the one line that asks for something; None from who leaves without asking.

    Raises `TalkError`.
    """
    read = bytearray()
    while not read.endswith(b"\n"):
        chunk = await connection.reader.read(_CHUNK_BYTES)
        if not chunk and not read:
            return None
        if not chunk or len(read) > MOST_BYTES:
            raise TalkError("That is no request.")
        read += chunk
    return decoded(bytes(read))


def one_request(
    served: Callable[[Connection, dict[str, Any]], Coroutine[Any, Any, None]],
) -> Serve:
    """Return what serves connections that ask for one thing; one that leaves cancels it."""

    async def serve(connection: Connection) -> None:
        asked = await request_of(connection)
        if asked is not None:
            await while_there(connection, served(connection, asked))

    return serve


async def while_there(connection: Connection, work: Coroutine[Any, Any, None]) -> None:
    """Do work for a client that has asked; one that leaves cancels it. Raises as the work does."""
    doing = asyncio.create_task(work)
    # Whoever has asked says nothing more, so what can be read is the end.
    leaving = asyncio.create_task(connection.reader.read(1))
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        doing.cancel()
        leaving.cancel()
        await asyncio.wait({doing, leaving})
        if not leaving.cancelled():
            leaving.exception()  # that a client is gone is nothing to be told of
    if not doing.cancelled():
        doing.result()
