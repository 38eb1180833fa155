"""The files beside a model's weights: partial downloads, copies set aside.

For weights `NAME` the store's directory holds `NAME`, and beside it, where there is a use for them,
`NAME.part` and `NAME.part.json` (a download that is not complete), `NAME.corrupt-N` (what turned
out to be wrong), `NAME.lock` and `NAME.failure.json` (the last failed pull). That weights were
hashed is noted elsewhere: see `stamps.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import json
import os
import sys
from typing import IO, TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from coai_routing.errors import ModelStoreError, NotEnoughSpaceError
from coai_routing.own_files import own_file, write_own_file

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from io import FileIO
    from pathlib import Path

STEP = 1 << 23
"""Bytes read, hashed or written at a time: some milliseconds, which a cancelled pull waits for."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def in_thread(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run a short blocking function in a thread; when cancelled, return only after it has ended.

    So no thread writes to a file that its owner has closed and unlocked.
    """
    running = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        with contextlib.suppress(Exception):  # the cancellation is what the caller gets to know
            await running
        raise


def beside(path: Path, suffix: str) -> Path:
    """Return the path of a file that belongs to the one at `path`."""
    return path.with_name(path.name + suffix)


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a small file in one piece: whoever reads it sees the old or the new one."""
    write_own_file(path, json.dumps(document))


def read_json(path: Path) -> dict[str, Any]:
    """Read a small file; one that is missing or garbled is as good as an empty one."""
    try:
        document: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", document) if isinstance(document, dict) else {}


def hash_file(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal; blocks for about a second per half a gigabyte."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def hash_in_steps(path: Path, on_hashed: Callable[[int], None]) -> str:
    """Return a file's SHA-256; `on_hashed` gets the bytes done so far."""
    digest = hashlib.sha256()
    done = 0
    with await in_thread(path.open, "rb", buffering=0) as file:
        while read := await in_thread(_hash_step, file, digest.update):
            done += read
            on_hashed(done)
    return digest.hexdigest()


def _hash_step(file: IO[bytes], update: Callable[[bytes], object]) -> int:
    chunk = file.read(STEP)
    update(chunk)
    return len(chunk)


def copies_set_aside(path: Path) -> list[Path]:
    """Return the corrupt copies of a file that were kept, oldest first."""
    copies = [
        copy
        for copy in path.parent.glob(f"{path.name}.corrupt-*")
        if copy.name.rpartition("-")[2].isdecimal()
    ]
    return sorted(copies, key=_copy_number)


def _copy_number(copy: Path) -> int:
    return int(copy.name.rpartition("-")[2])


def set_aside(broken: Path, path: Path) -> Path:
    """Move a broken file out of the way of the weights at `path`, and return where it is now.

    Only the newest such copy is kept: one is enough to look into, two would fill the disk.
    """
    older = copies_set_aside(path)
    number = _copy_number(older[-1]) + 1 if older else 1
    aside = beside(path, f".corrupt-{number}")
    broken.replace(aside)
    for copy in older:
        copy.unlink(missing_ok=True)
    return aside


def sync_directory(directory: Path) -> None:
    """Make a rename in the directory survive a power cut, where the system offers it."""
    if sys.platform == "win32":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cannot_write(path: Path, error: OSError) -> ModelStoreError:
    """Return the typed error for a failed read or write."""
    if error.errno in {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}:
        return NotEnoughSpaceError(
            f"The disk became full while {path} was written.",
            remedy="Make room and pull again: what has been fetched is kept.",
        )
    return ModelStoreError(
        f"{path} cannot be read or written: {error.strerror or error}.",
        remedy="Check the directory's permissions, or set `models.directory` to another one.",
    )


@contextlib.contextmanager
def writing(path: Path) -> Generator[None]:
    """Turn what goes wrong with the disk inside the block into the typed error."""
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from error


class PartialFile:
    """The beginning of a file that is being fetched; survives the process that fetches it.

    It is opened before use and has one user at a time. Its hash grows with it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._digest = hashlib.sha256()
        self._file: FileIO | None = None

    async def open(self, on_hashed: Callable[[int], None] | None = None) -> None:
        """Open or create it, and hash what is there; `on_hashed` gets the bytes done so far."""
        self.size = 0
        self._digest = hashlib.sha256()
        with writing(self.path):
            self._file = await in_thread(self._open)
            while read := await in_thread(_hash_step, self._file, self._digest.update):
                self.size += read
                if on_hashed is not None:
                    on_hashed(self.size)

    def _open(self) -> FileIO:
        own_file(self.path)
        descriptor = os.open(self.path, os.O_RDWR | getattr(os, "O_BINARY", 0))
        return open(descriptor, "r+b", buffering=0)  # noqa: PTH123 - a descriptor has no path

    @property
    def _opened(self) -> FileIO:
        assert self._file is not None, "open it first"
        return self._file

    @property
    def origin(self) -> str:
        """Where its bytes came from, as `note_origin` was told."""
        return str(read_json(beside(self.path, ".json")).get("url", ""))

    @property
    def etag(self) -> str:
        """The server's own name for the content at the origin, or nothing."""
        return str(read_json(beside(self.path, ".json")).get("etag", ""))

    def note_origin(self, url: str, etag: str) -> None:
        """Note where the bytes come from, so that a later process can ask for the same content."""
        with writing(self.path):
            write_json(beside(self.path, ".json"), {"url": url, "etag": etag})

    async def append(self, chunk: bytes) -> None:
        """Write more bytes; raises `NotEnoughSpaceError`, and `ModelStoreError` otherwise."""
        await in_thread(self.append_blocking, chunk)

    def append_blocking(self, chunk: bytes) -> None:
        """Do the same in the calling thread."""
        rest = memoryview(chunk)
        with writing(self.path):
            while rest:
                rest = rest[self._opened.write(rest) or 0 :]
        self._digest.update(chunk)
        self.size += len(chunk)

    async def restart(self) -> None:
        """Throw away what is there."""
        await in_thread(self._truncate)
        self._digest = hashlib.sha256()
        self.size = 0

    def _truncate(self) -> None:
        with writing(self.path):
            self._opened.seek(0)
            self._opened.truncate()
            beside(self.path, ".json").unlink(missing_ok=True)

    def digest(self) -> str:
        """Return the SHA-256 of what is there, in hexadecimal."""
        return self._digest.hexdigest()

    async def close(self, *, durable: bool = False) -> None:
        """Close it, and if `durable`, make it survive a power cut; may be called twice."""
        if self._file is not None:
            file, self._file = self._file, None
            with writing(self.path):
                await in_thread(_close, file, durable=durable)

    async def discard(self) -> None:
        """Close and delete it."""
        await self.close()
        with writing(self.path):
            for path in (self.path, beside(self.path, ".json")):
                path.unlink(missing_ok=True)


def _close(file: FileIO, *, durable: bool) -> None:
    with file:
        if durable:
            os.fsync(file.fileno())
