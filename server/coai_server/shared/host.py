"""The daemon: it listens, has clients prove themselves, and gives their streams to doors.

A door is opened for its first client and closed when the daemon ends, so what is costly to have
(models, the journal, imports) is there once for all of the user's clients.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from coai_routing.background import Background
from coai_server.shared.connection import Connection
from coai_server.shared.place import Record, coai_version, is_served, surroundings
from coai_server.shared.talk import (
    MOST_LINE_BYTES,
    Hello,
    TalkError,
    check,
    decoded,
    encoded,
    peer_uid,
    proof,
)

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Callable, Mapping

    from coai_server.shared.connection import Common, Serve
    from coai_server.shared.place import Place
    from coai_server.shared.talk import Refusal

logger = logging.getLogger(__name__)

GREETING_SECONDS: Final = 10.0
"""Within this time a client proves itself and says what it wants."""

MOST_CLIENTS: Final = 200
"""Connections at a time, those that have not proven themselves among them."""

ENDING_SECONDS: Final = 10.0
"""How long doors may take to end."""

_WATCH_SECONDS: Final = 1.0


class Host:
    """One daemon. It belongs to one event loop."""

    def __init__(
        self,
        place: Place,
        doors: Mapping[str, str],
        common: Common,
        *,
        idle_seconds: float = 0.0,
    ) -> None:
        """Take the doors' names, and the modules whose `opened` opens each.

        It ends by itself after `idle_seconds` without a client and without a run; 0 is never.
        """
        self._place = place
        self._doors = doors
        self._common = common
        self._idle_seconds = idle_seconds
        self._secret = secrets.token_urlsafe(32)
        self._version = coai_version()
        self._surroundings = surroundings(self._secret)
        self._began = self._last = time.monotonic()
        self._clients: dict[asyncio.Task[Any], str] = {}
        """The doors of those that are served; empty for whoever only greets or asks."""
        self._served: Counter[str] = Counter()
        self._opened: dict[str, Serve] = {}
        self._opening = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._background = Background()
        self._ending = asyncio.Event()

    def stop(self) -> None:
        """Begin to end."""
        self._ending.set()

    def warm(self, door: str) -> None:
        """Open a door before its first client comes."""
        self._background.spawn(self._warmed(door), name=f"open {door}")

    async def _warmed(self, door: str) -> None:
        if isinstance(refused := await self._door(door), str):
            logger.warning("The door %s does not open: %s", door, refused)

    async def run(self, started: Callable[[Host], None] = lambda _: None) -> None:
        """Serve until it is stopped; raises OSError where it cannot listen."""
        server, address = await self._listen()
        try:
            record = Record(self._version, os.getpid(), address, self._secret)
            await asyncio.to_thread(self._place.write, record)
            # Not before: who comes now finds what is written, and not what a dead one wrote.
            await server.start_serving()
            if self._idle_seconds:
                self._background.repeat(self._look, every=_WATCH_SECONDS, name="idle")
            started(self)
            await self._ending.wait()
        finally:
            server.close()
            self._place.record.unlink(missing_ok=True)
            if self._place.socket is not None:
                self._place.socket.unlink(missing_ok=True)
            await self._end()

    async def _listen(self) -> tuple[asyncio.Server, str]:
        path = None if sys.platform == "win32" else self._place.socket
        if path is None:
            server = await asyncio.start_server(
                self._accepted, "127.0.0.1", 0, limit=MOST_LINE_BYTES, start_serving=False
            )
            return server, f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        # Whoever holds the lock is the only daemon, so what is there is a dead one's. The folder
        # lets nobody else in, whatever the mode of the socket is until it is changed.
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(path))
            path.chmod(0o600)
            server = await asyncio.start_unix_server(
                self._accepted, sock=listener, limit=MOST_LINE_BYTES, start_serving=False
            )
        except OSError:
            listener.close()
            raise
        return server, str(path)

    async def _end(self) -> None:
        await self._background.aclose()
        for task in self._clients:
            task.cancel()
        if self._clients:
            await asyncio.wait(self._clients, timeout=ENDING_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ENDING_SECONDS):
                await self._stack.aclose()

    async def _look(self) -> None:
        if any(self._clients.values()) or self._common.runs.under_way:
            self._last = time.monotonic()
        elif time.monotonic() - self._last >= self._idle_seconds:
            logger.info("Nobody was here for %g s.", self._idle_seconds)
            self.stop()

    # ------------------------------------------------------------------------- clients

    async def _accepted(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients[task] = ""
        try:
            await self._greeted(reader, writer)
        except asyncio.CancelledError:
            # The daemon ends. Said on, asyncio's streams would log it as a failure.
            pass
        except (TalkError, OSError, TimeoutError, asyncio.LimitOverrunError) as error:
            logger.info("A client is gone: %s", error)
        except Exception:
            # One client's failure is none of the others'.
            logger.exception("Serving a client of the door %s failed.", self._clients[task])
        finally:
            if self._clients.pop(task):
                self._last = time.monotonic()
            writer.close()

    async def _greeted(self, reader: StreamReader, writer: StreamWriter) -> None:
        async with asyncio.timeout(GREETING_SECONDS):
            hello, refusal = await self._proven(reader, writer)
        served = None
        if refusal is None and hello.door not in ("ping", "stop"):
            served = await self._door(hello.door)
            if isinstance(served, str):
                refusal = ("door", served)
        if refusal is not None:
            code, reason = refusal
            writer.write(encoded({"ok": False, "code": code, "reason": reason}))
            await writer.drain()
            return
        writer.write(encoded({"ok": True}))
        await writer.drain()
        if served is None or isinstance(served, str):
            await self._own(hello.door, writer)
            return
        task = asyncio.current_task()
        assert task is not None
        self._clients[task] = hello.door
        self._served[hello.door] += 1
        await served(Connection(hello, reader, writer))

    async def _proven(
        self, reader: StreamReader, writer: StreamWriter
    ) -> tuple[Hello, tuple[Refusal, str] | None]:
        """Do the daemon's side of the greeting; raises `TalkError` for a stranger."""
        connection = writer.get_extra_info("socket")
        if sys.platform != "win32" and peer_uid(connection) not in (None, os.getuid()):
            raise TalkError("It is another user's.")
        theirs = str(decoded(await reader.readline()).get("nonce"))
        ours = secrets.token_hex(32)
        told = {"nonce": ours, "proof": proof(self._secret, "daemon", theirs, ours)}
        writer.write(encoded(told))
        line = decoded(await reader.readline())
        check(line, proof(self._secret, "client", theirs, ours))
        hello = Hello.read(line)
        return hello, self._refusal(hello)

    def _refusal(self, hello: Hello) -> tuple[Refusal, str] | None:
        """Say why a client is not served; whoever asks or ends the daemon always is."""
        if hello.door in ("ping", "stop"):
            return None
        if hello.version != self._version:
            return "version", (
                f"The daemon is coai {self._version}, this is {hello.version}: `coai daemon stop` "
                "ends it."
            )
        if not is_served(hello.surroundings, self._surroundings):
            return "surroundings", (
                "The daemon was started with other settings or keys in its environment: "
                "`coai daemon stop`, then `coai daemon start` here."
            )
        if hello.door not in self._doors:
            return "door", f"The daemon has no door {hello.door}."
        if len(self._clients) > MOST_CLIENTS:
            return "full", f"The daemon has {MOST_CLIENTS} clients, and takes no more."
        return None

    async def _door(self, name: str) -> Serve | str:
        """Open a door, once; return why it does not open otherwise."""
        async with self._opening:
            if name not in self._opened:
                try:
                    # Importing takes seconds, and others are served meanwhile.
                    module = await asyncio.to_thread(import_module, self._doors[name])
                    door = module.opened(self._common)
                    self._opened[name] = await self._stack.enter_async_context(door)
                except ImportError as error:
                    return f"The door {name} does not open: {error}"
            return self._opened[name]

    async def _own(self, door: str, writer: StreamWriter) -> None:
        """Answer for the daemon itself."""
        clients = [each for each in self._clients.values() if each]
        writer.write(
            encoded(
                {
                    "pid": os.getpid(),
                    "version": self._version,
                    "seconds": round(time.monotonic() - self._began),
                    "clients": {name: clients.count(name) for name in sorted(set(clients))},
                    "served": dict(sorted(self._served.items())),
                    "runs": self._common.runs.under_way,
                }
            )
        )
        await writer.drain()
        if door == "stop":
            self.stop()
