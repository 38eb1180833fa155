"""A thin forwarder: JSON-RPC in lines, between standard input and output and the daemon.

It looks at messages for one purpose: whoever waits for an answer when the daemon ends gets an
error instead, and no silence.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

GONE: Final = -32001
"""The error's code, of those that JSON-RPC leaves to servers."""

ANSWERS_SECONDS: Final = 1.0
"""How long, when the input has ended, what was asked before may still be answered."""

LAST_SECONDS: Final = 5.0
"""How long the daemon may take to end when the input has ended."""

_CHUNK_BYTES: Final = 64 * 1024


class Lines:
    """Cuts a stream into lines, however it was cut into chunks."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield every line that a chunk completes."""
        *whole, rest = chunk.split(b"\n")
        for each in whole:
            self._parts.append(each)
            yield b"".join(self._parts)
            self._parts = []
        if rest:
            self._parts.append(rest)


class Waiting:
    """The requests that have not been answered, in their order."""

    def __init__(self) -> None:
        self._guard = threading.Condition()
        self._ids: dict[str, Any] = {}

    def asked(self, line: bytes) -> None:
        """Take note of a client's message."""
        message = _message(line)
        if message is not None and "method" in message and "id" in message:
            with self._guard:
                self._ids[json.dumps(message["id"])] = message["id"]

    def answered(self, line: bytes) -> None:
        """Take note of the daemon's message."""
        message = _message(line)
        if message is not None and "method" not in message and "id" in message:
            with self._guard:
                self._ids.pop(json.dumps(message["id"]), None)
                self._guard.notify_all()

    def settle(self, seconds: float) -> None:
        """Return when everything is answered, or after so many seconds."""
        with self._guard:
            self._guard.wait_for(lambda: not self._ids, seconds)

    def errors(self) -> bytes:
        """Return an error for each request that will not be answered any more."""
        with self._guard:
            ids, self._ids = list(self._ids.values()), {}
        return b"".join(json.dumps(_gone(each)).encode() + b"\n" for each in ids)


def _gone(asked: object) -> dict[str, Any]:
    return {
        "jsonrpc": "2.0",
        "id": asked,
        "error": {
            "code": GONE,
            "message": "COAI's daemon ended before it answered. Ask again: without a daemon "
            "`coai` works by itself, and `coai daemon start` starts another.",
            "data": {"kind": "daemon-gone"},
        },
    }


def _message(line: bytes) -> dict[str, Any] | None:
    try:
        message: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", message) if isinstance(message, dict) else None


def forward(connection: socket.socket, reading: int = 0, writing: int = 1) -> int:
    """Forward until either side ends; return the exit code: 1 where the daemon ended first."""
    waiting, ended = Waiting(), threading.Event()

    def to_daemon() -> None:
        lines = Lines()
        # OSError: the daemon is gone; what it leaves unanswered is seen by the other thread.
        with contextlib.suppress(OSError):
            while chunk := os.read(reading, _CHUNK_BYTES):
                for line in lines.feed(chunk):
                    waiting.asked(line)
                    connection.sendall(line + b"\n")
            ended.set()
            waiting.settle(ANSWERS_SECONDS)
            connection.settimeout(LAST_SECONDS)
            connection.shutdown(socket.SHUT_WR)

    threading.Thread(target=to_daemon, name="to the daemon", daemon=True).start()
    try:
        _from_daemon(connection, waiting, writing)
        if not ended.is_set():
            _write(writing, waiting.errors())
    except OSError:  # nobody reads any more
        return 1
    return 0 if ended.is_set() else 1


def _from_daemon(connection: socket.socket, waiting: Waiting, writing: int) -> None:
    lines = Lines()
    while True:
        try:
            chunk = connection.recv(_CHUNK_BYTES)
        except OSError:  # a reset, or no end in time
            return
        if not chunk:
            return
        for line in lines.feed(chunk):
            waiting.answered(line)
            _write(writing, line + b"\n")


def _write(writing: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(writing, rest) :]
