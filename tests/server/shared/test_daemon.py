"""The shared daemon in a process of its own, and commands that use it where it runs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

import psutil
import pytest
from mcp import Client, StdioServerParameters

from coai_server.shared import client
from coai_server.shared.client import Absent, connect
from coai_server.shared.forwarding import GONE
from coai_server.shared.place import is_served, surroundings
from tests.server.shared.daemons import User, some_user
from tests.server.test_mcp import ERAS, SHOP, value_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Sequence
    from pathlib import Path

    from mcp.client.extension import ClientExtension


@pytest.fixture
def user() -> Generator[User]:
    with some_user() as user:
        (user.folder / "shop.py").write_text(SHOP)
        yield user


@pytest.fixture(scope="module")
def served() -> Generator[User]:
    """Give a user whose daemon runs, for tests that leave it as it is."""
    with some_user() as user:
        (user.folder / "shop.py").write_text(SHOP)
        with user.daemon():
            yield user


@asynccontextmanager
async def client_of(
    user: User,
    *options: str,
    mode: Literal["auto", "legacy"] = "auto",
    folder: Path | None = None,
    extensions: Sequence[ClientExtension] = (),
) -> AsyncGenerator[Client]:
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "coai_server", "mcp", *options],
        cwd=folder or user.folder,
        env=user.environment,
    )
    async with Client(server, mode=mode, read_timeout_seconds=60, extensions=extensions) as opened:
        yield opened


def gone(pid: int) -> None:
    """Wait until a process has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(60)


def test_it_starts_once_says_how_it_is_and_ends(user: User) -> None:
    assert user.coai("daemon", "status").returncode == 3
    assert user.status() == {"ok": False, "running": False}
    with user.daemon() as pid:
        again = json.loads(user.coai("daemon", "start", "--json").stdout)
        assert again["pid"] == pid
        second = user.coai("daemon", "run")
        assert (second.returncode, second.stdout) == (1, "")
        assert "runs already" in second.stderr
        known = user.status()
        assert (known["pid"], known["clients"], known["runs"]) == (pid, {}, 0)
        for each in user.place.folder.iterdir():
            assert stat.S_IMODE(each.stat().st_mode) == 0o600, each
        assert stat.S_IMODE(user.place.folder.stat().st_mode) == 0o700
        assert user.coai("daemon", "stop").stdout == "The daemon has ended.\n"
    assert user.coai("daemon", "status").returncode == 3
    assert user.coai("daemon", "stop").stdout == "No daemon runs.\n"
    assert not user.place.record.exists()


def test_a_run_whose_process_was_killed_is_taken_up(user: User) -> None:
    own = user.home / ".config" / "coai"
    wait = user.home / "wait"
    # The first time it is killed; the second time it ends.
    script = f"#!/bin/sh\nif [ -e {wait} ]; then echo 1; else echo $$ >{wait}; exec sleep 600; fi\n"
    for name, text in (
        ("ensembles/slow.yaml", "name: slow\nnodes:\n  - {kind: script, name: s, script: s.sh}\n"),
        ("scripts/s.sh", script),
    ):
        path = own / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o700)
    command = [sys.executable, "-m", "coai_server", "run", "slow", "--input", "x", "--no-model"]
    environment = {**os.environ, **user.environment}
    with subprocess.Popen(command, cwd=user.folder, env=environment) as process:
        while not (wait.exists() and wait.read_text()):
            assert process.poll() is None
        process.kill()
    os.kill(int(wait.read_text()), signal.SIGKILL)
    (lost,) = json.loads(user.coai("runs", "list", "--json").stdout)
    assert lost["state"] == "running"
    with user.daemon():
        while True:
            (seen,) = json.loads(user.coai("runs", "list", "--json").stdout)
            if seen["state"] != "running":
                break
    assert (seen["id"], seen["state"]) == (lost["id"], "done")


def test_it_ends_by_itself_when_nobody_comes(user: User) -> None:
    with user.daemon("--idle", "0.02") as pid:
        gone(pid)
        assert not user.place.record.exists()
        assert user.coai("daemon", "status").returncode == 3


