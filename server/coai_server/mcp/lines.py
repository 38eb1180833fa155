"""A server of tools on a socket: messages in lines, as on standard input and output."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final, cast

from mcp.server.stdio import stdio_server

from coai_server.shared.forwarding import Lines
from coai_server.shared.talk import TalkError

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncGenerator

    import anyio
    from mcp.server.mcpserver import MCPServer

MOST_BYTES: Final = 64 * 1024 * 1024
"""Of a message: some clients send whole diffs."""

_CHUNK_BYTES: Final = 64 * 1024


class _Reading:
    """A stream's lines, as the SDK reads them from standard input."""

    def __init__(self, reader: StreamReader) -> None:
        self._reader = reader

    async def __aiter__(self) -> AsyncGenerator[str]:
        lines, held = Lines(), 0
        # OSError: the client is gone, which is its end.
        with contextlib.suppress(OSError):
            while chunk := await self._reader.read(_CHUNK_BYTES):
                held += len(chunk)
                for line in lines.feed(chunk):
                    held = 0
                    yield line.decode("utf-8", "replace")
                if held > MOST_BYTES:
                    raise TalkError(f"A message of more than {MOST_BYTES} bytes is not read.")


class _Writing:
    """A stream that messages are written to, as the SDK writes them to standard output."""

    def __init__(self, writer: StreamWriter) -> None:
        self._writer = writer

    async def write(self, text: str) -> None:
        self._writer.write(text.encode())

    async def flush(self) -> None:
        # A client that does not read holds up nobody but itself.
        with contextlib.suppress(OSError):
            await self._writer.drain()


async def serve_lines(server: MCPServer[Any], reader: StreamReader, writer: StreamWriter) -> None:
    """Serve until the client's side ends."""
    lowlevel = server._lowlevel_server  # noqa: SLF001 - as its own `run_stdio_async` does  # pyright: ignore[reportPrivateUsage]
    given = cast("anyio.AsyncFile[str]", _Reading(reader))
    taken = cast("anyio.AsyncFile[str]", _Writing(writer))
    async with stdio_server(given, taken) as (read_stream, write_stream):
        await lowlevel.run(read_stream, write_stream, lowlevel.create_initialization_options())
