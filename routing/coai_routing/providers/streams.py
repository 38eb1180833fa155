"""What the providers share in turning a stream into a reply."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from coai_routing.providers.backend import Backend
    from coai_routing.request import Delta, ModelReply, ModelRequest


async def collect(backend: Backend, deltas: AsyncGenerator[Delta]) -> ModelReply:
    """Read a stream to its end and return the whole reply; closed with the stream if cancelled."""
    async with aclosing(deltas):
        async for delta in deltas:
            if delta.reply is not None:
                return delta.reply
    raise backend.cut_off("")


def require_prompt(backend: Backend, request: ModelRequest) -> None:
    """Raise RequestRejectedError for messages where a raw prompt is wanted."""
    if request.prompt is None:
        raise backend.rejected("it has messages, not a prompt.", "Call `chat` with messages.")


def require_messages(backend: Backend, request: ModelRequest) -> None:
    """Raise RequestRejectedError for a raw prompt where messages are wanted."""
    if not request.messages:
        raise backend.rejected("it has a prompt, not messages.", "Call `complete` with a prompt.")


def sendable(content: str) -> str:
    """Return text that has a UTF-8 form: an editor can send half of a surrogate pair."""
    return content if content.isascii() else content.encode("utf-8", "replace").decode()
