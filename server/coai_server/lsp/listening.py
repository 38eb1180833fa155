"""Sockets that a client connects to: TCP on loopback and Unix sockets, for debugging.

Every user of this machine reaches a port of loopback, and so does every web page in a browser on
it. So whoever connects by TCP has to name a token that only the user can read, as `token` in the
`initializationOptions` of the first message, which is `initialize`. A Unix socket is the user's
alone by its mode, and the system says who is at its other end.

Until a client is admitted nothing that was sent is acted on. Whoever is not admitted loses the
connection, and the next one is listened to. The first who is admitted is served, and nobody else
can connect from then on.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import os
import secrets
import socket
import stat
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from coai_server.jsonrpc import (
    ErrorCode,
    FrameParser,
    FramingError,
    Malformed,
    Request,
    encode_frame,
    error_message,
    read_message,
)
from coai_server.lsp.transport import TransportError, serve
from coai_server.shared.talk import peer_uid

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping
    from pathlib import Path

    from coai_server.lsp.session import Application

    Admit = Callable[[socket.socket], Awaitable[bytes | None]]
    """Returns what an admitted client has sent, and None for one that is not admitted."""

TOKEN_BYTES = 32

TOKEN_KEY = "token"  # noqa: S105 (the name of the option, not a token)

OPENING_SECONDS = 10.0
"""Within this time a client sends its first message."""

MAX_OPENING_BYTES = 4 * 1024 * 1024
"""The longest first message. An editor's capabilities are some tens of kilobytes."""

MAX_OPENINGS = 16
"""So many connections may be without a first message; the oldest goes for one more."""

_CHUNK_BYTES = 64 * 1024
_BACKLOG = 16


@dataclass(frozen=True, slots=True)
class _Client:
    """A client that was admitted; `sent` is what it has sent by then."""

    connection: socket.socket
    sent: bytes

    def read(self) -> Callable[[int], bytes]:
        """Return how to read on, beginning with what was sent."""
        pending = [self.sent] if self.sent else []

        def read(count: int) -> bytes:
            return pending.pop() if pending else self.connection.recv(count)

        return read


# TCP


def parse_address(address: str) -> tuple[str, int]:
    """Split `HOST:PORT` (`[::1]:PORT` for IPv6); the host has to be this machine's loopback.

    Raises `TransportError` for anything else.
    """
    import ipaddress  # noqa: PLC0415 (not needed over stdio, where the start-up time counts)

    host, separator, digits = address.rpartition(":")
    port = int(digits) if digits.isascii() and digits.isdigit() else -1
    if not separator or not host or not 0 <= port <= 65535:  # noqa: PLR2004 (the highest port)
        raise TransportError(
            f"{address!r} is no HOST:PORT.", remedy="Try 127.0.0.1:0, where 0 is any free port."
        )
    name = "127.0.0.1" if host.lower() == "localhost" else host.removeprefix("[").removesuffix("]")
    try:
        loopback = ipaddress.ip_address(name).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise TransportError(
            f"{host} is not a loopback address. Whoever reaches the port could read the code that "
            "is being edited, so other hosts are refused.",
            remedy="Use 127.0.0.1 or ::1, and an SSH tunnel to reach it from elsewhere.",
        )
    return name, port


def run_tcp(application: Application, address: str, *, token_file: Path | None = None) -> int:
    """Serve the first client that names the token; return the process's exit code.

    Once it listens, it writes one line of JSON to standard error: `{"listening": "HOST:PORT",
    "token": "..."}`, or without the token if that is written to a file of the user's alone. Raises
    `TransportError` if the address cannot be listened on or is not on loopback, and if the file
    cannot be written.
    """
    host, port = parse_address(address)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    if token_file is not None:
        _write_token(token_file, token)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        try:
            listener.bind((host, port))
            listener.listen(_BACKLOG)
        except OSError as error:
            raise TransportError(
                f"{host}:{port} cannot be listened on: {error}.",
                remedy="Use another port; 0 takes any free one.",
            ) from error
        shown = f"[{host}]" if family == socket.AF_INET6 else host
        line = {"listening": f"{shown}:{listener.getsockname()[1]}"}
        if token_file is None:
            line["token"] = token

        async def admit(connection: socket.socket) -> bytes | None:
            return await opening(connection, token)

        return asyncio.run(_serve_first(application, listener, admit, line, remote=True))


def _write_token(file: Path, token: str) -> None:
    from coai_routing.own_files import write_own_file  # noqa: PLC0415 (not over stdio)

    try:
        write_own_file(file, token)
    except OSError as error:
        raise TransportError(
            f"The token cannot be written to {file}: {error.strerror or error}.",
            remedy="Name a file in a folder of your own.",
        ) from error


async def opening(connection: socket.socket, token: str) -> bytes | None:
    """Return what a client sends first, without the token, if it knows that; else None."""
    loop = asyncio.get_running_loop()
    parser = FrameParser(max_body_bytes=MAX_OPENING_BYTES)
    with contextlib.suppress(TimeoutError, OSError, FramingError):
        async with asyncio.timeout(OPENING_SECONDS):
            while chunk := await loop.sock_recv(connection, _CHUNK_BYTES):
                body = next(parser.feed(chunk), None)
                if body is None:
                    continue
                message = body if isinstance(body, Malformed) else read_message(body)
                if not isinstance(message, Request) or message.method != "initialize":
                    return None
                admitted = _without_token(dict(message.message), token)
                if admitted is not None:
                    return encode_frame(admitted) + parser.unread
                await loop.sock_sendall(connection, encode_frame(_refusal(message)))
                return None
    return None


