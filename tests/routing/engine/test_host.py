"""The engine's process, as its users and strangers meet it."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from coai_routing.engine import launch, speed_probe
from coai_routing.engine.host import EXIT_ALREADY_RUNNING, EXIT_USAGE, LOG_BYTES, bound_log
from coai_routing.engine.record import (
    HostFiles,
    HostRecord,
    HostSpec,
    host_key,
    log_tail,
    secure_directory,
)
from coai_routing.pool.speed import Speed
from tests.support.engine import QUICK, is_running, until, using
from tests.support.tiny_gguf import write_tiny_gguf

if TYPE_CHECKING:
    from pathlib import Path

    from coai_routing.engine.state import EngineOptions


def spec_of(model: Path, directory: Path, options: EngineOptions = QUICK) -> HostSpec:
    secure_directory(directory)
    return HostSpec(model=model, directory=directory, key=host_key(model, options), options=options)


def files_of(spec: HostSpec) -> HostFiles:
    return HostFiles(spec.directory, spec.key)


def files_log(spec: HostSpec) -> str:
    return log_tail(files_of(spec).log)


async def start(spec: HostSpec) -> HostRecord:
    return await asyncio.to_thread(launch.find_or_start, spec, files_of(spec), threading.Event())


async def test_a_host_serves_its_model_to_users_and_ends_with_the_last(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    spec = spec_of(tiny_gguf, tmp_path / "engine")
    files = files_of(spec)
    record = await start(spec)
    async with using(record) as first, using(record) as second:
        status = await first.status(lambda status: status.phase == "ready")
        assert status.base_url is not None
        assert status.pid == record.pid
        same = await second.status(lambda status: status.phase == "ready" and status.users == 2)
        assert same.base_url == status.base_url
        async with httpx.AsyncClient(base_url=status.base_url, timeout=30) as client:
            asked = {"prompt": "def f(", "n_predict": 4}
            key = {"Authorization": f"Bearer {status.api_key}"}
            reply = await client.post("/completion", json=asked, headers=key)
            assert reply.json()["tokens_predicted"] == 4
            assert reply.json()["model"] == tiny_gguf.stem
            assert (await client.post("/completion", json=asked)).status_code == 401
            page = await client.get("/health", headers={"Origin": "http://page.example"})
            assert page.headers.get("Access-Control-Allow-Origin") != "http://page.example"
            slots = (await client.get("/slots", headers=key)).json()
            assert [slot["n_ctx"] for slot in slots] == [512, 512]
        if sys.platform != "win32":
            assert os.getsid(record.pid) == record.pid != os.getsid(0)
            modes = {stat.S_IMODE(path.stat().st_mode) for path in spec.directory.iterdir()}
            assert modes == {0o600}
        # Who asks for the same finds the one that is there.
        assert await start(spec) == record
        first.leave()
        assert (await second.status(lambda status: status.users == 1)).phase == "ready"
    await until(lambda: not is_running(record.pid))
    assert not files.record.exists()
    assert "ends with exit code 0" in log_tail(files.log)


async def test_without_a_user_a_host_ends_and_has_loaded_nothing(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    spec = spec_of(tiny_gguf, tmp_path / "engine").model_copy(update={"first_user_seconds": 0.5})
    record = await start(spec)
    # A stranger is no user.
    reader, writer = await asyncio.open_connection("127.0.0.1", record.port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert await reader.read() == b""
    writer.close()
    await until(lambda: not is_running(record.pid))
    assert not files_of(spec).record.exists()
    log = files_of(spec).log.read_text()
    assert "A connection was refused" in log
    assert "Ready" not in log


async def test_a_model_that_llama_cpp_refuses_is_reported_with_its_reasons(
    tmp_path: Path,
) -> None:
    model = write_tiny_gguf(tmp_path / "odd.gguf")
    model.write_bytes(model.read_bytes().replace(b"qwen2", b"qwenX"))
    spec = spec_of(model, tmp_path / "engine")
    record = await start(spec)
    async with using(record) as user:
        status = await user.status(lambda status: status.phase == "failed")
    assert "unknown model architecture: 'qwenX'" in status.message
    await until(lambda: not is_running(record.pid))
    assert "ends with exit code 1" in log_tail(files_of(spec).log)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
async def test_a_host_that_is_told_to_end_takes_its_state_file_along(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    spec = spec_of(tiny_gguf, tmp_path / "engine")
    record = await start(spec)
    async with using(record) as user:
        await user.status(lambda status: status.phase == "ready")
        os.kill(record.pid, signal.SIGTERM)
        await until(lambda: not is_running(record.pid))
    assert not files_of(spec).record.exists()


async def test_weights_leave_memory_when_idle_and_come_back_with_the_next_request(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    options = QUICK.model_copy(update={"idle_unload_seconds": 1})
    spec = spec_of(tiny_gguf, tmp_path / "engine", options)
    async with using(await start(spec)) as user:
        status = await user.status(lambda status: status.asleep)
        assert status.base_url is not None
        key = {"Authorization": f"Bearer {status.api_key}"}
        async with httpx.AsyncClient(base_url=status.base_url, timeout=30, headers=key) as client:
            reply = await client.post("/completion", json={"prompt": "x", "n_predict": 2})
            assert reply.json()["tokens_predicted"] == 2
        await user.status(lambda status: not status.asleep)


async def test_a_host_outlives_its_log_and_begins_another_one(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    options = QUICK.model_copy(update={"idle_unload_seconds": 1})
    spec = spec_of(tiny_gguf, tmp_path / "engine", options)
    files = files_of(spec)
    async with using(await start(spec)) as user:
        status = await user.status(lambda status: status.phase == "ready")
        files.log.unlink()
        await until(files.log.exists)
        assert is_running(status.pid)
        await user.status(lambda status: status.asleep)


async def test_a_figure_that_cannot_be_kept_costs_nobody_the_model(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    options = QUICK.model_copy(update={"measure_speed": True})
    spec = spec_of(tiny_gguf, tmp_path / "engine", options)
    speed_probe.speeds_file(spec.directory).mkdir()
    async with using(await start(spec)) as user:
        status = await user.status(lambda status: status.phase == "ready")
        await until(lambda: "IsADirectoryError" in files_log(spec))
        assert is_running(status.pid)


async def test_speed_is_measured_once_and_then_known(tiny_gguf: Path, tmp_path: Path) -> None:
    options = QUICK.model_copy(update={"measure_speed": True, "linger_seconds": 0.0})
    spec = spec_of(tiny_gguf, tmp_path / "engine", options)
    record = await start(spec)
    async with using(record) as user:
        await user.status(lambda status: status.speed is not None)
    await until(lambda: not is_running(record.pid))

    known = Speed(prompt_tokens_per_second=123.0, output_tokens_per_second=45.0)
    speed_probe.keep_speed(spec.directory, speed_probe.speed_key(tiny_gguf, options), known)
    async with using(await start(spec)) as user:
        assert (await user.status(lambda status: status.speed is not None)).speed == known


def run_host(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "coai_routing.engine", *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_who_starts_the_process_by_hand_is_told_that_it_is_not_for_them(tmp_path: Path) -> None:
    ended = run_host(directory=tmp_path)
    assert ended.returncode == EXIT_USAGE
    assert "started by COAI itself" in ended.stderr


def test_a_second_host_with_the_same_key_ends_at_once(tiny_gguf: Path, tmp_path: Path) -> None:
    spec = spec_of(tiny_gguf, tmp_path / "engine")
    lock = launch.hold_alive_lock(files_of(spec), seconds=0)
    assert lock is not None
    try:
        ended = run_host(spec.model_dump_json(), directory=tmp_path)
    finally:
        lock.release()
    assert ended.returncode == EXIT_ALREADY_RUNNING
    assert "Another host" in log_tail(files_of(spec).log)
    assert not files_of(spec).record.exists()


@pytest.mark.parametrize(("length", "kept"), [(LOG_BYTES, LOG_BYTES), (LOG_BYTES + 1, 0)])
def test_a_long_log_starts_anew_and_goes_on(tmp_path: Path, length: int, kept: int) -> None:
    files = HostFiles(tmp_path, "key")
    with files.log.open("ab", buffering=0) as log:
        log.write(b"x" * length)
        bound_log(files)
        log.write(b"more")
    assert files.log.stat().st_size == kept + len(b"more")
