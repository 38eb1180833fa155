from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import psutil
import pytest

from coai_server.daemon.parent import wait_for_exit
from tests.support.lsp_client import SECONDS, ServerProcess


def _child() -> subprocess.Popen[bytes]:
    """Start a process that ends with its standard input."""
    return subprocess.Popen(
        [sys.executable, "-S", "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    )


async def test_the_end_of_the_process_is_noticed() -> None:
    with _child() as child:
        watch = asyncio.create_task(wait_for_exit(child.pid, interval=0.01))
        await asyncio.sleep(0.05)
        assert not watch.done()
        # It stays a zombie until it is waited for, which is dead enough.
        child.kill()
        async with asyncio.timeout(SECONDS):
            assert await watch is True


@pytest.mark.parametrize("process_id", [-1, 2**30, 2**70])
async def test_what_cannot_be_seen_is_not_watched(process_id: int) -> None:
    assert await wait_for_exit(process_id) is False


async def test_a_process_that_got_the_number_later_is_another_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = psutil.Process(os.getpid())
    watched.create_time()
    # What psutil remembers of the process that had the number before.
    monkeypatch.setattr(watched, "_create_time", 1.0)
    monkeypatch.setattr(watched, "_ident", (os.getpid(), 1.0))

    def find(_: int) -> psutil.Process:
        return watched

    monkeypatch.setattr("coai_server.daemon.parent._find", find)
    async with asyncio.timeout(SECONDS):
        assert await wait_for_exit(os.getpid(), interval=0.01) is True


@pytest.mark.parametrize(
    ("error", "gone"),
    [(psutil.NoSuchProcess(1), True), (psutil.AccessDenied(1), False)],
    ids=["ended", "denied"],
)
async def test_only_a_process_that_ended_is_gone(
    monkeypatch: pytest.MonkeyPatch, error: psutil.Error, gone: bool
) -> None:
    def fail(_: psutil.Process) -> str:
        raise error

    monkeypatch.setattr(psutil.Process, "status", fail)
    watch = asyncio.create_task(wait_for_exit(os.getpid(), interval=0.01))
    await asyncio.wait({watch}, timeout=SECONDS if gone else 0.1)
    assert watch.done() is gone
    watch.cancel()


def test_the_server_ends_with_the_process_that_started_it() -> None:
    with _child() as parent, ServerProcess() as server:
        server.initialize(processId=parent.pid)
        server.wait_for_log(f"Watching process {parent.pid}")
        parent.kill()
        parent.wait(SECONDS)
        assert server.exit_code() == 1
        assert f"{parent.pid}, is gone" in server.log()


def test_a_parent_in_another_world_is_not_watched() -> None:
    with ServerProcess() as server:
        server.initialize(processId=2**30)
        server.wait_for_log("is not watched")
        server.settle()