@pytest.mark.parametrize("mode", ERAS)
async def test_tools_answer_through_it_and_each_client_has_its_own_roots(
    served: User, mode: Literal["auto", "legacy"]
) -> None:
    other = served.folder.parent / "other"
    other.mkdir(exist_ok=True)
    (other / "their.py").write_text("def theirs():\n    return 1\n")
    async with (
        client_of(served, mode=mode) as first,
        client_of(served, mode=mode, folder=other) as second,
    ):
        assert first.session.protocol_version == ERAS[mode]
        audited = value_of(await first.call_tool("audit", {}))
        assert audited["findings"][0]["path"] == "shop.py"
        what = {"what": "their.py:theirs", "model": False}
        assert "their.py:1" in value_of(await second.call_tool("explain", what))["text"]
        for path in ("their.py", str(other / "their.py")):
            refused = await first.call_tool("explain", {"what": path, "model": False})
            assert refused.is_error
        assert served.status()["clients"] == {"mcp": 2}


async def test_a_run_that_is_not_waited_for_outlives_its_client(served: User) -> None:
    async with client_of(served) as opened:
        given = {"name": "code-review", "input": "shop.py", "model": False, "wait": False}
        begun = value_of(await opened.call_tool("run_workflow", given))
    async with client_of(served) as opened:
        while True:
            seen = value_of(await opened.call_tool("run_status", {"run": begun["run"]}))
            if seen["state"] != "running":
                break
    assert seen["state"] == "done"
    assert "weak-hash" in seen["text"]


