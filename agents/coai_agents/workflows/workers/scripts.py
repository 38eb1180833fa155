"""Scripts of the user's: JSON in, JSON out, from one folder of theirs alone, bounded in both.

A plan says a name; where the folder is, the user's settings say, and a workspace has no part in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import stat
import sys
from typing import TYPE_CHECKING, Final

from coai_agents.workflows.engine.work import Done, StepFailedError
from coai_routing.processes import child_environment, start_async

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Mapping
    from pathlib import Path

    from coai_agents.workflows.definition.types import Json

SECONDS: Final = 60.0
"""Where the step says no other deadline."""

MOST_BYTES: Final = 4_000_000

GRACE: Final = 5.0
"""Seconds for a script that was killed to be gone."""


def scripts_in(folder: Path) -> frozenset[str]:
    """Return the names of the programs in the user's folder."""
    try:
        return frozenset(each.name for each in folder.iterdir() if _is_runnable(each))
    except OSError:
        return frozenset()


def _is_runnable(path: Path) -> bool:
    status = path.lstat()
    return stat.S_ISREG(status.st_mode) and os.access(path, os.X_OK)


async def run_script(
    path: Path, given: Mapping[str, Json], *, key: str, seconds: float | None
) -> Done:
    """Run a script with what it is given; raises `StepFailedError`.

    `key` tells this attempt from every other: a script that does something puts it into what it
    does, so that doing it twice can be told.
    """
    try:
        process = await start_async(
            [str(path)], environment={**child_environment(), "COAI_ATTEMPT": key}, own_group=True
        )
    except OSError as error:
        raise StepFailedError(f"{path.name} cannot be started: {error}.", again=False) from error
    try:
        async with asyncio.timeout(seconds or SECONDS):
            assert process.stdin is not None
            assert process.stdout is not None
            with contextlib.suppress(ConnectionError):
                process.stdin.write(json.dumps(dict(given)).encode())
                await process.stdin.drain()
            process.stdin.close()
            out = await process.stdout.read(MOST_BYTES + 1)
            while len(out) <= MOST_BYTES and (more := await process.stdout.read(MOST_BYTES)):
                out += more
            if len(out) > MOST_BYTES:
                raise StepFailedError(f"{path.name} wrote more than {MOST_BYTES:,} bytes.")
            code = await process.wait()
    except TimeoutError as error:
        limit = f"{seconds or SECONDS:g} s"
        raise StepFailedError(f"{path.name} took longer than {limit}.") from error
    finally:
        if process.returncode is None:
            await _ended(process)
    if code != 0:
        raise StepFailedError(f"{path.name} ended with code {code}.")
    try:
        return Done(json.loads(out))
    except ValueError as error:
        raise StepFailedError(f"{path.name} wrote no JSON.", again=False) from error


async def _ended(process: Process) -> None:
    """End a script and all that it started, and wait until it has ended."""
    with contextlib.suppress(ProcessLookupError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    # What nobody reads holds back the news of the end.
    assert process.stdout is not None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GRACE):
            while await process.stdout.read(MOST_BYTES):
                pass
            await process.wait()
