"""Answers that are kept: some in memory, more on disk, nothing sensitive outside of memory.

What is on disk is JSON in a directory that only the user can read. `diskcache` can unpickle what it
finds, which whoever may write there could use (CVE-2025-69872), so it is given a `Disk` that keeps
bytes and refuses anything else. A directory of another version, of somebody else, or that is
damaged is set aside, and a new one begins.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import sqlite3
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from cachetools import TTLCache
from pydantic import ValidationError

from coai_routing.own_files import own_file, own_folder, own_tree, write_own_file
from coai_routing.request import ModelReply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

logger = logging.getLogger(__name__)

SCHEMA: Final = 1
"""The version of what is on disk; raise it when a reply's form changes."""

WORTH_SECONDS: Final = 0.3
"""An answer that cost nothing and came sooner is not worth a place on disk."""

SET_ASIDE_KEPT: Final = 2

_MARK: Final = "coai-answers-version"
_SECONDS_TO_WAIT: Final = 2.0


@dataclass(frozen=True, slots=True)
class CacheState:
    """What is kept at the moment."""

    memory_entries: int
    disk_entries: int
    disk_bytes: int
    directory: Path | None
    hits_memory: int
    hits_disk: int
    misses: int


def worth_keeping(reply: ModelReply) -> bool:
    """Say whether an answer is whole: one that was cut short may be better the next time."""
    return reply.finish == "stop" and bool(reply.text.strip())


def worth_a_disk(reply: ModelReply, *, cost: float, seconds: float) -> bool:
    """Say whether an answer is worth a place on disk by what it would cost to have it again."""
    return worth_keeping(reply) and (cost > 0.0 or seconds >= WORTH_SECONDS)


