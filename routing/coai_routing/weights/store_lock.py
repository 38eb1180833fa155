"""One process at a time for one model's files.

The lock is the operating system's, which takes it from a process that dies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from coai_routing.own_files import FILE_MODE
from coai_routing.weights.store_files import beside, cannot_write

if TYPE_CHECKING:
    from pathlib import Path


class ModelLock:
    """The right to change the weights at a path and what is beside them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(beside(path, ".lock"), mode=FILE_MODE)

    def take(self) -> bool:
        """Take the lock if it is free, and say whether it was; raises `ModelStoreError`."""
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            return False
        except OSError as error:
            raise cannot_write(self._path, error) from error
        return True

    def release(self) -> None:
        """Let the next one have it."""
        self._lock.release()
