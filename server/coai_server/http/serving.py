"""The server's process: its socket, TLS, time limits, and an end that finishes what was begun."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sqlite3
import ssl
import sys
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from coai_server.http.app import opened
from coai_server.http.config import SetupError

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType

    from uvicorn.protocols.http.h11_impl import RequestResponseCycle

    from coai_server.http.beside import Open
    from coai_server.http.config import Config
    from coai_server.http.services import Services

DRAIN_SECONDS: Final = 20.0
"""What is under way has so long to end; runs are paused and go on at the next start."""
KEEP_ALIVE_SECONDS: Final = 30
HEADER_BYTES: Final = 65_536
MOST_CONNECTIONS: Final = 2_000
MOST_MESSAGE: Final = 1_000_000
"""Bytes of a message to a WebSocket."""


_LOOK_SECONDS: Final = 0.5
"""How often it is looked whether the user wants the end at once."""


_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class _Settings(uvicorn.Config):
    """What uvicorn is told, and what it has no setting for."""

    head_seconds: float


class _Protocol(H11Protocol):
    """HTTP/1.1 whose clients have to say what they want in time (slowloris, 2009)."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - uvicorn's own type
        # asyncio sets this only on sockets that name their protocol, and without it the second
        # piece of an answer waits 40 ms for the client's delayed acknowledgement (RFC 896).
        connection: socket.socket | None = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_answering():
            self._stop_waiting()
        elif self._deadline is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        seconds = cast("_Settings", self.config).head_seconds
        self._deadline = self.loop.call_later(seconds, self._late)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if not self._is_answering():
            self.transport.close()

    def _is_answering(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first request
        return cycle is not None and not cycle.response_complete


class _Server(uvicorn.Server):
    """Tells the services when it is to end, so that streams do not hold it up."""

    def __init__(self, config: uvicorn.Config, services: Services) -> None:
        super().__init__(config)
        self._services = services
        self._loop = asyncio.get_running_loop()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Hear signals, and do not send them to itself again: files are still to be closed."""
        before = {sig: signal.signal(sig, self.handle_exit) for sig in _SIGNALS}
        try:
            yield
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._services.drain)
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End when what was begun has ended; who asks meanwhile is told that it is not ready."""
        deadline = self._loop.time() + DRAIN_SECONDS
        while (begun := {*self.server_state.tasks}) and not self.force_exit:
            if self._loop.time() >= deadline:
                break
            await asyncio.wait(begun, timeout=_LOOK_SECONDS)
        await super().shutdown(sockets)


async def serve(config: Config, beside: Open | None = None) -> None:
    """Serve until the process is told to end; raises `SetupError` where it cannot begin."""
    try:
        gate, services, other = opened(config)
    except (OSError, sqlite3.Error) as error:
        raise SetupError(
            f"The files of the server in {config.state} cannot be used: {error}.",
            remedy="See that the folder is yours, can be written to, and its disk has room.",
        ) from error
    try:
        _check_certificate(config)
        listening = _listen(config)
        settings = _Settings(
            cast("Any", gate),
            http=_Protocol,
            ws="websockets-sansio",
            ws_max_size=MOST_MESSAGE,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=int(DRAIN_SECONDS),
            limit_concurrency=MOST_CONNECTIONS,
            h11_max_incomplete_event_size=HEADER_BYTES,
            ssl_certfile=config.certificate,
            ssl_keyfile=config.key,
        )
        settings.head_seconds = config.head_seconds
        server = _Server(settings, services)
        await services.begin()
        async with AsyncExitStack() as stack:
            if beside is not None:
                other.other = await stack.enter_async_context(beside(services.roots))
            _say(config, listening)
            await server.serve(sockets=[listening])
    finally:
        await services.aclose()


def _check_certificate(config: Config) -> None:
    if config.certificate is None:
        return
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            config.certificate, config.key
        )
    except (OSError, ValueError) as error:
        raise SetupError(
            f"{config.certificate} and {config.key} cannot be used: {error}.",
            remedy="Give a certificate and its key in PEM form, the key without a passphrase.",
        ) from error


def _listen(config: Config) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        return socket.create_server((config.host, config.port), family=family, backlog=1024)
    except OSError as error:
        raise SetupError(
            f"{config.host} port {config.port} cannot be listened at: {error.strerror or error}.",
            remedy="Another program may have it: give --port, or --port 0 for any that is free.",
        ) from error


def _say(config: Config, listening: socket.socket) -> None:
    port = listening.getsockname()[1]
    host = f"[{config.host}]" if ":" in config.host else config.host
    scheme = "https" if config.encrypted else "http"
    sys.stderr.write(f"COAI listens at {scheme}://{host}:{port}\nYour token: coai http token\n")
    sys.stderr.flush()


def quiet_logs() -> None:
    """Write warnings to standard error; nothing that a request says is in them."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
    # What it logs of a request that is no HTTP is anybody's text.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