class AnswerCache:
    """Keeps answers by what determines them. `get` and `put` are for one event loop."""

    def __init__(
        self,
        directory: Path | None,
        *,
        entries: int = 1000,
        seconds: float = 3600.0,
        disk_bytes: int = 10_000_000_000,
        keep_sensitive: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Touch no disk yet. Without a directory, or bytes on disk, answers stay in memory."""
        self._memory: TTLCache[str, ModelReply] = TTLCache(entries, seconds, timer=clock)
        self._disk = None if directory is None or not disk_bytes else DiskAnswers(
            directory, disk_bytes
        )  # fmt: skip
        self._keep_sensitive = keep_sensitive
        self._hits_memory = self._hits_disk = self._misses = 0

    async def get(self, key: str) -> ModelReply | None:
        """Return a kept answer; one from disk is in memory from then on."""
        reply = self._memory.get(key)
        if reply is not None:
            self._hits_memory += 1
            return reply
        if self._disk is not None:
            reply = await asyncio.to_thread(self._disk.get, key)
            if reply is not None:
                self._hits_disk += 1
                self._memory[key] = reply
                return reply
        self._misses += 1
        return None

    async def put(
        self, key: str, reply: ModelReply, *, sensitive: bool, cost: float, seconds: float
    ) -> None:
        """Keep an answer if it is whole; on disk too if it is dear and not sensitive."""
        if not worth_keeping(reply):
            return
        self._memory[key] = reply
        if self._disk is None or (sensitive and not self._keep_sensitive):
            return
        if worth_a_disk(reply, cost=cost, seconds=seconds):
            await asyncio.to_thread(self._disk.put, key, reply)

    async def clear(self) -> int:
        """Forget everything; return how many answers that were."""
        known = len(self._memory)
        self._memory.clear()
        on_disk = 0 if self._disk is None else await asyncio.to_thread(self._disk.clear)
        return max(known, on_disk)

    async def state(self) -> CacheState:
        """Say what is kept."""
        entries, size = (0, 0)
        if self._disk is not None:
            entries, size = await asyncio.to_thread(self._disk.measure)
        return CacheState(
            memory_entries=len(self._memory),
            disk_entries=entries,
            disk_bytes=size,
            directory=None if self._disk is None else self._disk.directory,
            hits_memory=self._hits_memory,
            hits_disk=self._hits_disk,
            misses=self._misses,
        )

    async def aclose(self) -> None:
        """Close the files."""
        if self._disk is not None:
            await asyncio.to_thread(self._disk.close)


class DiskAnswers:
    """Answers on disk. Every method may be called from any thread and raises nothing.

    A cache that cannot be used is no cache: what is wrong is logged, and nothing is kept.
    """

    def __init__(self, directory: Path, size_limit: int) -> None:
        self.directory = directory
        self._size_limit = size_limit
        self._cache: Any = None
        self._broken = False

    def get(self, key: str) -> ModelReply | None:
        """Return the answer of a key, or None."""

        def read(cache: Any) -> ModelReply | None:  # noqa: ANN401 - diskcache has no types
            kept = cache.get(key)
            if kept is None:
                return None
            try:
                return ModelReply.model_validate_json(kept)
            except ValidationError:
                cache.delete(key)  # of another version, or not ours
                return None

        return self._with(read, None)

    def put(self, key: str, reply: ModelReply) -> None:
        """Keep an answer."""

        def write(cache: Any) -> None:  # noqa: ANN401 - as above
            cache.set(key, reply.model_dump_json().encode())

        self._with(write, None)

    def clear(self) -> int:
        """Forget everything; return how many answers that were."""

        def empty(cache: Any) -> int:  # noqa: ANN401 - as above
            return int(cache.clear())

        return self._with(empty, 0)

    def measure(self) -> tuple[int, int]:
        """Return how many answers there are, and the bytes that they take."""

        def look(cache: Any) -> tuple[int, int]:  # noqa: ANN401 - as above
            return len(cache), int(cache.volume())

        return self._with(look, (0, 0))

    def close(self) -> None:
        """Close the files."""
        cache, self._cache = self._cache, None
        if cache is not None:
            cache.close()

    def _with(self, use: Callable[[Any], Any], otherwise: Any) -> Any:  # noqa: ANN401 - as above
        """Use the files; set a damaged directory aside and try once more."""
        for _ in range(2):
            if self._broken:
                break
            try:
                if self._cache is None:
                    self._cache = _opened(self.directory, self._size_limit)
                return use(self._cache)
            except (sqlite3.DatabaseError, _ForeignDirectoryError, ValueError) as error:
                if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                    logger.warning("The cache %s is busy: %s", self.directory, error)
                    break
                self._set_aside(error)
            except OSError as error:
                self._give_up(error)
        return otherwise

    def _set_aside(self, why: Exception) -> None:
        try:
            self.close()
            set_aside(self.directory)
            logger.warning("The cache %s was set aside: %s", self.directory, why)
        except (OSError, sqlite3.Error) as error:
            self._give_up(error)

    def _give_up(self, why: Exception) -> None:
        self._broken = True
        logger.warning("Nothing is kept on disk: %s cannot be used: %s", self.directory, why)


class _ForeignDirectoryError(Exception):
    """The directory is of another version, or somebody else's."""


def _opened(directory: Path, size_limit: int) -> Any:  # noqa: ANN401 - diskcache has no types
    """Open the files. Raises OSError, sqlite3.DatabaseError or _ForeignDirectoryError."""
    diskcache: Any = import_module("diskcache")  # not before an answer is looked for

    own_folder(directory)
    mark = directory / _MARK
    if not mark.exists():
        if any(directory.iterdir()):
            raise _ForeignDirectoryError("it was not made by COAI")
        write_own_file(mark, str(SCHEMA))
    elif mark.read_text(encoding="ascii", errors="replace") != str(SCHEMA):
        raise _ForeignDirectoryError("it is of another version")
    database = directory / diskcache.core.DBNAME
    if sys.platform != "win32" and database.exists() and database.stat().st_mode & 0o077:
        own_tree(directory)
    own_file(database)
    return diskcache.Cache(
        str(directory),
        timeout=_SECONDS_TO_WAIT,
        disk=_bytes_only(),
        size_limit=size_limit,
        # Reading writes nothing, which the policies that count uses would do.
        eviction_policy="least-recently-stored",
    )


def _bytes_only() -> Any:  # noqa: ANN401 - diskcache has no types
    base: Any = import_module("diskcache").Disk
    pickled: Any = import_module("diskcache.core").MODE_PICKLE

    class BytesOnly(base):
        """Keeps bytes under text keys; pickles nothing and unpickles nothing."""

        def put(self, key: object) -> Any:  # noqa: ANN401 - as above
            if not isinstance(key, str):
                raise ValueError("a key is text")  # noqa: TRY004 - all that is wrong with a file
            return base.put(self, key)

        def store(self, value: object, read: object, key: Any = None) -> Any:  # noqa: ANN401 - as above
            if not isinstance(value, bytes) or read:
                raise ValueError("a value is bytes")
            return base.store(self, value, read, key)

        def get(self, key: object, raw: object) -> Any:  # noqa: ANN401 - as above
            if not raw:
                raise ValueError("a key that would have to be unpickled")
            return base.get(self, key, raw)

        def fetch(self, mode: Any, filename: Any, value: Any, read: Any) -> Any:  # noqa: ANN401 - as above
            if mode == pickled:
                raise ValueError("a value that would have to be unpickled")
            return base.fetch(self, mode, filename, value, read)

    return BytesOnly


def set_aside(directory: Path) -> Path:
    """Give a directory another name and return that; old ones are deleted."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    aside = directory.with_name(f"{directory.name}.set-aside-{stamp}")
    directory.replace(aside)
    kept = sorted(directory.parent.glob(f"{directory.name}.set-aside-*"))
    for old in kept[:-SET_ASIDE_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return aside
