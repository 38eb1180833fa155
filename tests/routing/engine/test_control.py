"""The handshake of the control connection: neither side takes a stranger for the other."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from coai_routing.engine.control import (
    ControlError,
    HostStatus,
    greet_host,
    greet_user,
    receive_line,
    send_line,
)
from coai_routing.engine.record import HostRecord

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncGenerator, Awaitable, Callable

TOKEN = "secret" * 10
STATUS = HostStatus(phase="loading", pid=1, version="1", model="m.gguf")


@asynccontextmanager
async def connected_to(
    serve: Callable[[StreamReader, StreamWriter], Awaitable[None]],
) -> AsyncGenerator[tuple[StreamReader, StreamWriter, HostRecord]]:
    """Connect to a listener that does `serve`, with a record that points at it."""
    served = asyncio.Event()

    async def serve_and_close(reader: StreamReader, writer: StreamWriter) -> None:
        await serve(reader, writer)
        writer.close()
        served.set()

    server = await asyncio.start_server(serve_and_close, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer, HostRecord(pid=1, port=port, token=TOKEN)
    finally:
        writer.close()
        async with asyncio.timeout(5):
            await served.wait()
        server.close()


async def test_user_and_host_with_one_token_trust_each_other() -> None:
    async def host(reader: StreamReader, writer: StreamWriter) -> None:
        await greet_user(reader, writer, TOKEN)
        send_line(writer, STATUS)

    async with connected_to(host) as (reader, writer, record):
        await greet_host(reader, writer, record)
        assert await receive_line(reader, HostStatus) == STATUS


async def test_a_user_with_another_token_gets_no_status() -> None:
    refused: list[ControlError] = []

    async def host(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            await greet_user(reader, writer, TOKEN)
        except ControlError as error:
            refused.append(error)
        else:
            send_line(writer, STATUS)

    async with connected_to(host) as (reader, writer, _):
        writer.write(b'{"nonce": "%s"}\n' % (b"a" * 64))
        await reader.readline()
        writer.write(b'{"proof": "%s"}\n' % (b"b" * 64))
        assert await reader.read() == b""
    assert "does not know our token" in str(refused[0])


async def test_the_hosts_own_proof_does_not_serve_as_a_users() -> None:
    """Whoever has no token may send back what they get."""
    refused: list[ControlError] = []

    async def host(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            await greet_user(reader, writer, TOKEN)
        except ControlError as error:
            refused.append(error)

    async with connected_to(host) as (reader, writer, _):
        writer.write(b'{"nonce": "%s"}\n' % (b"a" * 64))
        proof = (await reader.readline()).split(b'"')[-2]
        writer.write(b'{"proof": "%s"}\n' % proof)
        assert await reader.read() == b""
    assert refused


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "ended"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is no engine"),
        (b'{"nonce": "%s", "proof": "%s"}\n' % (b"n" * 64, b"p" * 64), "does not know our token"),
        (b'{"nonce": "short", "proof": ""}\n', "is no engine"),
        (b'{"nonce": "cut', "ended"),
        (b"x" * 100_000 + b"\n", "broke"),
    ],
)
async def test_a_stranger_at_the_port_is_found_out_and_learns_nothing(
    answer: bytes, message: str
) -> None:
    heard = bytearray()

    async def stranger(reader: StreamReader, writer: StreamWriter) -> None:
        heard.extend(await reader.readline())
        writer.write(answer)

    async with connected_to(stranger) as (reader, writer, record):
        with pytest.raises(ControlError, match=message):
            await greet_host(reader, writer, record)
    assert heard
    assert TOKEN.encode() not in heard
