"""Runs the user's own test command, as if typed there: with its folder and environment, no shell.

The command is the user's: it comes from the command line, never from a workspace's settings or from
a model.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import sys
import time
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.fixing.tally import Tried
from coai_routing.errors import CoaiError
from coai_routing.processes import start_async, users_environment

if TYPE_CHECKING:
    from asyncio import StreamReader
    from collections.abc import Sequence
    from pathlib import Path

KEPT_BYTES: Final = 200_000
"""Of what the command writes, its end."""
AFTER_SECONDS: Final = 2.0
"""How long output may still come once the command has ended: what it started may hold the pipe."""

# A session of its own, so that all that the command started can be ended with it.
_OWN_SESSION: Final = "import os,sys; os.setsid(); os.execv(sys.argv[1], sys.argv[1:])"


class TestCommandError(CoaiError):
    """The test command cannot be run."""

    __test__ = False


async def run_command(words: Sequence[str], *, seconds: float, directory: Path) -> Tried:
    """Run what `words_of` gave to its end, or to the end of its time; raises OSError."""
    # Bytecode of one version would be taken for the next one's within the same second.
    environment = {**users_environment(), "PYTHONDONTWRITEBYTECODE": "1"}
    begun, computed = time.monotonic(), _children_seconds()
    process = await start_async(
        words,
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.STDOUT,
        directory=directory,
        environment=environment,
    )
    assert process.stdout is not None
    kept = bytearray()
    reading = asyncio.create_task(_read(process.stdout, kept))
    timed_out = False
    try:
        async with asyncio.timeout(seconds):
            await process.wait()
        took, computed = time.monotonic() - begun, _children_seconds() - computed
        await asyncio.wait([reading], timeout=AFTER_SECONDS)
    except TimeoutError:
        timed_out, took = True, seconds
    finally:
        _end(process)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await process.wait()
    output = kept.decode("utf-8", "replace")
    passed = process.returncode == 0 and not timed_out
    return Tried(passed, output, timed_out, took, computed)


def _children_seconds() -> float:
    """Return what ended children computed: only one runs at a time, so a difference is one's."""
    if sys.platform == "win32":
        return 0.0
    import resource  # noqa: PLC0415 - Windows has none

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def words_of(command: str, directory: Path) -> list[str]:
    """Return a command as it is started; raises `TestCommandError` where there is no such one."""
    try:
        words = shlex.split(command, posix=os.name != "nt")
    except ValueError as error:
        raise TestCommandError(f"The test command cannot be read: {error}.") from error
    if not words:
        raise TestCommandError("The test command is empty.")
    named = words[0] if os.path.dirname(words[0]) == "" else str(directory / words[0])  # noqa: PTH120 - of a word, not of a path
    # The user typed this command here and means what this folder has.
    found = shutil.which(named, path=users_environment().get("PATH"))  # noqa: TID251 - as said above
    if found is None:
        raise TestCommandError(
            f"There is no program {words[0]}.", remedy="Name one that this shell would find."
        )
    whole = [os.path.abspath(found), *words[1:]]  # noqa: PTH100 - a virtual environment's link stays one
    if sys.platform == "win32":
        return whole
    return [sys.executable, "-I", "-S", "-c", _OWN_SESSION, *whole]


def _end(process: asyncio.subprocess.Process) -> None:
    """End a command and all that it started."""
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        process.kill()


async def _read(stream: StreamReader, kept: bytearray) -> None:
    while piece := await stream.read(64 * 1024):
        kept += piece
        del kept[:-KEPT_BYTES]
