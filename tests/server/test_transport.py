from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from coai_server.jsonrpc import Malformed, Notification, encode_frame
from coai_server.lsp.listening import parse_address
from coai_server.lsp.reading import can_be_waited_for
from coai_server.lsp.session import EndOfInput
from coai_server.lsp.transport import (
    MAX_UNHANDLED_MESSAGES,
    ThreadedWire,
    TransportError,
    without_waiting,
)
from tests.support.lsp_client import APP, SECONDS, Json, LspClient, ServerProcess, frame

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from coai_server.lsp.session import Delivery

posix = pytest.mark.skipif(
    sys.platform == "win32", reason="where a thread writes because a write may wait"
)


class _Pipes:
    """A wire whose other ends the test holds: `to_wire` to write to, `from_wire` to read from."""

    def __init__(
        self, *, max_queued_bytes: int = 1000, output: str = "queued", by_loop: bool = False
    ) -> None:
        self._ours_in, self.to_wire = os.pipe()
        if output == "sockets":
            ours, theirs = socket.socketpair()
            self.from_wire, self._ours_out = theirs.detach(), ours.detach()
        else:
            self.from_wire, self._ours_out = os.pipe()
        self._open = {self._ours_in, self.to_wire, self.from_wire, self._ours_out}
        self._at_once = contextlib.ExitStack()
        write_now = self._at_once.enter_context(without_waiting(self._ours_out))
        self.wire = ThreadedWire(
            lambda count: os.read(self._ours_in, count),
            lambda rest: os.write(self._ours_out, rest),
            write_now=None if output == "queued" else write_now,
            readable=self._ours_in if by_loop else None,
            max_queued_bytes=max_queued_bytes,
        )
        self.delivered: asyncio.Queue[Delivery] = asyncio.Queue()
        self.broken: asyncio.Queue[str] = asyncio.Queue()
        self.ended = threading.Event()

    def start(self) -> None:
        self.wire.start(
            deliver=self.delivered.put_nowait,
            broken=self.broken.put_nowait,
            ended=self.ended.set,
        )

    async def next_delivery(self) -> Delivery:
        async with asyncio.timeout(SECONDS):
            return await self.delivered.get()

    def shut(self, descriptor: int) -> None:
        self._open.remove(descriptor)
        os.close(descriptor)

    def close(self) -> None:
        self.wire.close()
        self._at_once.close()
        if self.to_wire in self._open:
            self.shut(self.to_wire)
        self.ended.wait(SECONDS)
        for descriptor in [*self._open]:
            self.shut(descriptor)


@pytest.fixture(
    params=[
        "queued",
        pytest.param("pipe", marks=posix),
        pytest.param("sockets", marks=posix),
        pytest.param("read by the loop", marks=posix),
    ]
)
async def pipes(request: pytest.FixtureRequest) -> AsyncGenerator[_Pipes]:
    by_loop = request.param == "read by the loop"
    output = "pipe" if by_loop else request.param
    with closing(_Pipes(output=output, by_loop=by_loop)) as held:
        yield held


async def test_what_was_sent_arrives_in_order_and_whole(pipes: _Pipes) -> None:
    pipes.start()
    frames = [encode_frame({"number": number, "pad": "x" * number}) for number in range(20)]
    for each in frames[:10]:
        pipes.wire.send(each)
    await pipes.wire.flush(SECONDS)
    for each in frames[10:]:
        pipes.wire.send(each)
    await pipes.wire.flush(SECONDS)
    await pipes.wire.flush(SECONDS)
    assert os.read(pipes.from_wire, 65536) == b"".join(frames)


async def test_a_message_is_delivered_as_soon_as_it_is_whole(pipes: _Pipes) -> None:
    pipes.start()
    sent = encode_frame({"jsonrpc": "2.0", "method": "a", "params": {}})
    os.write(pipes.to_wire, sent[:30])
    os.write(pipes.to_wire, sent[30:] + b"Content-Length: 1\r\n\r\n{")
    assert isinstance(await pipes.next_delivery(), Notification)
    assert isinstance(await pipes.next_delivery(), Malformed)
    assert not pipes.ended.is_set()
    os.write(pipes.to_wire, b"Content-Length: 5\r\n\r\n{")
    pipes.shut(pipes.to_wire)
    assert await pipes.next_delivery() == EndOfInput()
    assert pipes.ended.is_set()


