"""The door for single completions in the shared daemon: one line asks, one line answers.

    client  {"path": ..., "text": ..., "language": ..., "offset": ...}
    daemon  {"text": ..., "account": {...}}

`text` is null where there is no suggestion, and `account` says why, as the status does.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coai_agents.application.complete import Completions, edit_of
from coai_agents.application.document_settings import DocumentSettings
from coai_agents.completion.outcome import Suggestion
from coai_agents.source import Source
from coai_server.daemon.status import describe_event
from coai_server.shared.connection import one_request
from coai_server.shared.talk import encoded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from coai_agents.application.shared.shared_models import Models
    from coai_server.shared.connection import Common, Connection, Serve


@asynccontextmanager
async def opened(common: Common) -> AsyncGenerator[Serve]:
    """Give what answers a connection's one request."""
    yield one_request(partial(_served, common))


async def _served(common: Common, connection: Connection, asked: dict[str, Any]) -> None:
    hello = connection.hello
    async with common.models.of(Path(hello.directory)) as models:
        told = await _completed(models, Path(hello.roots[0]), asked)
    connection.writer.write(encoded(told))
    await connection.writer.drain()


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
