"""A server that ends, and clients that never come to their point."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import pytest

from tests.server.http.support import PATIENCE, error_of, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server.http.support import Door

BODY: Final = json.dumps({"path": "shop.py"}).encode()


def connected(door: Door) -> socket.socket:
    host, port = door.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), PATIENCE)


def read_to_the_end(connection: socket.socket) -> bytes:
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


def test_while_it_ends_it_is_not_ready_and_finishes_what_was_begun(tmp_path: Path) -> None:
    with running(tmp_path, None) as door, door.client() as asking, connected(door) as begun:
        assert asking.get("/readyz").json() == {"state": "ok"}
        begun.sendall(
            f"POST /v1/audit HTTP/1.1\r\nHost: {door.url.removeprefix('http://')}\r\n"
            f"Authorization: {asking.headers['authorization']}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()
        )
        assert asking.get("/v1/me").is_success, "so the other one has been read, too"
        assert door.process is not None
        door.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while (ready := asking.get("/readyz")).status_code == 200:
            assert time.monotonic() < deadline
        assert (ready.status_code, error_of(ready)["type"]) == (503, "draining")
        assert asking.get("/healthz").json() == {"state": "ok"}
        refused = asking.post("/v1/audit", json={})
        assert (refused.status_code, error_of(refused)["type"]) == (503, "draining")
        begun.sendall(BODY)
        answer = read_to_the_end(begun)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"weak-hash" in answer
        assert door.process.wait(PATIENCE) == 0
        door.process = None


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Give a server that waits for heads half a second."""
    with running(tmp_path_factory.mktemp("hasty"), None, "--head-seconds", "0.5") as door:
        yield door


@pytest.mark.parametrize("said", [b"", b"G", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"])
def test_who_does_not_say_what_they_want_is_let_go_of(hasty: Door, said: bytes) -> None:
    waiting = [connected(hasty) for _ in range(20)]
    for each in waiting:
        each.sendall(said)
    with hasty.client() as other:
        assert other.get("/healthz").is_success
        assert [read_to_the_end(each) for each in waiting] == [b""] * 20
        assert other.get("/healthz").is_success
    for each in waiting:
        each.close()


def test_a_head_that_trickles_is_no_better(hasty: Door) -> None:
    sent = 0
    with connected(hasty) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        ended = threading.Event()

        def listen() -> None:
            with suppress(ConnectionError):
                read_to_the_end(slow)
            ended.set()

        threading.Thread(target=listen, daemon=True).start()
        while not ended.wait(0.02):
            sent += 1
            assert sent < PATIENCE / 0.02
            try:
                slow.sendall(b"x")
            except ConnectionError:
                ended.wait(PATIENCE)
    assert ended.is_set()


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_a_time_that_is_none_is_refused(hasty: Door, seconds: str) -> None:
    refused = hasty.run("--head-seconds", seconds)
    assert refused.returncode == 2
    assert f"--head-seconds: expected seconds above 0, got {seconds!r}" in refused.stderr
