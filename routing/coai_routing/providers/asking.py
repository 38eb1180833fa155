"""Short questions to a server, such as which models it has: JSON in one piece, or our error."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final

from coai_routing.providers.http import MalformedReplyError
from coai_routing.providers.replies import failures
from coai_routing.providers.replies.events import media_type

if TYPE_CHECKING:
    from collections.abc import Container

    from coai_routing.providers.description import BackendDescription
    from coai_routing.providers.http import Client, Reply

_OK: Final = 200


async def ask(
    client: Client, backend: BackendDescription, path: str, *, seconds: float, body: object = None
) -> object:
    """Return what a server answers to GET, or to POST if there is a body; raises ProviderError."""
    deadline = asyncio.get_running_loop().time() + seconds
    method, content = ("GET", b"") if body is None else ("POST", json.dumps(body).encode())
    reply: Reply | None = None
    try:
        reply = await client.send(method, path, content, deadline=deadline)
        await expect(reply, backend, ("application/json",))
        return json.loads(await reply.read())
    except (OSError, ValueError, MalformedReplyError) as error:
        raise failures.from_exception(backend, error, seconds=seconds) from error
    finally:
        if reply is not None:
            reply.close()


async def expect(
    reply: Reply,
    backend: BackendDescription,
    media_types: Container[str],
    *,
    model: str | None = None,
) -> None:
    """Raise what any reply means that is not a good one of those types."""
    if reply.status != _OK:
        body = await reply.read()
        raise failures.from_status(backend, reply.status, reply.headers, body, model=model)
    given = reply.headers.get("content-type", "")
    if media_type(given) not in media_types:
        raise failures.from_content_type(backend, given)
