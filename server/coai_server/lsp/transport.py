"""How bytes get in and out: stdio, which editors use. Sockets are in `listening.py`.

Pipes and sockets are read by the event loop (`reading.py`), what cannot be waited for by a thread
of its own. A thread of its own writes, so neither a client that stops reading nor a busy thread
pool ever delays the event loop. What the client takes at once is written at once: a thread that has
to be woken gets the interpreter only when the loop's thread lets it go. A process serves one client
and ends with it.

Over stdio, the protocol gets private copies of descriptors 0 and 1. Descriptor 1 and `sys.stdout`
lead to standard error from then on, and descriptor 0 to nothing, so no print of Python's or of
native code's, and no child process, can get between the messages.

How a server is put together stands in `session.py`.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import os
import select
import signal
import socket
import stat
import sys
import threading
from typing import TYPE_CHECKING, TextIO, TypeAlias, TypeVar

from coai_routing.errors import CoaiError
from coai_server.jsonrpc import FrameParser, FramingError, Malformed, read_message
from coai_server.lsp.reading import CHUNK_BYTES, LoopReader, can_be_waited_for
from coai_server.lsp.session import EndOfInput, Session

if sys.platform == "win32":
    import msvcrt

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from types import FrameType

    from coai_server.jsonrpc import Incoming
    from coai_server.lsp.session import Application, Delivery

logger = logging.getLogger(__name__)

MAX_QUEUED_BYTES = 64 * 1024 * 1024
"""A client that has let more than this pile up does not read any more, and is given up."""

MAX_UNHANDLED_MESSAGES = 1024
"""So many messages are read ahead of the loop; then the client has to wait."""

LAST_RESORT_SECONDS = 10.0
"""The process is gone so long after its session ended, whatever still holds it."""

_LAST_STANDARD_DESCRIPTOR = 2


class TransportError(CoaiError):
    """The client cannot be reached the way that was asked for."""


_Argument = TypeVar("_Argument")
Read: TypeAlias = "Callable[[int], bytes]"
Write: TypeAlias = "Callable[[memoryview], int]"
WriteNow: TypeAlias = "Callable[[bytes], int]"


class ThreadedWire:
    """Moves frames between two blocking byte streams and an event loop.

    `read` returns b"" at the stream's end, `write` how many bytes it took. `write_now` never waits,
    and returns how many bytes it could write. `readable` is the descriptor behind `read`, where the
    loop can wait for it.
    """

    def __init__(
        self,
        read: Read,
        write: Write,
        *,
        write_now: WriteNow | None = None,
        readable: int | None = None,
        max_queued_bytes: int = MAX_QUEUED_BYTES,
    ) -> None:
        self._read, self._write, self._write_now = read, write, write_now
        self._readable = readable
        self._reader: LoopReader | None = None
        self._max_queued_bytes = max_queued_bytes
        self._loop = asyncio.get_running_loop()
        self._unhandled = threading.Semaphore(MAX_UNHANDLED_MESSAGES)
        self._condition = threading.Condition()
        self._frames: collections.deque[bytes] = collections.deque()
        self._queued_bytes = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._closed = False
        self._broken: Callable[[str], None] = logger.warning

    def start(
        self,
        *,
        deliver: Callable[[Delivery], None],
        broken: Callable[[str], None],
        ended: Callable[[], None],
    ) -> None:
        """Begin to read and write.

        `deliver` and `broken` (with the reason why nothing can be written any more) are called on
        the loop, `ended` in any thread as soon as there is nothing more to read.
        """
        self._broken = broken
        threads = [threading.Thread(target=self._write_all, name="coai-write")]
        self._reader = self._on_the_loop(deliver, ended)
        if self._reader is None:
            reading = threading.Thread(
                target=self._read_all, args=(deliver, ended), name="coai-read"
            )
            threads.append(reading)
        for thread in threads:
            # A read that never returns must not keep the process.
            thread.daemon = True
            thread.start()

    def _on_the_loop(
        self, deliver: Callable[[Delivery], None], ended: Callable[[], None]
    ) -> LoopReader | None:
        """Begin to read on the loop; None where that cannot be."""
        if self._readable is None:
            return None
        reader = LoopReader(
            self._readable, deliver=deliver, ended=ended, most_unhandled=MAX_UNHANDLED_MESSAGES
        )
        try:
            reader.start()
        except (OSError, NotImplementedError) as error:
            logger.info("A thread reads from the client, because the loop cannot: %s", error)
            return None
        return reader

    def send(self, frame: bytes) -> None:
        """Write a frame, or queue it. Dropped without a word once the client is gone."""
        with self._condition:
            if self._closed:
                return
            queued = self._queued_bytes
            if not queued and self._write_now is not None:
                frame = frame[self._written_now(frame) :]
                if not frame:
                    return
            overflow = queued and queued + len(frame) > self._max_queued_bytes
            if not overflow:
                self._frames.append(frame)
                self._queued_bytes += len(frame)
                self._condition.notify()
        if overflow:
            self._give_up(f"it left {queued} bytes unread")

    def _written_now(self, frame: bytes) -> int:
        assert self._write_now is not None
        try:
            return self._write_now(frame)
        except OSError:
            # The writing thread meets the same, and gives the client up.
            return 0

    def consumed(self) -> None:
        """Let the reader read one message more."""
        if self._reader is None:
            self._unhandled.release()
        else:
            self._reader.consumed()

    async def flush(self, seconds: float) -> None:
        """Return when everything queued was written, or after so many seconds."""
        with self._condition:
            if self._closed or not self._queued_bytes:
                return
            written: asyncio.Future[None] = self._loop.create_future()
            self._waiting.append(written)
        await asyncio.wait({written}, timeout=seconds)

    def close(self) -> None:
        """Read and write nothing more. The threads end by themselves; called by any of them."""
        with self._condition:
            self._closed = True
            self._frames.clear()
            self._queued_bytes = 0
            waiting, self._waiting = self._waiting, []
            self._condition.notify()
        self._wake(waiting)
        if self._reader is not None:
            self._on_loop(LoopReader.close, self._reader)

    def _on_loop(self, callback: Callable[[_Argument], object], argument: _Argument) -> None:
        # RuntimeError: the loop is closed, so there is nobody left to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, argument)

    def _wake(self, waiting: list[asyncio.Future[None]]) -> None:
        for written in waiting:
            self._on_loop(_resolve, written)

    def _give_up(self, reason: str) -> None:
        self.close()
        self._on_loop(self._broken, reason)

    def _write_all(self) -> None:
        while (frame := self._next_frame()) is not None:
            rest = memoryview(frame)
            try:
                while rest:
                    rest = rest[self._write(rest) :]
            except OSError as error:
                self._give_up(str(error))
                return
            with self._condition:
                if self._closed:
                    return
                self._queued_bytes -= len(frame)
                waiting: list[asyncio.Future[None]] = []
                if not self._queued_bytes:
                    waiting, self._waiting = self._waiting, []
            self._wake(waiting)

    def _next_frame(self) -> bytes | None:
        with self._condition:
            while not self._frames and not self._closed:
                self._condition.wait()
            return None if self._closed else self._frames.popleft()

    def _read_all(self, deliver: Callable[[Delivery], None], ended: Callable[[], None]) -> None:
        fault = ""
        try:
            for message in self._messages():
                self._unhandled.acquire()
                self._on_loop(deliver, message)
                # While the next one is waited for, this one may be a document that has changed.
                del message
        except OSError as error:
            logger.info("Reading from the client failed: %s", error)
        except FramingError as error:
            fault = str(error)
        ended()
        self._on_loop(deliver, EndOfInput(fault))

    def _messages(self) -> Iterator[Incoming]:
        parser = FrameParser()
        while chunk := self._read(CHUNK_BYTES):
            for body in parser.feed(chunk):
                yield body if isinstance(body, Malformed) else read_message(body)
        if parser.inside_frame:
            logger.warning("The client's stream ended in the middle of a message.")


def _resolve(written: asyncio.Future[None]) -> None:
    if not written.done():
        written.set_result(None)


def run_stdio(application: Application) -> int:
    """Serve the client on standard input and output; return the process's exit code.

    Takes both for good: see the module's docstring. Raises `TransportError` if there are none.
    """
    reading, writing = claim_stdio()

    def read(count: int) -> bytes:
        return os.read(reading, count)

    def write(rest: memoryview) -> int:
        return os.write(writing, rest)

    readable = reading if can_be_waited_for(reading) else None
    with without_waiting(writing) as write_now:
        return asyncio.run(serve(application, read, write, write_now=write_now, readable=readable))


@contextlib.contextmanager
def without_waiting(descriptor: int) -> Generator[WriteNow | None]:
    """Give how to write as much as can be written at once; None where that cannot be known.

    The descriptor stays a blocking one: its flags may be shared with other processes.
    """
    mode = os.fstat(descriptor).st_mode
    if sys.platform == "win32":
        yield None
    elif stat.S_ISSOCK(mode):
        # Node.js, and so VS Code, connects its children by pairs of sockets.
        with socket.socket(fileno=os.dup(descriptor)) as connection:

            def send(frame: bytes) -> int:
                with contextlib.suppress(BlockingIOError):
                    return connection.send(frame, socket.MSG_DONTWAIT)
                return 0

            yield send
    elif stat.S_ISFIFO(mode):
        room = select.poll()
        room.register(descriptor, select.POLLOUT)

        def write(frame: bytes) -> int:
            # POSIX: a pipe that can be written to takes so many bytes in one piece.
            return os.write(descriptor, frame[: select.PIPE_BUF]) if room.poll(0) else 0

        yield write
    else:
        yield None


def claim_stdio() -> tuple[int, int]:
    """Take standard input and output for the protocol; return the descriptors to use.

    Raises `TransportError` if one of them is closed.
    """
    # Python's types do not say so, but a stream that was closed at the start is None.
    streams: tuple[TextIO | None, ...] = (sys.stdin, sys.stdout, sys.stderr)
    stdin, stdout, stderr = streams
    if stdin is None or stdout is None:
        raise TransportError(
            "Standard input or output is closed.",
            remedy="Let an editor start this command, or use --tcp.",
        )
    stdout.flush()
    nowhere = os.open(os.devnull, os.O_RDWR)
    if stderr is None:
        # Else the next descriptor that is opened would be 2, and would get what is meant for it.
        os.dup2(nowhere, 2)
        stderr = os.fdopen(2, "w", closefd=False)
        sys.stderr = stderr
    reading, writing = os.dup(0), os.dup(1)
    if sys.platform == "win32":
        msvcrt.setmode(reading, os.O_BINARY)
        msvcrt.setmode(writing, os.O_BINARY)
    else:
        # Some editors hand their own non-blocking descriptors on.
        os.set_blocking(reading, True)
        os.set_blocking(writing, True)
    os.dup2(nowhere, 0)
    os.dup2(2, 1)
    if nowhere > _LAST_STANDARD_DESCRIPTOR:
        os.close(nowhere)
    sys.stdout = stderr
    return reading, writing


async def serve(
    application: Application,
    read: Read,
    write: Write,
    *,
    write_now: WriteNow | None = None,
    readable: int | None = None,
    remote: bool = False,
) -> int:
    """Run one session over two streams; `readable` as `ThreadedWire` has it, `remote` `Session`."""

    def broken(reason: str) -> None:
        logger.warning("The client is gone: %s.", reason)
        session.stop(1)

    wire = ThreadedWire(read, write, write_now=write_now, readable=readable)
    session = Session(application, wire, remote=remote)
    with _stopped_by_signals(session):
        # The end is seen by a thread, not by the loop, so that a loop which hangs ends too.
        wire.start(deliver=session.deliver, broken=broken, ended=lambda: _end_by_force(1))
        exit_code = await session.run()
        _end_by_force(exit_code)
        await session.aclose()
        wire.close()
    return exit_code


def _end_by_force(exit_code: int) -> None:
    """See to it that the process ends, even if a thread or a service of it does not."""
    timer = threading.Timer(LAST_RESORT_SECONDS, os._exit, (exit_code,))
    timer.daemon = True
    timer.start()


@contextlib.contextmanager
def _stopped_by_signals(session: Session) -> Generator[None]:
    """End the session in order on the signals that ask for it, with the shell's exit code."""
    loop = asyncio.get_running_loop()

    def stop(number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(session.stop, 128 + number)

    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
