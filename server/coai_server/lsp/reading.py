"""Reading the client's messages on the event loop, where its stream can be waited for there.

A thread that reads costs two changes of threads for every message, which on a busy machine is a
millisecond. So pipes and sockets are read by the loop, which asks only once there is something to
read; the descriptor stays a blocking one, because its flags may be shared with other processes. Of
files and on Windows the loop cannot know, and a thread reads (`transport.py`).

That the client is gone is seen by a thread nevertheless, so that a loop which hangs ends too.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import stat
import sys
import threading
from typing import TYPE_CHECKING, Final

from coai_server.jsonrpc import FrameParser, FramingError, Malformed, read_message
from coai_server.lsp.session import EndOfInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from coai_server.lsp.session import Delivery

logger = logging.getLogger(__name__)

CHUNK_BYTES: Final = 64 * 1024
"""What is read at once: as much as a pipe holds on Linux."""


def can_be_waited_for(descriptor: int) -> bool:
    """Say whether the loop can tell when there is something to read, and a thread when no more."""
    if sys.platform == "win32" or not hasattr(select, "poll"):
        return False
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


class LoopReader:
    """Reads one stream on the loop, and no more than `most_unhandled` messages ahead of it."""

    def __init__(
        self,
        descriptor: int,
        *,
        deliver: Callable[[Delivery], None],
        ended: Callable[[], None],
        most_unhandled: int,
    ) -> None:
        """Take a descriptor that `can_be_waited_for`; must be made on the loop.

        `deliver` is called on the loop, `ended` once, as soon as there is nothing more to read, on
        the loop or in a thread.
        """
        self._loop = asyncio.get_running_loop()
        self._descriptor = descriptor
        self._deliver = deliver
        self._ended = ended
        self._most_unhandled = most_unhandled
        self._unhandled = 0
        self._parser = FrameParser()
        self._bodies: Iterator[bytearray | Malformed] = iter(())
        """What was read and is not delivered yet."""
        self._reading = self._over = False
        self._telling = threading.Lock()
        self._told = False

    def start(self) -> None:
        """Begin to read. Raises OSError or NotImplementedError where the loop cannot."""
        self._go_on()
        thread = threading.Thread(target=self._watch, name="coai-watch", daemon=True)
        thread.start()

    def consumed(self) -> None:
        """Let one message more be read."""
        self._unhandled -= 1
        if not self._reading and not self._over:
            self._hand_on()

    def close(self) -> None:
        """Read nothing more."""
        self._over = True
        self._pause()

    def _go_on(self) -> None:
        if not self._reading:
            self._loop.add_reader(self._descriptor, self._read)
            self._reading = True

    def _pause(self) -> None:
        if self._reading and not self._loop.is_closed():
            self._loop.remove_reader(self._descriptor)
        self._reading = False

    def _read(self) -> None:
        try:
            chunk = os.read(self._descriptor, CHUNK_BYTES)
        except OSError as error:
            logger.info("Reading from the client failed: %s", error)
            self._end()
            return
        if chunk:
            self._bodies = iter(self._parser.feed(chunk))
            self._hand_on()
        else:
            self._end()

    def _hand_on(self) -> None:
        """Deliver what was read, and read on once all of it is delivered."""
        try:
            while self._unhandled < self._most_unhandled:
                body = next(self._bodies, None)
                if body is None:
                    self._go_on()
                    return
                self._unhandled += 1
                self._deliver(body if isinstance(body, Malformed) else read_message(body))
            self._pause()
        except FramingError as error:
            self._end(str(error))

    def _end(self, fault: str = "") -> None:
        self.close()
        if not fault and self._parser.inside_frame:
            logger.warning("The client's stream ended in the middle of a message.")
        self._tell()
        self._deliver(EndOfInput(fault))

    def _tell(self) -> None:
        with self._telling:
            told, self._told = self._told, True
        if not told:
            self._ended()

    def _watch(self) -> None:
        """Wait until nobody can write to the stream any more."""
        gone = select.poll()
        # Whether the other end is closed is told without being asked for; half of a socket is not.
        gone.register(self._descriptor, getattr(select, "POLLRDHUP", 0))
        for _, happened in gone.poll():
            if not happened & select.POLLNVAL:
                self._tell()
