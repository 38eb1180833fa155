"""The door for single completions in the shared daemon: one line asks, one line answers.

    client  {"path": ..., "text": ..., "language": ..., "offset": ...}
    daemon  {"text": ..., "account": {...}}

`text` is null where there is no suggestion, and `account` says why, as the status does.
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from coai_agents.application.complete import Completions, edit_of
from coai_agents.application.document_settings import DocumentSettings
from coai_agents.completion.outcome import Suggestion
from coai_agents.source import Source
from coai_server.daemon.status import describe_event
from coai_server.shared.talk import TalkError, encoded

if TYPE_CHECKING:
    from asyncio import StreamReader
    from collections.abc import AsyncGenerator

    from coai_agents.application.shared.shared_models import Models
    from coai_server.shared.connection import Common, Connection, Serve

MOST_BYTES: Final = 64 * 1024 * 1024
"""Of what asks: it holds a whole file."""

_CHUNK_BYTES: Final = 256 * 1024


@asynccontextmanager
async def opened(common: Common) -> AsyncGenerator[Serve]:
    """Give what answers a connection's one request."""

    async def serve(connection: Connection) -> None:
        hello = connection.hello
        asked = await _request(connection.reader)
        async with common.models.of(Path(hello.directory)) as models:
            told = await _completed(models, Path(hello.roots[0]), asked)
        connection.writer.write(encoded(told))
        await connection.writer.drain()

    yield serve


async def _request(reader: StreamReader) -> dict[str, Any]:
    read = bytearray()
    while not read.endswith(b"\n"):
        chunk = await reader.read(_CHUNK_BYTES)
        if not chunk or len(read) > MOST_BYTES:
            raise TalkError("That is no request for a completion.")
        read += chunk
    return json.loads(read)


async def _completed(models: Models, root: Path, asked: dict[str, Any]) -> dict[str, Any]:
    folder = await models.opened(root)
    settings = DocumentSettings(lambda: folder.loaded, [root])
    completions = Completions(folder.models, settings)
    try:
        await completions.start()
        source = Source(Path(asked["path"]).as_uri(), asked["text"], asked["language"])
        offset = int(asked["offset"])
        outcome = await completions.complete(source, offset)
        history = completions.completer.history
        account = describe_event(history[-1]) if history else {}
    finally:
        await completions.aclose()
    text = edit_of(source, offset, outcome).text if isinstance(outcome, Suggestion) else None
    return {"text": text, "account": account}