def _without_token(message: dict[str, Any], token: str) -> dict[str, Any] | None:
    """Return an `initialize` request without the token in it; None if that is not the right one."""
    params: object = message.get("params")
    if not isinstance(params, dict):
        return None
    fields = cast("dict[str, Any]", params)
    options: object = fields.get("initializationOptions")
    if not isinstance(options, dict):
        return None
    others = {**cast("dict[str, Any]", options)}
    named: object = others.pop(TOKEN_KEY, None)
    if not isinstance(named, str) or not hmac.compare_digest(
        named.encode("utf-8", "surrogatepass"), token.encode()
    ):
        return None
    return {**message, "params": {**fields, "initializationOptions": others}}


def _refusal(request: Request) -> dict[str, Any]:
    reason = (
        f"This port is for whoever started it: give `{TOKEN_KEY}` in initializationOptions, as "
        "`coai serve --tcp` has written it."
    )
    return error_message(request.id, ErrorCode.INVALID_REQUEST, reason)


# Unix sockets


def run_socket(application: Application, path: Path) -> int:
    """Serve the first client of this user that connects; return the process's exit code.

    Once it listens, it writes `{"listening": "PATH"}` to standard error. Raises `TransportError` if
    that cannot be listened on.
    """
    if sys.platform == "win32":
        raise TransportError("Windows has no Unix sockets for this.", remedy="Use --tcp.")
    with _unix_listener(path) as listener:
        line = {"listening": str(path)}

        async def admit(connection: socket.socket) -> bytes | None:
            return b"" if peer_uid(connection) in (None, os.getuid()) else None

        return asyncio.run(_serve_first(application, listener, admit, line, remote=False))


if sys.platform != "win32":

    @contextlib.contextmanager
    def _unix_listener(path: Path) -> Generator[socket.socket]:
        """Listen at a path that only this user can connect to; it is gone at the end."""
        _make_room(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            # Else anybody could connect between the next line and one that changes the mode.
            mask = os.umask(0o177)
            try:
                listener.bind(str(path))
                listener.listen(_BACKLOG)
            except OSError as error:
                raise TransportError(
                    f"{path} cannot be listened on: {error.strerror or error}.",
                    remedy="Name a path in a folder of your own that is there.",
                ) from error
            finally:
                os.umask(mask)
            try:
                yield listener
            finally:
                path.unlink(missing_ok=True)

    def _make_room(path: Path) -> None:
        """Remove what an earlier process left there; raises `TransportError` for anything else."""
        with contextlib.suppress(OSError):
            folder = path.parent.stat()
            if folder.st_mode & stat.S_IWOTH and not folder.st_mode & stat.S_ISVTX:
                raise TransportError(
                    f"Everybody can put another socket in place of {path}.",
                    remedy="Name a path in a folder of your own.",
                )
        try:
            status = path.lstat()
        except OSError:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
            ours = stat.S_ISSOCK(status.st_mode) and status.st_uid == os.getuid()
            if ours and trial.connect_ex(str(path)) != 0:
                path.unlink(missing_ok=True)
                return
        raise TransportError(
            f"{path} is there already, and is in use or no socket of yours.",
            remedy="End the other server, or name another path.",
        )


# Both


async def _serve_first(
    application: Application,
    listener: socket.socket,
    admit: Admit,
    line: Mapping[str, str],
    *,
    remote: bool,
) -> int:
    """Say by a line that it listens, and serve the first client that is admitted."""
    listener.settimeout(0)
    # Here, where Ctrl+C ends it in order.
    sys.stderr.write(json.dumps(line) + "\n")
    sys.stderr.flush()
    client = await _first_admitted(listener, admit)
    listener.close()
    with client.connection as connection:
        connection.settimeout(None)
        if connection.family != getattr(socket, "AF_UNIX", None):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return await serve(application, client.read(), connection.send, remote=remote)


async def _first_admitted(listener: socket.socket, admit: Admit) -> _Client:
    """Accept connections until one is admitted, and close all others.

    However long it takes until somebody starts an editor; Ctrl+C ends it.
    """
    openings: list[asyncio.Task[_Client | None]] = []
    accepting = asyncio.create_task(_accept(listener))
    try:
        while True:
            done, _ = await asyncio.wait(
                {accepting, *openings}, return_when=asyncio.FIRST_COMPLETED
            )
            for task in [each for each in openings if each in done]:
                openings.remove(task)
                if (client := task.result()) is not None:
                    return client
            if accepting in done:
                openings.append(asyncio.create_task(_open(accepting.result(), admit)))
                accepting = asyncio.create_task(_accept(listener))
            if len(openings) > MAX_OPENINGS:
                openings.pop(0).cancel()
    finally:
        accepting.cancel()
        for task in openings:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                if (late := await task) is not None:
                    late.connection.close()


async def _accept(listener: socket.socket) -> socket.socket:
    while True:
        try:
            connection, _ = await asyncio.get_running_loop().sock_accept(listener)
        except OSError:
            # It was gone by then, or there are no descriptors just now.
            await asyncio.sleep(0.1)
        else:
            return connection


async def _open(connection: socket.socket, admit: Admit) -> _Client | None:
    """Let a connection show whether it is admitted; it is closed if not."""
    connection.settimeout(0)
    try:
        sent = await admit(connection)
    except BaseException:
        connection.close()
        raise
    if sent is None:
        connection.close()
        return None
    return _Client(connection, sent)
