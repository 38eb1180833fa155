"""What the providers share in turning a stream into a reply."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from coai_routing.providers.description import BackendDescription
    from coai_routing.request import Delta, ModelReply, ModelRequest


async def collect(backend: BackendDescription, deltas: AsyncGenerator[Delta]) -> ModelReply:
    """Read a stream to its end and return the whole reply; closed with the stream if cancelled."""
    async with aclosing(deltas):
        async for delta in deltas:
            if delta.reply is not None:
                return delta.reply
    raise backend.cut_off("")


def require_prompt(backend: BackendDescription, request: ModelRequest) -> None:
    """Raise RequestRejectedError for messages where a raw prompt is wanted."""
    if request.prompt is None:
        raise backend.rejected("it has messages, not a prompt.", "Call `chat` with messages.")


def require_messages(backend: BackendDescription, request: ModelRequest) -> None:
    """Raise RequestRejectedError for a raw prompt where messages are wanted."""
    if not request.messages:
        raise backend.rejected("it has a prompt, not messages.", "Call `complete` with a prompt.")


def sendable(content: str) -> str:
    """Return text that has a UTF-8 form: an editor can send half of a surrogate pair."""
    return content if content.isascii() else content.encode("utf-8", "replace").decode()


class StopWords:
    """Ends a text before the first of some words, for servers that take fewer of them.

    The end of what has come is held back while it may be the beginning of such a word.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = tuple(word for word in words if word)
        self._held = ""
        self.met = False
        """Whether one has come; nothing counts that comes after it."""

    def feed(self, piece: str) -> str:
        """Take a piece in and return what can be said for certain."""
        if not self._words or self.met:
            return "" if self.met else piece
        text, self._held = self._held + piece, ""
        found = [at for word in self._words if (at := text.find(word)) >= 0]
        if found:
            self.met = True
            return text[: min(found)]
        held = max(_overlap(text, word) for word in self._words)
        if held:
            text, self._held = text[:-held], text[-held:]
        return text

    def finish(self) -> str:
        """Return what was held back and turned out to be no stop word."""
        held, self._held = self._held, ""
        return "" if self.met else held


def _overlap(text: str, word: str) -> int:
    """Return how many characters at the end of a text are the beginning of a word, not all."""
    longest = min(len(text), len(word) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(word[:size])), 0)
