"""An editor of the rudest kind: raw JSON-RPC over a server process's streams, with deadlines.

It shares nothing with the code under test. Whatever the server says is either waited for by a test
or left over, and what is left over fails the test: see `LspClient.left_over`.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Self, TypeAlias, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from types import TracebackType

Json: TypeAlias = dict[str, Any]
Loaded: TypeAlias = Any
Id: TypeAlias = int | str

SECONDS = 60.0
"""How long to wait for anything. Never reached unless something is wrong."""

APP = Path(__file__).with_name("lsp_app.py")


def frame(message: object) -> bytes:
    """Return a message as it goes over the wire."""
    body = json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class RecordingWire:
    """Stands for a transport: keeps what a `Session` in this process sends."""

    def __init__(self) -> None:
        self.sent: list[Json] = []

    def send(self, frame: bytes) -> None:
        """Keep the message."""
        self.sent.append(json.loads(frame.partition(b"\r\n\r\n")[2]))

    def consumed(self) -> None:
        """Nothing is read here."""

    async def flush(self, seconds: float) -> None:
        """Nothing is queued here."""


class LspClient:
    """Talks to a server over two streams; `send` and the like never wait, `receive` does."""

    def __init__(self, reading: BinaryIO | IO[bytes], writing: BinaryIO | IO[bytes]) -> None:
        self._reading, self._writing = reading, writing
        self._arrived: queue.SimpleQueue[Json | str | None] = queue.SimpleQueue()
        self._pending: deque[Json] = deque()
        self._last_id = 0
        self._ended = False
        self._initialized = False
        self._paused = threading.Event()
        self._paused.set()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            self._paused.wait()
            header = self._reading.readline()
            if not header:
                break
            name, _, length = header.partition(b": ")
            blank = self._reading.readline()
            if name != b"Content-Length" or blank != b"\r\n":
                self._arrived.put(f"no frame: {header!r} {blank!r}")
                break
            self._arrived.put(json.loads(self._reading.read(int(length))))
        self._arrived.put(None)

    @contextlib.contextmanager
    def not_reading(self) -> Generator[None]:
        """Leave unread what the server sends, but for the message that is being read already."""
        self._paused.clear()
        yield
        self._paused.set()

    # Sending

    def send_bytes(self, raw: bytes) -> None:
        """Send exactly these bytes."""
        self._writing.write(raw)
        self._writing.flush()

    def send(self, *messages: object) -> None:
        """Send messages, in one write."""
        self.send_bytes(b"".join(frame(message) for message in messages))

    def start(self, method: str, params: object = None, *, message_id: Id | None = None) -> Id:
        """Send a request and return its id, the next number unless one is given."""
        if message_id is None:
            self._last_id += 1
            message_id = self._last_id
        message: Json = {"jsonrpc": "2.0", "id": message_id, "method": method}
        self.send(message if params is None else {**message, "params": params})
        return message_id

    def notify(self, method: str, params: object = None) -> None:
        """Send a notification."""
        message: Json = {"jsonrpc": "2.0", "method": method}
        self.send(message if params is None else {**message, "params": params})

    def cancel(self, message_id: Id) -> None:
        """Cancel a request."""
        self.notify("$/cancelRequest", {"id": message_id})

    # Receiving

    def receive(self, wanted: Callable[[Json], bool] = lambda _: True) -> Json:
        """Return the first message that is wanted, and keep the others for later."""
        for message in self._pending:
            if wanted(message):
                self._pending.remove(message)
                return message
        while True:
            arrived = self._next()
            if arrived is None:
                raise AssertionError(f"the server said no more; left over: {[*self._pending]}")
            if wanted(arrived):
                return arrived
            self._pending.append(arrived)

    def _next(self) -> Json | None:
        """Return the next message, or None at the end of the server's output."""
        if self._ended:
            return None
        try:
            arrived = self._arrived.get(timeout=SECONDS)
        except queue.Empty:
            raise AssertionError(f"nothing for {SECONDS} s; left: {[*self._pending]}") from None
        if isinstance(arrived, str):
            pytest.fail(arrived)
        self._ended = arrived is None
        return arrived

    def response(self, message_id: Id | None) -> Json:
        """Return the response with this id, of the same type."""
        return self.receive(
            lambda message: (
                "method" not in message
                and message.get("id") == message_id
                and type(message.get("id")) is type(message_id)
            )
        )

    def call(self, method: str, params: object = None) -> Loaded:
        """Send a request and return its result; fail on an error."""
        response = self.response(self.start(method, params))
        assert "error" not in response, response
        return response["result"]

    def error(self, method: str, params: object = None) -> Json:
        """Send a request and return its error; fail on a result."""
        response = self.response(self.start(method, params))
        assert "result" not in response, response
        return cast("Json", response["error"])

    def server_request(self, method: str) -> Json:
        """Wait for the server to ask something."""
        return self.receive(lambda message: message.get("method") == method and "id" in message)

    def answer(self, request: Json, result: object) -> None:
        """Answer what the server asked."""
        self.send({"jsonrpc": "2.0", "id": request["id"], "result": result})

    def refuse(self, request: Json) -> None:
        """Answer what the server asked with an error."""
        error = {"code": -32603, "message": "This client does not do that."}
        self.send({"jsonrpc": "2.0", "id": request["id"], "error": error})

    def notification(self, method: str) -> Json:
        """Wait for the server to tell something."""
        return self.receive(lambda message: message.get("method") == method)

    def settle(self) -> None:
        """Wait until everything sent before has been handled and answered.

        Requests that are still running may be answered later.
        """
        assert self.error("test/no such method")["code"] == -32601

    def rest(self) -> list[Json]:
        """Return everything up to the end of the server's output that no test waited for."""
        while (arrived := self._next()) is not None:
            self._pending.append(arrived)
        return self.left_over()

    def left_over(self) -> list[Json]:
        """Return and forget what the server has sent that no test waited for."""
        left = [*self._pending]
        self._pending.clear()
        return left

    # The usual beginning and end

    def initialize(self, capabilities: Json | None = None, **params: object) -> Json:
        """Initialize the server, process id null unless given; return what it can."""
        offered = {"processId": None, "capabilities": capabilities or {}, **params}
        answer: Json = self.call("initialize", offered)
        self.notify("initialized", {})
        self._initialized = True
        return answer

    def close_input(self) -> None:
        """End the stream to the server."""
        self._writing.close()

    def shut_down(self) -> None:
        """End it as the protocol says."""
        assert self.call("shutdown") is None
        self.notify("exit")


