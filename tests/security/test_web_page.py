"""A web page, or another user of the machine, at the ports and sockets that `coai serve` opens.

Whatever reaches a port of loopback and does not know the token loses its connection, has nothing
done for it, and does not end the server. Who knows it may still name no file and no server.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import socket
import stat
import sys
from typing import TYPE_CHECKING, Any

import pytest

from coai_routing.settings.fields import Entries, Leaf, leaves, settings_tree
from coai_routing.settings.loading import load
from coai_server.lsp.listening import MAX_OPENING_BYTES, MAX_OPENINGS, opening
from tests.server.test_serve import Daemon
from tests.support.lsp_client import SECONDS, LspClient, frame

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from pathlib import Path

TOKEN = "t" * 43


def initialize(options: object) -> bytes:
    capabilities: dict[str, Any] = {}
    params = {"processId": None, "capabilities": capabilities, "initializationOptions": options}
    return frame({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})


RIGHT = initialize({"token": TOKEN})

POST = (
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://page.example\r\n"
    b"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b" % (len(RIGHT), RIGHT)
)

GARBAGE: dict[str, bytes] = {
    "nothing": b"",
    "a POST with the message in it": POST,
    "a GET": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a preflight": b"OPTIONS / HTTP/1.1\r\nOrigin: http://page.example\r\n\r\n",
    "a WebSocket": b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "noise": bytes(range(256)) * 64,
    "a header without an end": b"x" * 100_000,
    "a length that is none": b"Content-Length: -1\r\n\r\n" + RIGHT,
    "a message that is too long": b"Content-Length: %d\r\n\r\n" % (MAX_OPENING_BYTES + 1),
    "half of a message": RIGHT[:-5],
    "no JSON": b"Content-Length: 3\r\n\r\n{{{",
    "another message first": frame({"jsonrpc": "2.0", "method": "initialized", "params": {}})
    + RIGHT,
    "another request first": frame({"jsonrpc": "2.0", "id": 1, "method": "coai/status"}) + RIGHT,
    "exit": frame({"jsonrpc": "2.0", "method": "exit"}),
    "no options": initialize(None),
    "a list of options": initialize([TOKEN]),
    "no token": initialize({"completion": {"enabled": True}}),
    "an empty token": initialize({"token": ""}),
    "a part of the token": initialize({"token": TOKEN[:-1]}),
    "more than the token": initialize({"token": TOKEN + "t"}),
    "a token that is no text": initialize({"token": [TOKEN]}),
    "a token that is none": initialize({"token": None}),
    "a token beside ASCII": initialize({"token": "ŧ" * 43}),
    "half a character": initialize({"token": "\ud800"}),
    "the token elsewhere": frame(
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"token": TOKEN}}
    ),
}


async def _shown(sent: bytes, pieces: int = 1) -> tuple[bytes | None, bytes]:
    """Return what a client that sends this is admitted with, and what it was sent."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0)
        theirs.settimeout(0)
        loop = asyncio.get_running_loop()
        judged = asyncio.create_task(opening(ours, TOKEN))
        size = max(1, -(-len(sent) // pieces))
        for start in range(0, len(sent), size):
            # Who was refused does not read on.
            with contextlib.suppress(OSError):
                await loop.sock_sendall(theirs, sent[start : start + size])
            await asyncio.sleep(0)
        with contextlib.suppress(OSError):
            theirs.shutdown(socket.SHUT_WR)
        admitted = await judged
        with contextlib.suppress(BlockingIOError):
            return admitted, theirs.recv(65_536)
    return admitted, b""


@pytest.mark.parametrize("sent", GARBAGE.values(), ids=GARBAGE)
@pytest.mark.parametrize("pieces", [1, 7])
async def test_who_does_not_know_the_token_is_not_admitted(sent: bytes, pieces: int) -> None:
    admitted, told = await _shown(sent, pieces)
    assert admitted is None
    assert b"capabilities" not in told


@pytest.mark.parametrize("pieces", [1, 7, 200])
async def test_who_knows_it_is_admitted_with_all_that_it_sent_but_the_token(pieces: int) -> None:
    more = frame({"jsonrpc": "2.0", "method": "initialized", "params": {}})
    sent = initialize({"token": TOKEN, "completion": {"maxTokens": 9}}) + more
    admitted, _ = await _shown(sent, pieces)
    assert admitted is not None
    assert TOKEN.encode() not in admitted
    assert b'"maxTokens":9' in admitted
    assert pieces > 1 or admitted.endswith(more)


# The real server


class Listening:
    """`coai serve` at a port or a socket, and what it wrote of where that is."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.told: dict[str, str] = json.loads(daemon.wait_for_log('{"listening"'))
        self.place: Any = self.told["listening"]
        self.family = socket.AF_UNIX
        if not self.place.startswith("/"):
            host, _, port = self.place.rpartition(":")
            self.family, self.place = socket.AF_INET, (host, int(port))

    def connect(self) -> socket.socket:
        connection = socket.socket(self.family, socket.SOCK_STREAM)
        connection.settimeout(SECONDS)
        connection.connect(self.place)
        return connection

    def answer(self, sent: bytes) -> bytes:
        """Send something, and return all that comes until the connection is closed."""
        with self.connect() as connection, contextlib.suppress(ConnectionError):
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(4096), b""))
        return b""

    @contextlib.contextmanager
    def client(self) -> Generator[LspClient]:
        with (
            self.connect() as connection,
            connection.makefile("rb") as reading,
            connection.makefile("wb") as writing,
        ):
            yield LspClient(reading, writing)


@contextlib.contextmanager
def listening(folder: Path, *options: str) -> Generator[Listening]:
    with Daemon(folder / "home", *options, COAI_ENGINE__ENABLED="false") as daemon:
        try:
            yield Listening(daemon)
        finally:
            daemon.process.kill()
            daemon.process.wait()


def settings_of(client: LspClient) -> dict[str, tuple[str, str]]:
    asked = {"command": "coai.settings", "arguments": list[str]()}
    rows = client.call("workspace/executeCommand", asked)
    return {row["key"]: (row["value"], row["origin"]) for row in rows}


def test_a_port_outlives_garbage_and_serves_who_has_the_token(tmp_path: Path) -> None:
    log = tmp_path / "written.log"
    with listening(tmp_path, "--tcp", "127.0.0.1:0") as server:
        for sent in GARBAGE.values():
            assert b"capabilities" not in server.answer(sent)
        # Connections that say nothing keep nobody out.
        with contextlib.ExitStack() as silent:
            for _ in range(MAX_OPENINGS + 3):
                silent.enter_context(server.connect())
            with server.client() as client:
                options = {
                    "token": server.told["token"],
                    "completion": {"maxTokens": 77},
                    "log": {"file": str(log)},
                    "endpoints": {"ollama": {"url": "http://127.0.0.1:9"}},
                }
                client.initialize(initializationOptions=options)
                held = settings_of(client)
                assert held["completion.max_tokens"] == ("77", "editor")
                assert held["log.file"][1] == held["endpoints.ollama.url"][1] == "default"
                problems = " ".join(client.call("coai/status")["problems"])
                assert "log.file: a client that came over TCP may not set this" in problems
                assert "token" not in problems
                client.notify(
                    "workspace/didChangeConfiguration", {"settings": {"log": {"file": str(log)}}}
                )
                client.settle()
                assert settings_of(client)["log.file"][1] == "default"
                client.shut_down()
                assert server.daemon.exit_code() == 0
        assert not log.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_the_token_is_in_a_file_of_the_users_alone(tmp_path: Path) -> None:
    file = tmp_path / "token"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("kept")
    file.symlink_to(elsewhere)
    with listening(tmp_path, "--tcp", "127.0.0.1:0", "--token-file", str(file)) as server:
        assert "token" not in server.told
        assert stat.S_IMODE(file.lstat().st_mode) == 0o600
        assert elsewhere.read_text() == "kept"
        token = file.read_text()
        assert len(token) >= 43  # 32 bytes in base64
        with server.client() as client:
            client.initialize(initializationOptions={"token": token})
            client.shut_down()


@pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")
def test_a_unix_socket_is_the_users_alone_and_its_client_may_name_files(tmp_path: Path) -> None:
    path, log = tmp_path / "socket", tmp_path / "written.log"
    with listening(tmp_path, "--socket", str(path)) as server:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with server.client() as client:
            client.initialize(initializationOptions={"log": {"file": str(log)}})
            assert settings_of(client)["log.file"][1] == "editor"
            client.shut_down()
            assert server.daemon.exit_code() == 0
    assert log.exists()
    assert not path.exists()


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can be another user too"
)
def test_another_user_at_the_unix_socket_is_turned_away(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with listening(tmp_path, "--socket", str(path)) as server:
        # As if the mode had not kept him out.
        for folder in (path, *itertools.takewhile(lambda each: each != each.parent, path.parents)):
            folder.chmod(folder.stat().st_mode | 0o077)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.setuid(65_534)
            os.write(writing, server.answer(initialize({})) or b"nothing")
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reading, 100) == b"nothing"
        os.close(reading)
        os.close(writing)
        with server.client() as client:
            client.initialize()
            client.shut_down()


@pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")
@pytest.mark.parametrize(
    "there", ["a file", "a folder", "a server", "an open folder", "a dead one"]
)
def test_a_socket_takes_the_place_of_a_dead_one_only(tmp_path: Path, there: str) -> None:
    path = tmp_path / "socket"
    taken = socket.socket(socket.AF_UNIX)
    if there == "a file":
        path.write_text("kept")
    elif there == "a folder":
        path.mkdir()
    elif there == "an open folder":
        tmp_path.chmod(0o777)
    else:
        taken.bind(str(path))
        taken.listen()
        if there == "a dead one":
            taken.close()
    with taken, Daemon(tmp_path, "--socket", str(path)) as daemon:
        if there == "a dead one":
            daemon.wait_for_log('{"listening"')
            daemon.process.kill()
            daemon.process.wait()
        else:
            assert daemon.exit_code() == 1
            assert "coai serve: " in daemon.log()


# What a client that came over TCP may set


def _value_for(leaf: Leaf) -> object:
    """Return a value of a setting that counts, other than its default."""
    values = [
        *("/x/y", "http://127.0.0.1:9/x", "somewhere.example", "A_VARIABLE", "abc", "secret"),
        *(not leaf.default, 17, 1, 0.5, 600, ["/x/y"], ["somewhere.example"], ["abc"], ["wheels"]),
        *("debug", "cost", "always", "ollama", "never", "hint", "error", "openai_compatible"),
        *("low", "off", "brave"),
    ]
    for value in values:
        with contextlib.suppress(Exception):
            if leaf.adapter.validate_json(json.dumps(value), strict=True) != leaf.default:
                return value
    raise AssertionError(f"no value for {leaf.path}")


def _nested(path: tuple[str, ...], value: object) -> Mapping[str, Any]:
    *outer, last = ("name" if part == "<name>" else part for part in path)
    nested: dict[str, Any] = {last: value}
    for part in reversed(outer):
        nested = {part: nested}
    return nested


NAMING = {leaf.path for leaf in leaves() if leaf.names_place}


def test_every_setting_that_names_a_file_or_a_server_is_known_as_such() -> None:
    suspicious = ("file", "path", "url", "directory", "host", "rules", "workspaces", "env")
    others = {("static", "workspace")}
    by_name = {
        leaf.path
        for leaf in leaves()
        if any(word in leaf.path[-1] for word in suspicious) and leaf.default not in (True, False)
    }
    assert by_name - others <= NAMING
    assert ("engine", "model") in NAMING


@pytest.mark.parametrize("leaf", [*leaves()], ids=lambda leaf: ".".join(leaf.path))
def test_a_client_over_tcp_names_no_file_and_no_server(leaf: Leaf, tmp_path: Path) -> None:
    sent = _nested(leaf.path, _value_for(leaf))
    loaded = [
        load(
            client=sent,
            client_is_remote=remote,
            environ={},
            user_file=tmp_path / "none",
            directory=tmp_path,
        )
        for remote in (False, True)
    ]
    near, far = loaded
    custom = leaf.path[:2] == ("endpoints", "custom")
    if leaf.path in NAMING or custom:
        assert far.settings == load(environ={}, user_file=tmp_path / "none").settings
        assert far.problems
    else:
        assert far.settings == near.settings


def test_no_map_of_settings_is_keyed_by_places() -> None:
    maps = [node for node in _nodes(settings_tree()) if isinstance(node, Entries)]
    assert not [node.path for node in maps if node.name.names_place]


def _nodes(node: Any) -> Iterator[Any]:  # noqa: ANN401 (a node of any kind)
    yield node
    for child in getattr(node, "children", {}).values():
        yield from _nodes(child)
