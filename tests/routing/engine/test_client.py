"""The embedded engine as daemons use it: shared, proven, restarted, and given up."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from coai_routing.engine import launch
from coai_routing.engine.client import (
    EmbeddedEngine,
    EngineNotReadyError,
    EngineRefusedError,
    RestartPolicy,
)
from coai_routing.engine.record import (
    HostFiles,
    HostRecord,
    host_key,
    secure_directory,
)
from coai_routing.engine.state import EnginePhase, EngineState
from coai_routing.errors import CoaiError, EngineError, EngineGaveUpError, ModelFileError
from coai_routing.own_files import write_own_file
from tests.support.engine import PATIENCE, QUICK, engine_for, is_running, kill, until
from tests.support.tiny_gguf import write_tiny_gguf

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

INTERPRETER_WITHOUT_US = str(Path(sys.executable).resolve())
"""Of the installation that this virtual environment was made from."""


async def reaches(engine: EmbeddedEngine, phase: EnginePhase) -> EngineState:
    await until(lambda: engine.state.phase is phase)
    return engine.state


# Sharing, between real processes.

DAEMON = """
import asyncio, sys
from pathlib import Path
from coai_routing.engine.client import EmbeddedEngine
from coai_routing.engine.state import EngineOptions

async def main():
    options = EngineOptions.model_validate_json(sys.argv[3])
    engine = EmbeddedEngine(Path(sys.argv[1]), directory=Path(sys.argv[2]), options=options)
    engine.start()
    endpoint = await engine.endpoint(60)
    print(engine.state.pid, endpoint.base_url, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await engine.aclose()

asyncio.run(main())
"""


def start_daemon(model: Path, directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", DAEMON, str(model), str(directory), QUICK.model_dump_json()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def said_by(daemon: subprocess.Popen[str]) -> list[str]:
    assert daemon.stdout is not None
    return daemon.stdout.readline().split()


def end(daemon: subprocess.Popen[str]) -> None:
    daemon.kill()
    daemon.communicate()


async def test_four_daemons_that_start_at_once_share_one_host_that_dies_with_the_last(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    directory = tmp_path / "engine"
    daemons = [start_daemon(tiny_gguf, directory) for _ in range(4)]
    try:
        said = [await asyncio.to_thread(said_by, daemon) for daemon in daemons]
        assert len(said[0]) == 2
        assert said == [said[0]] * 4
        pid = int(said[0][0])
        for daemon in daemons[:2]:
            end(daemon)
        # One that leaves properly, with two that were killed: the host stays for the last one.
        daemons[2].communicate("")
        await asyncio.sleep(5 * QUICK.linger_seconds)
        assert is_running(pid)
    finally:
        for daemon in daemons:
            if daemon.returncode is None:
                end(daemon)
    await until(lambda: not is_running(pid))
    assert not list(directory.glob("*.json"))
    assert not list(directory.glob("*previous*")), "a second host was started"


# Starting.


async def test_starting_returns_at_once_and_tells_how_it_goes(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    async with engine_for(tiny_gguf, tmp_path / "engine") as engine:
        seen: list[EngineState] = []
        unsubscribe = engine.subscribe(seen.append)
        assert engine.state.phase is EnginePhase.NOT_STARTED
        engine.start()
        assert engine.state.phase is EnginePhase.STARTING
        with pytest.raises(EngineNotReadyError):
            await engine.endpoint(0.001)
        first = await engine.endpoint(PATIENCE)
        engine.start()
        assert await engine.endpoint(PATIENCE) == first == engine.current_endpoint
        assert not await engine.moved(first, 0.01)
        await engine.aclose()
        assert await engine.moved(first, 0)
        await asyncio.sleep(0)
        phases = list(dict.fromkeys(state.phase for state in seen))
        assert phases == ["starting", "loading", "ready", "stopped"]
        assert seen[-2].version
        unsubscribe()
        unsubscribe()
        # Its host lingers, so coming back is quick and finds the same one.
        engine.start()
        assert await engine.endpoint(PATIENCE) == first
        assert (
            len(seen) == len(phases) + [state.phase for state in seen].count(EnginePhase.READY) - 1
        )


async def test_an_engine_that_nobody_started_has_no_endpoint(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    async with engine_for(tiny_gguf, tmp_path / "engine") as engine:
        with pytest.raises(EngineError, match="not started"):
            await engine.endpoint(1)
    with pytest.raises(EngineError, match="not started"):
        await engine.endpoint(1)


async def test_closing_while_starting_leaves_nothing_behind(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    async with engine_for(tiny_gguf, tmp_path / "engine") as engine:
        engine.start()
        await asyncio.sleep(0)
        await engine.aclose()
        assert engine.state.phase is EnginePhase.STOPPED
    await until(lambda: not list((tmp_path / "engine").glob("*.json")))


# What can be wrong with the model.


def broken(path: Path, kind: str) -> Path:
    if kind == "garbage":
        path.write_bytes(b"This is no model.\n" * 100)
    elif kind == "truncated":
        whole = write_tiny_gguf(path).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "directory":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    return path


@pytest.mark.parametrize("kind", ["missing", "garbage", "truncated", "directory", "empty"])
async def test_a_broken_model_file_is_an_error_and_starts_no_process(
    tmp_path: Path, kind: str
) -> None:
    model = broken(tmp_path / "broken.gguf", kind)
    async with engine_for(model, tmp_path / "engine") as engine:
        engine.start()
        with pytest.raises(ModelFileError, match=r"broken\.gguf") as caught:
            await engine.endpoint(PATIENCE)
        assert caught.value.remedy
        assert engine.state.phase is EnginePhase.FAILED
        assert engine.state.detail == caught.value.message
        assert engine.state.remedy == caught.value.remedy
        assert not (tmp_path / "engine").exists()


async def test_a_model_that_was_mended_works_with_the_next_start(tmp_path: Path) -> None:
    model = broken(tmp_path / "model.gguf", "garbage")
    async with engine_for(model, tmp_path / "engine") as engine:
        engine.start()
        with pytest.raises(ModelFileError):
            await engine.endpoint(PATIENCE)
        write_tiny_gguf(model)
        engine.start()
        assert await engine.endpoint(PATIENCE)


async def test_a_model_that_llama_cpp_refuses_is_an_error_and_no_crash_loop(
    tmp_path: Path,
) -> None:
    model = write_tiny_gguf(tmp_path / "odd.gguf")
    model.write_bytes(model.read_bytes().replace(b"qwen2", b"qwenX"))
    async with engine_for(model, tmp_path / "engine") as engine:
        engine.start()
        with pytest.raises(EngineRefusedError, match="unknown model architecture: 'qwenX'"):
            await engine.endpoint(PATIENCE)
        assert engine.state.phase is EnginePhase.FAILED
        assert engine.state.remedy
    assert not list((tmp_path / "engine").glob("*previous*")), "it was tried again"


# Crashes.


async def test_a_killed_host_is_replaced(tiny_gguf: Path, tmp_path: Path) -> None:
    async with engine_for(tiny_gguf, tmp_path / "engine") as engine:
        engine.start()
        first = await engine.endpoint(PATIENCE)
        pid = engine.state.pid
        assert pid is not None
        kill(pid)
        assert await engine.moved(first, PATIENCE)
        assert engine.state.phase is EnginePhase.RESTARTING
        assert "ended unexpectedly" in engine.state.detail
        assert await engine.endpoint(PATIENCE) != first
        assert engine.state.pid != pid


async def test_a_crash_loop_is_given_up_until_someone_tries_again(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    policy = RestartPolicy(first_delay=0.01, longest_delay=0.02, crashes=3)
    async with engine_for(tiny_gguf, tmp_path / "engine", policy) as engine:
        killed: list[int] = []

        def kill_it(state: EngineState) -> None:
            if state.phase is EnginePhase.LOADING and state.pid is not None:
                killed.append(state.pid)
                kill(state.pid)

        unsubscribe = engine.subscribe(kill_it)
        engine.start()
        with pytest.raises(EngineGaveUpError, match="failed 3 times") as caught:
            await engine.endpoint(PATIENCE)
        assert len(set(killed)) == 3
        assert caught.value.remedy
        assert engine.state.phase is EnginePhase.FAILED
        assert "not restarted any more" in engine.state.detail
        unsubscribe()
        engine.retry()
        assert await engine.endpoint(PATIENCE)


async def test_crashes_that_lie_far_apart_are_no_loop(tiny_gguf: Path, tmp_path: Path) -> None:
    policy = RestartPolicy(first_delay=0.01, crashes=2, window=0.001)
    async with engine_for(tiny_gguf, tmp_path / "engine", policy) as engine:
        engine.start()
        for _ in range(2):
            endpoint = await engine.endpoint(PATIENCE)
            assert engine.state.pid is not None
            kill(engine.state.pid)
            assert await engine.moved(endpoint, PATIENCE)
        assert await engine.endpoint(PATIENCE)


async def test_nobody_has_to_wait_for_the_next_restart(tiny_gguf: Path, tmp_path: Path) -> None:
    policy = RestartPolicy(first_delay=10 * PATIENCE, longest_delay=10 * PATIENCE)
    async with engine_for(tiny_gguf, tmp_path / "engine", policy) as engine:
        engine.start()
        await engine.endpoint(PATIENCE)
        assert engine.state.pid is not None
        kill(engine.state.pid)
        await reaches(engine, EnginePhase.RESTARTING)
        engine.retry()
        assert await engine.endpoint(PATIENCE)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no link to follow")
async def test_a_process_that_ends_at_once_is_reported_with_its_last_words(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", INTERPRETER_WITHOUT_US)
    monkeypatch.setenv("PYTHONNOUSERSITE", "1")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    policy = RestartPolicy(first_delay=0.01, crashes=2)
    async with engine_for(tiny_gguf, tmp_path / "engine", policy) as engine:
        engine.start()
        with pytest.raises(EngineGaveUpError, match="ended at once with exit code 1") as caught:
            await engine.endpoint(PATIENCE)
        assert "No module named" in caught.value.message
        assert ".log" in caught.value.remedy


async def test_a_directory_that_cannot_be_used_is_an_error(tiny_gguf: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    async with engine_for(tiny_gguf, tmp_path / "file" / "engine") as engine:
        engine.start()
        with pytest.raises(EngineGaveUpError, match="could not be started"):
            await engine.endpoint(PATIENCE)


async def test_a_failure_that_nobody_foresaw_is_a_failed_state_too(
    tiny_gguf: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object) -> HostRecord:
        raise LookupError("unforeseen")

    monkeypatch.setattr(launch, "find_or_start", fail)
    async with engine_for(tiny_gguf, tmp_path / "engine") as engine:
        engine.start()
        with pytest.raises(EngineError, match="unforeseen"):
            await engine.endpoint(PATIENCE)
        assert engine.state.phase is EnginePhase.FAILED
    assert "unforeseen" in caplog.text


# State files that are not to be trusted.


class Stranger:
    """Some other program that listens where a host once did."""

    def __init__(self, answer: bytes = b"") -> None:
        self.heard = bytearray()
        self.visits = 0
        self._answer = answer

    async def __call__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.visits += 1
        self.heard.extend(await reader.readline())
        writer.write(self._answer)
        writer.close()


def record_of(model: Path, directory: Path, port: int) -> HostFiles:
    """Write a state file as if the host, which is this process, were at the port."""
    secure_directory(directory)
    files = HostFiles(directory, host_key(model, QUICK))
    record = HostRecord(pid=os.getpid(), port=port, token="the secret" * 6)
    write_own_file(files.record, record.model_dump_json())
    return files


async def test_a_dead_hosts_port_is_not_even_visited(tiny_gguf: Path, tmp_path: Path) -> None:
    stranger = Stranger()
    server = await asyncio.start_server(stranger, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    files = record_of(tiny_gguf, tmp_path / "engine", port)
    async with engine_for(tiny_gguf, tmp_path / "engine") as engine:
        engine.start()
        endpoint = await engine.endpoint(PATIENCE)
        assert str(port) not in endpoint.base_url
        assert engine.state.pid != os.getpid()
        assert str(port) not in files.record.read_text()
    assert stranger.visits == 0
    server.close()


async def test_an_impostor_does_not_learn_the_secret(tiny_gguf: Path, tmp_path: Path) -> None:
    """Even if the lock says that a host lives, who listens must prove to be it."""
    stranger = Stranger(b'{"nonce": "%s", "proof": "%s"}\n' % (b"0" * 64, b"0" * 64))
    server = await asyncio.start_server(stranger, "127.0.0.1", 0)
    files = record_of(tiny_gguf, tmp_path / "engine", server.sockets[0].getsockname()[1])
    lock = launch.hold_alive_lock(files, seconds=0)
    assert lock is not None
    policy = RestartPolicy(first_delay=0.01, crashes=2)
    async with engine_for(tiny_gguf, tmp_path / "engine", policy) as engine:
        engine.start()
        with pytest.raises(EngineGaveUpError, match="does not know our token"):
            await engine.endpoint(PATIENCE)
    lock.release()
    server.close()
    assert stranger.visits == 2
    assert b"secret" not in stranger.heard


async def test_a_host_that_listens_no_more_is_no_host(tiny_gguf: Path, tmp_path: Path) -> None:
    server = await asyncio.start_server(Stranger(), "127.0.0.1", 0)
    files = record_of(tiny_gguf, tmp_path / "engine", server.sockets[0].getsockname()[1])
    server.close()
    lock = launch.hold_alive_lock(files, seconds=0)
    assert lock is not None
    policy = RestartPolicy(first_delay=0.01, crashes=2)
    async with engine_for(tiny_gguf, tmp_path / "engine", policy) as engine:
        engine.start()
        with pytest.raises(CoaiError, match="does not answer"):
            await engine.endpoint(PATIENCE)
    lock.release()


@pytest.mark.parametrize("held", ["start", "alive"])
async def test_who_waits_for_another_starter_does_not_wait_for_ever(
    tiny_gguf: Path, tmp_path: Path, held: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = launch.find_or_start
    monkeypatch.setattr(
        launch,
        "find_or_start",
        lambda spec, files, abandoned: original(spec, files, abandoned, seconds=0.2),  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType] - the original's
    )
    secure_directory(tmp_path / "engine")
    files = HostFiles(tmp_path / "engine", host_key(tiny_gguf, QUICK))
    lock = FileLock(files.start_lock if held == "start" else files.alive_lock)
    policy = RestartPolicy(first_delay=0.01, crashes=2)
    with lock:
        async with engine_for(tiny_gguf, tmp_path / "engine", policy) as engine:
            engine.start()
            with pytest.raises(EngineGaveUpError, match=r"too long|in time"):
                await engine.endpoint(PATIENCE)