class ServerProcess(LspClient):
    """A server in a process of its own, over stdio. The end of the `with` block kills it.

    The block fails if the server has sent anything that nobody waited for, or no frames.
    """

    def __init__(
        self,
        *options: str,
        program: Sequence[str] = (sys.executable, str(APP)),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._log = Path(self._folder.name) / "stderr"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*program, *options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **(env or {})},
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        super().__init__(self.process.stdout, self.process.stdin)

    def exit_code(self) -> int:
        """Wait for its end."""
        return self.process.wait(SECONDS)

    def log(self) -> str:
        """Return what it has written to standard error."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def wait_for_log(self, wanted: str) -> str:
        """Wait until a line of standard error contains this, and return the line."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            # What stands after the last line end may still be being written.
            for line in self.log().rpartition("\n")[0].splitlines():
                if wanted in line:
                    return line
            time.sleep(0.01)
        raise AssertionError(f"{wanted!r} is not in the log:\n{self.log()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None and self.process.poll() is None and not self._writing.closed:
                if self._initialized:
                    self.shut_down()
                else:
                    self.notify("exit")
                assert self.exit_code() == (0 if self._initialized else 1)
            left = self.rest() if kind is None else []
        finally:
            self.process.kill()
            self.process.wait(SECONDS)
            self._reader.join(SECONDS)
            self._reading.close()
            # What the process did not read cannot be flushed any more.
            with contextlib.suppress(OSError):
                self._writing.close()
            self._folder.cleanup()
        assert left == [], f"nobody waited for {left}"