async def test_garbage_ends_the_input_with_what_was_wrong(pipes: _Pipes) -> None:
    pipes.start()
    os.write(pipes.to_wire, b"hello\r\n")
    end = await pipes.next_delivery()
    assert end == EndOfInput("not a header: b'hello'")


async def test_a_failing_read_is_the_end_of_input() -> None:
    def read(_: int) -> bytes:
        raise ConnectionResetError

    wire = ThreadedWire(read, len)
    delivered: asyncio.Queue[Delivery] = asyncio.Queue()
    wire.start(deliver=delivered.put_nowait, broken=lambda _: None, ended=lambda: None)
    async with asyncio.timeout(SECONDS):
        assert await delivered.get() == EndOfInput()
    wire.close()


async def test_reading_stops_while_the_loop_does_not_keep_up(pipes: _Pipes) -> None:
    pipes.start()
    sent = frame({"jsonrpc": "2.0", "method": "a"})

    def write() -> None:
        for _ in range(MAX_UNHANDLED_MESSAGES + 1):
            os.write(pipes.to_wire, sent)

    await asyncio.to_thread(write)
    for _ in range(MAX_UNHANDLED_MESSAGES):
        await pipes.next_delivery()
    await asyncio.sleep(0.05)
    assert pipes.delivered.empty()
    pipes.wire.consumed()
    assert await pipes.next_delivery()
    # So that the reader may end, and say that it does.
    pipes.wire.consumed()


@posix
def test_the_loop_waits_for_pipes_and_sockets_and_for_no_file(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    ours, theirs = socket.socketpair()
    with ours, theirs, (tmp_path / "in").open("wb") as file:
        assert can_be_waited_for(reading)
        assert can_be_waited_for(ours.fileno())
        assert not can_be_waited_for(file.fileno())
    os.close(reading)
    os.close(writing)


@posix
async def test_the_end_of_a_stream_is_seen_while_the_loop_is_busy() -> None:
    with closing(_Pipes(by_loop=True)) as pipes:
        pipes.start()
        pipes.shut(pipes.to_wire)
        # Nothing is awaited: the loop cannot have read it.
        assert pipes.ended.wait(SECONDS)
        assert await pipes.next_delivery() == EndOfInput()


async def test_a_client_that_reads_nothing_is_given_up_and_blocks_nobody() -> None:
    with closing(_Pipes(max_queued_bytes=3_000_000)) as pipes:
        pipes.start()
        pipes.wire.send(b"x" * 2_000_000)
        # It cannot be written: a pipe holds less. Nevertheless nothing here has waited.
        await pipes.wire.flush(0.05)
        assert pipes.broken.empty()
        pipes.wire.send(b"y" * 1_000_001)
        async with asyncio.timeout(SECONDS):
            assert await pipes.broken.get() == "it left 2000000 bytes unread"
        pipes.wire.send(b"z")
        await pipes.wire.flush(SECONDS)
        os.read(pipes.from_wire, 1_000_000)
        pipes.shut(pipes.from_wire)


@posix
@pytest.mark.parametrize("output", ["pipe", "sockets"])
async def test_what_the_client_takes_is_written_at_once_and_the_rest_in_order(output: str) -> None:
    with closing(_Pipes(max_queued_bytes=10_000_000, output=output)) as pipes:
        # No thread runs yet, so what arrives was written by `send` itself.
        pipes.wire.send(b"at once")
        assert os.read(pipes.from_wire, 1000) == b"at once"
        frames = [bytes([number]) * 300_000 for number in range(5)]
        for each in frames:
            pipes.wire.send(each)
        pipes.start()
        arrived = bytearray()
        while len(arrived) < 5 * 300_000:
            arrived += await asyncio.to_thread(os.read, pipes.from_wire, 100_000)
        assert arrived == b"".join(frames)


def test_of_a_file_it_cannot_be_known_what_it_takes_at_once(tmp_path: Path) -> None:
    with (tmp_path / "output").open("wb") as file, without_waiting(file.fileno()) as write_now:
        assert write_now is None


async def test_one_message_may_be_longer_than_what_may_queue() -> None:
    with closing(_Pipes(max_queued_bytes=10)) as pipes:
        pipes.start()
        pipes.wire.send(b"x" * 100)
        await pipes.wire.flush(SECONDS)
        assert os.read(pipes.from_wire, 1000) == b"x" * 100
        assert pipes.broken.empty()


async def test_a_broken_pipe_is_told_and_ends_waiting(pipes: _Pipes) -> None:
    pipes.start()
    pipes.shut(pipes.from_wire)
    pipes.wire.send(b"x")
    async with asyncio.timeout(SECONDS):
        assert "pipe" in (await pipes.broken.get()).lower()
        await pipes.wire.flush(SECONDS)


def test_threads_that_outlive_the_loop_end_quietly() -> None:
    async def main() -> _Pipes:
        pipes = _Pipes()
        pipes.start()
        return pipes

    pipes = asyncio.run(main())
    os.write(pipes.to_wire, frame({"jsonrpc": "2.0", "method": "a"}))
    pipes.close()
    assert pipes.ended.is_set()


@pytest.mark.parametrize(
    ("address", "host_and_port"),
    [
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("127.8.0.1:65535", ("127.8.0.1", 65535)),
        ("localhost:7000", ("127.0.0.1", 7000)),
        ("LOCALHOST:7000", ("127.0.0.1", 7000)),
        ("[::1]:7000", ("::1", 7000)),
        ("::1:7000", ("::1", 7000)),
    ],
)
def test_loopback_addresses_are_taken(address: str, host_and_port: tuple[str, int]) -> None:
    assert parse_address(address) == host_and_port


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("0.0.0.0:1", "not a loopback address"),
        ("[::]:1", "not a loopback address"),
        ("192.168.1.1:1", "not a loopback address"),
        ("example.org:1", "not a loopback address"),
        ("localhost.example.org:1", "not a loopback address"),
        ("127.0.0.1", "no HOST:PORT"),
        ("7000", "no HOST:PORT"),
        (":7000", "no HOST:PORT"),
        ("127.0.0.1:", "no HOST:PORT"),
        ("127.0.0.1:65536", "no HOST:PORT"),
        ("127.0.0.1:-1", "no HOST:PORT"),
        ("127.0.0.1:http", "no HOST:PORT"),
        ("127.0.0.1:²", "no HOST:PORT"),
    ],
)
def test_other_addresses_are_refused_with_a_remedy(address: str, reason: str) -> None:
    with pytest.raises(TransportError, match=reason) as caught:
        parse_address(address)
    assert caught.value.remedy