def test_who_waits_when_it_is_killed_gets_a_typed_error(user: User) -> None:
    for number in range(300):
        (user.folder / f"more{number}.py").write_text(SHOP * 5)
    with user.daemon() as pid:
        process = subprocess.Popen(
            [sys.executable, "-m", "coai_server", "mcp"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=user.folder,
            env={**os.environ, **user.environment},
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with process:
            for line in opening():
                process.stdin.write(json.dumps(line) + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == "begin"
            told = json.loads(process.stdout.readline())
            assert told["method"] == "notifications/progress"
            os.kill(pid, signal.SIGKILL)
            rest = [json.loads(line) for line in process.stdout]
            assert process.wait(60) == 1
        (last,) = [each for each in rest if "id" in each]
        assert (last["id"], last["error"]["code"]) == (7, GONE)
        assert last["error"]["data"] == {"kind": "daemon-gone"}
        # What it left behind keeps nobody from starting another.
        assert user.coai("daemon", "status").returncode == 3
        assert user.place.socket is not None
        assert user.place.socket.exists()
        with user.daemon() as second:
            assert user.status()["pid"] == second != pid


def opening() -> list[dict[str, Any]]:
    """Return the messages of a client that asks for an audit and hears of its progress."""
    hello = {
        "protocolVersion": ERAS["legacy"],
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    call = {"name": "audit", "arguments": {}, "_meta": {"progressToken": 1}}
    return [
        {"jsonrpc": "2.0", "id": "begin", "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": call},
    ]


def test_what_was_asked_before_the_end_of_input_is_answered(served: User) -> None:
    lines = [each for each in opening() if each.get("id") != 7]
    lines.append({"jsonrpc": "2.0", "id": 2, "method": "ping"})
    given = "".join(json.dumps(each) + "\n" for each in lines)
    ended = served.coai("mcp", given=given)
    assert (ended.returncode, ended.stderr) == (0, "")
    answers = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [each["id"] for each in answers] == ["begin", 2]


def test_a_client_with_other_settings_works_without_it_and_says_so(served: User) -> None:
    given = json.dumps(opening()[0]) + "\n"
    ended = served.coai("mcp", given=given, COAI_PRIVACY__MODE="true")
    assert json.loads(ended.stdout)["id"] == "begin"
    assert "works without the daemon: The daemon was started with other settings" in ended.stderr


HOME: Final = {"HOME": "/home/x", "COAI_LOG__LEVEL": "info", "PATH": "/bin"}
KEYS: Final = {**HOME, "ANTHROPIC_API_KEY": "a", "HTTPS_PROXY": "http://x"}


@pytest.mark.parametrize(
    ("client", "daemon", "served"),
    [
        (HOME, HOME, True),
        ({**HOME, "PATH": "/usr/bin", "TERM": "dumb"}, HOME, True),
        ({**HOME, "HOME": "/home/y"}, HOME, False),
        ({**HOME, "COAI_PRIVACY__MODE": "true"}, HOME, False),
        (HOME, {**HOME, "COAI_PRIVACY__MODE": "false"}, False),
        # Many clients start servers without most of the user's variables.
        (HOME, KEYS, True),
        (KEYS, KEYS, True),
        (KEYS, HOME, False),
        ({**KEYS, "ANTHROPIC_API_KEY": "b"}, KEYS, False),
        ({**KEYS, "https_proxy": "http://y"}, KEYS, False),
        ({**KEYS, "XDG_CONFIG_HOME": "/elsewhere"}, KEYS, False),
    ],
)
def test_what_was_set_for_a_client_alone_keeps_it_from_the_daemon(
    client: dict[str, str], daemon: dict[str, str], *, served: bool
) -> None:
    there = surroundings("secret", daemon)
    assert is_served(surroundings("secret", client), there) is served
    assert not is_served(surroundings("another", client), there)
    assert not is_served((), there)


@pytest.fixture
def as_served(served: User, monkeypatch: pytest.MonkeyPatch) -> User:
    """Have this process be that user's."""
    for name, text in served.environment.items():
        monkeypatch.setenv(name, text)
    return served


def test_a_client_that_reads_nothing_keeps_nobody_waiting(as_served: User) -> None:
    frozen = connect("mcp", [str(as_served.folder)], as_served.place)
    assert isinstance(frozen, socket.socket)
    lines = [each for each in opening() if each.get("id") != 7]
    asked = [{"jsonrpc": "2.0", "id": number, "method": "tools/list"} for number in range(200)]
    with frozen:
        frozen.sendall(b"".join(json.dumps(each).encode() + b"\n" for each in (*lines, *asked)))
        given = json.dumps(opening()[0]) + "\n"
        for _ in range(2):
            assert json.loads(as_served.coai("mcp", given=given).stdout)["id"] == "begin"
        assert as_served.status()["clients"] == {"mcp": 1}


def test_a_daemon_that_does_not_answer_is_as_good_as_none(
    as_served: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "SECONDS", 0.2)
    pid = as_served.status()["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        absent = connect("mcp", [str(as_served.folder)], as_served.place)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert isinstance(absent, Absent)
    assert "does not answer" in absent.why


@pytest.mark.parametrize("minutes", ["soon", "", "-1", "nan", "inf"])
def test_a_time_that_is_none_is_refused_in_words(user: User, minutes: str) -> None:
    refused = user.coai("daemon", "start", f"--idle={minutes}")
    assert refused.returncode == 2
    assert f"--idle: expected minutes, 0 or more, got {minutes!r}" in refused.stderr


def test_a_client_without_proof_is_told_nothing(served: User) -> None:
    path = str(served.place.socket)
    for first in (
        '{"nonce": "0"}\n',
        "[]\n",
        "x" * 200_000,
        '{"nonce": "0"}\n{"proof": "0"}\n',
    ):
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(path)
            sending = threading.Thread(target=stranger.sendall, args=(first.encode(),))
            sending.start()
            said = b""
            stranger.settimeout(20)
            if not first.endswith("}\n") or "proof" in first:
                while chunk := stranger.recv(65536):
                    said += chunk
            else:
                said = stranger.recv(65536)
            sending.join()
        lines = said.splitlines()
        assert len(lines) <= 1
        assert all(set(json.loads(each)) == {"nonce", "proof"} for each in lines)
    assert served.status()["running"]


def test_a_process_that_is_no_daemon_is_not_talked_to(user: User) -> None:
    with user.daemon() as pid:
        record = json.loads(user.place.record.read_text())
        os.kill(pid, signal.SIGKILL)
    user.place.folder.mkdir(exist_ok=True)
    path = user.place.folder / "daemon.sock"
    path.unlink(missing_ok=True)
    heard = bytearray()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        user.place.record.write_text(json.dumps(record))

        def pretend() -> None:
            connection, _ = listener.accept()
            with connection:
                heard.extend(connection.recv(65536))
                connection.sendall(b'{"nonce": "1", "proof": "2"}\n')
                while chunk := connection.recv(65536):
                    heard.extend(chunk)

        pretending = threading.Thread(target=pretend)
        pretending.start()
        ended = user.coai("daemon", "status")
        pretending.join()
    assert ended.returncode == 1
    assert "does not know the secret" in ended.stderr
    assert set(json.loads(bytes(heard))) == {"nonce"}
