"""Streams of server-sent events, declared as such; a client that does not read is dropped.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from starlette.types import Receive, Scope, Send

logger = logging.getLogger(__name__)

SEND_SECONDS: Final = 30.0
"""In which a client has to take what it is sent; one that is frozen costs no more than the buffers
of one connection for so long."""

_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}


DOCUMENTED_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Server-sent events.",
        "content": {
            "text/event-stream": {
                "schema": {
                    "type": "object",
                    "description": "One event; `data` is JSON.",
                    "properties": {
                        "event": {"type": "string"},
                        "id": {"type": "string"},
                        "data": {"type": "string"},
                    },
                    "required": ["data"],
                }
            }
        },
    }
}
"""What an operation that streams answers; each event is of that form."""


def event(said: object, *, name: str = "", number: int | None = None) -> str:
    """Return one event. JSON without line ends, so nothing that is said begins another one."""
    lines = [f"event: {name}\n"] if name else []
    lines += [f"id: {number}\n"] if number is not None else []
    return "".join([*lines, "data: ", json.dumps(said, separators=(",", ":")), "\n\n"])


HEARTBEAT: Final = ": alive\n\n"
"""A comment, which clients skip."""


class EventStream(Response):
    """Sends what a generator yields, and closes it when the client has gone or does not read."""

    media_type = "text/event-stream"

    def __init__(
        self,
        content: AsyncGenerator[str],
        headers: Mapping[str, str] | None = None,
        *,
        seconds: float = SEND_SECONDS,
    ) -> None:
        self._content = content
        self._seconds = seconds
        super().__init__(None, 200, {**_HEADERS, **(headers or {})})
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the content ends, the client goes, or it takes nothing for too long."""
        del scope
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.wait((sending, leaving))
        if not sending.cancelled() and (error := sending.exception()) is not None:
            raise error

    async def _send(self, send: Send) -> None:
        async def in_time(message: dict[str, Any]) -> None:
            async with asyncio.timeout(self._seconds):
                await send(message)

        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        try:
            async with aclosing(self._content) as pieces:
                await in_time(start)
                async for piece in pieces:
                    body = {"type": "http.response.body", "body": piece.encode()}
                    await in_time({**body, "more_body": True})
                await in_time({"type": "http.response.body", "body": b""})
        except TimeoutError:
            logger.info("A client that did not read was dropped.")


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
