"""Server-sent events, decoded as they come (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from typing import Final

_LINE_LIMIT: Final = 4_194_304


class OverlongEventError(ValueError):
    """An event is longer than anything sensible."""


class EventDecoder:
    """Turns bytes into the data of events.

    Of an event only its data counts here; names, ids and comments are skipped. Lines may end in
    LF or CRLF. llama.cpp used to report failures in a field `error:` of its own, which comes out
    as the data `{"error": ...}` that everybody sends today.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, received: bytes) -> list[bytes]:
        """Return the data of the events that are now complete."""
        *lines, self._rest = (self._rest + received).split(b"\n")
        if len(self._rest) > _LINE_LIMIT:
            raise OverlongEventError("an event is too long")
        events: list[bytes] = []
        for line in lines:
            field = line[:-1] if line.endswith(b"\r") else line
            if not field:
                if self._data:
                    events.append(b"\n".join(self._data))
                    self._data = []
            elif field.startswith(b"data:"):
                self._data.append(field[5:].removeprefix(b" "))
            elif field.startswith(b"error:"):
                self._data.append(b'{"error":%b}' % field[6:])
        return events
