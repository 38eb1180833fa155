"""Streamed replies, decoded as they come: server-sent events, or JSON in one value or many lines.

Which of them comes, the first byte tells: servers that ignore `stream` answer with one JSON value,
others label one form as the other. Server-sent events are read as WHATWG HTML, section 9.2, says.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_LIMIT: Final = 4_194_304
_BOM: Final = b"\xef\xbb\xbf"
_END: Final = b"[DONE]"


class OverlongEventError(ValueError):
    """An event is longer than anything sensible."""


class Event(NamedTuple):
    """One event of a stream."""

    data: bytes
    kind: str = ""
    """What the server calls it; empty where it says nothing."""

    @property
    def is_end(self) -> bool:
        """Whether it is OpenAI's word that nothing more will come."""
        return self.data.strip(b' \t"').upper() == _END


class EventDecoder:
    """Turns bytes of server-sent events into events.

    Lines may end in LF, CRLF or CR; comments, ids and unknown fields are skipped. llama.cpp used to
    report failures in a field `error:` of its own, which comes out as an event of kind `error`.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._kind = ""
        self._is_first = True
        self._after_cr = False

    def feed(self, received: bytes) -> list[Event]:
        """Return the events that are now complete."""
        if self._after_cr and received:
            # A CRLF may be cut in two.
            received = received.removeprefix(b"\n")
            self._after_cr = False
        if received.endswith(b"\r"):
            self._after_cr = True
        text = self._rest + received
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, self._rest = text.split(b"\n")
        if len(self._rest) > _LIMIT:
            raise OverlongEventError("an event is too long")
        events: list[Event] = []
        for line in lines:
            if line:
                self._take(line)
            elif (event := self._dispatched()) is not None:
                events.append(event)
        return events

    def finish(self) -> list[Event]:
        """Return the last event, if it is whole but for the empty line after it."""
        if self._rest:
            self._take(self._rest)
            self._rest = b""
        event = self._dispatched()
        return [event] if event is not None and (event.is_end or _is_json(event.data)) else []

    def _take(self, line: bytes) -> None:
        if self._is_first:
            self._is_first = False
            line = line.removeprefix(_BOM)
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._kind = value.decode("utf-8", "replace")
        elif name == b"error":
            self._kind = "error"
            self._data.append(value)

    def _dispatched(self) -> Event | None:
        """Return the event that an empty line ends; nothing if it has no data, as most pings."""
        data, self._data = b"\n".join(self._data), []
        kind, self._kind = self._kind, ""
        return Event(data, kind) if data.strip() else None


class JsonDecoder:
    """Turns bytes of JSON into events: one for each line, or for a value of several lines."""

    def __init__(self) -> None:
        self._line = b""
        self._value = b""

    def feed(self, received: bytes) -> list[Event]:
        """Return the values that are now complete."""
        *lines, self._line = (self._line + received).split(b"\n")
        if len(self._line) + len(self._value) > _LIMIT:
            raise OverlongEventError("a reply is too long")
        return [event for line in lines if (event := self._take(line)) is not None]

    def finish(self) -> list[Event]:
        """Return the last value, if it is whole but for the end of its line."""
        event = self._take(self._line)
        self._line = b""
        return [] if event is None else [event]

    @property
    def is_empty(self) -> bool:
        """Whether no value has begun that has not ended."""
        return not (self._line + self._value).strip()

    def _take(self, line: bytes) -> Event | None:
        if not self._value and Event(line.strip()).is_end:
            return Event(_END)
        self._value += line + b"\n"
        if line.rstrip()[-1:] not in (b"}", b"]") or not _is_json(self._value):
            return None
        value, self._value = self._value, b""
        return Event(value)


class ReplyDecoder:
    """Turns the bytes of a streamed reply into events, of whichever form they are."""

    def __init__(self) -> None:
        self._held = b""
        self._decoder: EventDecoder | JsonDecoder | None = None
        self._events = 0

    def feed(self, received: bytes) -> list[Event]:
        """Return the events that are now complete. Raises OverlongEventError."""
        if self._decoder is None:
            self._held += received
            begun = self._held.removeprefix(_BOM).lstrip()
            if not begun or _BOM.startswith(self._held):
                return []
            self._decoder = JsonDecoder() if begun[:1] in (b"{", b"[") else EventDecoder()
            received, self._held = begun, b""
        events = self._decoder.feed(received)
        self._events += len(events)
        return events

    def finish(self) -> list[Event]:
        """Return what the end of the reply completes; half of a value is nothing."""
        events = [] if self._decoder is None else self._decoder.finish()
        self._events += len(events)
        return events

    @property
    def was_one_value(self) -> bool:
        """Whether the reply, now at its end, was a single JSON value: no stream, but all of it."""
        decoder = self._decoder
        return isinstance(decoder, JsonDecoder) and decoder.is_empty and self._events == 1


async def decoded(
    decoder: ReplyDecoder, received: AsyncIterator[bytes]
) -> AsyncIterator[list[Event]]:
    """Yield the events of each piece that comes, and at last those that the end completes."""
    async for piece in received:
        yield decoder.feed(piece)
    yield decoder.finish()


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return True
