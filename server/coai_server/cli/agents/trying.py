"""Runs the user's own test command on a changed file, and puts the file back whatever happens.

The command is the user's: it comes from the command line, never from a workspace's settings, and
runs as if typed there, with the same folder and environment, but without a shell.
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
from coai_routing.workspace_files import read_file, replace_file

if TYPE_CHECKING:
    from asyncio import StreamReader
    from pathlib import Path

    from coai_agents.source import Source

MOST_BYTES: Final = 20_000_000
KEPT_BYTES: Final = 200_000
"""Of what the command writes, its end."""
AFTER_SECONDS: Final = 2.0
"""How long output may still come once the command has ended: what it started may hold the pipe."""

_BOM: Final = b"\xef\xbb\xbf"
# A session of its own, so that all that the command started can be ended with it.
_OWN_SESSION: Final = "import os,sys; os.setsid(); os.execv(sys.argv[1], sys.argv[1:])"


class TestCommandError(CoaiError):
    """The test command cannot be run."""

    __test__ = False


class Trial:
    """One file and the command that tests it."""

    def __init__(self, path: Path, command: str, *, seconds: float, directory: Path) -> None:
        """Raise `TestCommandError` where there is no such command."""
        self.path = path.absolute()
        self._before = read_file(self.path, MOST_BYTES)
        self._seconds = seconds
        self._directory = directory
        self._command = _words(command, directory)
        self.runs = 0
        """How often the command was run."""

    async def __call__(self, source: Source) -> Tried:
        """Return how the test goes with the file as `source` has it; the file is as before."""
        mark = _BOM if self._before.startswith(_BOM) else b""
        content = mark + source.text.encode()
        self.runs += 1
        if content == self._before:
            return await self._run()
        replace_file(self.path, self._before, content)
        try:
            return await self._run()
        finally:
            replace_file(self.path, content, self._before)

    async def _run(self) -> Tried:
        # Bytecode of one version would be taken for the next one's within the same second.
        environment = {**users_environment(), "PYTHONDONTWRITEBYTECODE": "1"}
        begun, computed = time.monotonic(), _children_seconds()
        process = await start_async(
            self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.STDOUT,
            directory=self._directory,
            environment=environment,
        )
        assert process.stdout is not None
        kept = bytearray()
        reading = asyncio.create_task(_read(process.stdout, kept))
        timed_out = False
        try:
            async with asyncio.timeout(self._seconds):
                await process.wait()
            seconds, computed = time.monotonic() - begun, _children_seconds() - computed
            await asyncio.wait([reading], timeout=AFTER_SECONDS)
        except TimeoutError:
            timed_out, seconds = True, self._seconds
        finally:
            _end(process)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await process.wait()
        output = kept.decode("utf-8", "replace")
        passed = process.returncode == 0 and not timed_out
        return Tried(passed, output, timed_out, seconds, computed)


def _children_seconds() -> float:
    """Return what ended children computed: only one runs at a time, so a difference is one's."""
    if sys.platform == "win32":
        return 0.0
    import resource  # noqa: PLC0415 - Windows has none

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _words(command: str, directory: Path) -> list[str]:
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
