"""Notices when the editor is gone.

An editor that is killed often leaves pipes open in its other children, so the end of standard input
may never be seen. LSP has the server watch the process that started it, `initialize`'s `processId`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 3.0


async def wait_for_exit(process_id: int, *, interval: float = INTERVAL_SECONDS) -> bool:
    """Return True when that process has ended, looking every `interval` seconds.

    Return False at once if it cannot be seen from here. That is so in a container, where the
    client's process ids mean nothing or another process.
    """
    process = await asyncio.to_thread(_find, process_id)
    if process is None:
        logger.info("Process %d is not to be seen, so it is not watched.", process_id)
        return False
    logger.debug("Watching process %d.", process_id)
    while await asyncio.to_thread(_is_running, process):  # noqa: ASYNC110 (no event tells of it)
        await asyncio.sleep(interval)
    return True


def _find(process_id: int) -> psutil.Process | None:
    import psutil  # noqa: PLC0415 (loads a native library, so not on the event loop)

    try:
        return psutil.Process(process_id)
    except (psutil.NoSuchProcess, psutil.AccessDenied, ValueError):
        return None


def _is_running(process: psutil.Process) -> bool:
    """Say whether it is still that process: psutil compares the time at which it was created."""
    import psutil  # noqa: PLC0415 (as above)

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
