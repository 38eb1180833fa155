"""Short cuts for tests with real engine processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import psutil

from coai_routing.engine.client import EmbeddedEngine, RestartPolicy
from coai_routing.engine.control import HostStatus, greet_host, receive_line
from coai_routing.engine.state import EngineOptions

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from coai_routing.engine.record import HostRecord

QUICK = EngineOptions(
    threads=1, slots=2, context_tokens=512, linger_seconds=0.2, measure_speed=False
)
AT_ONCE = RestartPolicy(first_delay=0.01, longest_delay=0.05)

PATIENCE = 60.0
"""Seconds after which a test gives up; on a good day nothing takes more than two."""


def is_running(pid: int) -> bool:
    """Tell whether the process does anything any more."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill(pid: int) -> None:
    """End a process as a crash does."""
    if sys.platform == "win32":
        psutil.Process(pid).kill()
    else:
        psutil.Process(pid).send_signal(signal.SIGKILL)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what must become true sooner or later."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - other processes set no event of ours
            await asyncio.sleep(0.02)


@asynccontextmanager
async def engine_for(
    model: Path,
    directory: Path,
    restart: RestartPolicy = AT_ONCE,
    options: EngineOptions = QUICK,
) -> AsyncGenerator[EmbeddedEngine]:
    """Give an engine that is not started yet; its processes are gone afterwards."""
    engine = EmbeddedEngine(model, directory=directory, options=options, restart=restart)
    pids: set[int | None] = set()
    engine.subscribe(lambda state: pids.add(state.pid))
    try:
        yield engine
    finally:
        await engine.aclose()
        await until(
            lambda: not any(is_running(pid) for pid in pids if pid not in (None, os.getpid()))
        )


class HostUser:
    """One control connection to a host."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def status(self, wanted: Callable[[HostStatus], bool]) -> HostStatus:
        """Wait for a status that is `wanted`."""
        async with asyncio.timeout(PATIENCE):
            while not wanted(status := await receive_line(self._reader, HostStatus)):
                pass
        return status

    def leave(self) -> None:
        self._writer.close()


@asynccontextmanager
async def using(record: HostRecord) -> AsyncGenerator[HostUser]:
    """Be a user of the host."""
    reader, writer = await asyncio.open_connection("127.0.0.1", record.port)
    try:
        async with asyncio.timeout(PATIENCE):
            await greet_host(reader, writer, record)
        yield HostUser(reader, writer)
    finally:
        writer.close()