def test_nothing_that_prints_gets_between_the_messages() -> None:
    with ServerProcess() as server:
        server.initialize()
        assert server.call("test/print") == ""
        assert server.call("test/echo", "still here") == "still here"
        log = server.log()
        for printed in ("from Python", "Content-Length: 2", "from a child"):
            assert printed in log


def test_initialize_is_answered_before_heavy_imports_and_what_follows_is_kept_in_order() -> None:
    with ServerProcess() as server:
        params: Json = {"processId": None, "capabilities": {}}
        server.send(
            {"jsonrpc": "2.0", "id": "i", "method": "initialize", "params": params},
            *({"jsonrpc": "2.0", "id": n, "method": "test/echo", "params": n} for n in range(50)),
        )
        server.notify("initialized", {})
        assert [server.receive()["id"] for _ in range(51)] == ["i", *range(50)]
        assert server.wait_for_log("imported before the answer").endswith(": []")
        server.shut_down()
        assert server.exit_code() == 0


@pytest.mark.parametrize(
    ("raw", "codes"),
    [
        (b"what is this?\r\n", [-32700]),
        (b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", [-32700]),
        (b"", []),
        (b"Content-Length: 10\r\n\r\n{", []),
    ],
    ids=["garbage", "http", "nothing", "half a message"],
)
def test_a_stream_that_cannot_be_read_on_ends_the_process(raw: bytes, codes: list[int]) -> None:
    with ServerProcess() as server:
        server.send_bytes(raw)
        server.close_input()
        assert server.exit_code() == 1
        assert [message["error"]["code"] for message in server.rest()] == codes


def test_bad_json_is_answered_and_the_next_message_read() -> None:
    with ServerProcess() as server:
        server.send_bytes(b"Content-Length: 1\r\n\r\n{")
        assert server.response(None)["error"]["code"] == -32700
        assert server.error("test/echo")["code"] == -32002


def test_the_end_of_input_ends_a_running_server() -> None:
    with ServerProcess() as server:
        server.initialize()
        slow = server.start("test/slow", {"seconds": 60})
        server.settle()
        server.close_input()
        assert server.response(slow)["error"]["code"] == -32800
        assert server.exit_code() == 1
        assert "service closed" in server.log()


def test_a_blocked_event_loop_does_not_keep_the_process() -> None:
    with ServerProcess("hurried") as server:
        server.initialize()
        server.settle()
        server.start("test/block")
        server.close_input()
        assert server.exit_code() == 1


def test_a_service_that_does_not_close_does_not_keep_the_process() -> None:
    with ServerProcess("stuck-hook") as server:
        server.initialize()
        server.shut_down()
        assert server.exit_code() == 0
        log = server.log()
        assert "never_close did not end within 0.2 s" in log
        assert "service closed" in log


def test_a_server_that_cannot_be_built_says_so() -> None:
    with ServerProcess("broken-build") as server:
        server.start("initialize", {"processId": None, "capabilities": {}})
        assert "result" in server.receive()
        shown = server.notification("window/showMessage")["params"]
        assert shown == {"type": 1, "message": "test app could not start: no engine"}
        assert server.exit_code() == 1


def test_a_client_that_cannot_be_written_to_ends_it() -> None:
    with subprocess.Popen(
        [sys.executable, str(APP)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdout.close()
        server.stdin.write(frame({"jsonrpc": "2.0", "id": 1, "method": "test/echo"}))
        server.stdin.flush()
        assert server.wait(SECONDS) == 1
        assert server.stderr is not None
        assert b"The client is gone" in server.stderr.read()


def test_a_client_that_does_not_read_still_gets_everything() -> None:
    with ServerProcess() as server:
        server.initialize()
        with server.not_reading():
            flood = server.start("test/flood", {"messages": 40, "size": 100_000})
        server.response(flood)
        numbers = [server.notification("test/drop")["number"] for _ in range(40)]
        assert numbers == [*range(40)]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals between processes")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_in_order(number: signal.Signals) -> None:
    with ServerProcess() as server:
        server.initialize()
        server.settle()
        server.process.send_signal(number)
        assert server.exit_code() == 128 + number
        assert "service closed" in server.log()


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
@pytest.mark.parametrize("redirect", ["<&-", ">&-"])
def test_closed_standard_streams_are_an_error_with_a_remedy(redirect: str) -> None:
    command = ["sh", "-c", f'exec "$0" "$1" {redirect}', sys.executable, str(APP)]
    ended = subprocess.run(command, stderr=subprocess.PIPE, check=False, timeout=SECONDS)
    assert ended.returncode == 2
    assert b"Standard input or output is closed. Let an editor" in ended.stderr


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_standard_error_may_be_closed() -> None:
    program = ["sh", "-c", 'exec "$0" "$1" 2>&-', sys.executable, str(APP)]
    with ServerProcess(program=program) as server:
        server.initialize()
        assert server.call("test/print") == ""


def test_tcp_serves_one_client_and_ends() -> None:
    with ServerProcess("--tcp", "127.0.0.1:0") as server:
        line = json.loads(server.wait_for_log('{"listening"'))
        host, _, port = line["listening"].rpartition(":")
        with (
            socket.create_connection((host, int(port)), SECONDS) as connection,
            connection.makefile("rb") as reading,
            connection.makefile("wb") as writing,
        ):
            # Whoever waits for a message has patience of its own; reading has none to lose.
            connection.settimeout(None)
            client = LspClient(reading, writing)
            client.initialize(initializationOptions={"token": line["token"]})
            assert client.call("test/echo", {"a": 1}) == {"a": 1}
            client.shut_down()
            assert server.exit_code() == 0
            assert client.rest() == []
        server.close_input()


@pytest.mark.parametrize("address", ["0.0.0.0:0", "127.0.0.1"])
def test_tcp_on_other_hosts_is_refused(address: str) -> None:
    with ServerProcess("--tcp", address) as server:
        assert server.exit_code() == 2


def test_a_port_in_use_is_an_error_with_a_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with ServerProcess("--tcp", f"127.0.0.1:{port}") as server:
            assert server.exit_code() == 2
            assert "cannot be listened on" in server.log()
            assert "Use another port" in server.log()
