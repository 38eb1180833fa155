"""Opening files that are not trusted: what a workspace holds need not be what its name says.

A file of a repository may be a link to somewhere else, a pipe that never ends, a device, or larger
than memory, and it may become one while it is looked at. So all files of a workspace are read and
written here: only regular ones, inside of the folders that were asked for once links are followed,
and no more of them than is wanted.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from coai_routing.errors import CoaiError
from coai_routing.own_files import usual_mode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_FLAGS = os.O_RDONLY | sum(
    getattr(os, name, 0)
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY")
)


class UnsafeFileError(CoaiError, OSError):
    """A file is not what may be read or written here; the message says why."""


class FileKindError(UnsafeFileError):
    """It is a folder, a device, a pipe or a socket."""


class FileSizeError(UnsafeFileError):
    """It is larger than what is read."""


def read_file(
    path: str | Path, most: int, within: Sequence[Path] = (), *, follow: bool = True
) -> bytes:
    """Return a regular file's bytes, at most so many; of a link only if links are to be followed.

    `within` are the folders that it has to be in with links followed, and files that may be read
    themselves; what the user names may be anywhere. Raises OSError, `UnsafeFileError` among them.
    """
    if not follow and os.path.islink(path):  # noqa: PTH114 - for each of thousands
        raise UnsafeFileError("it is a link")
    descriptor = _opened(_real(path, within))
    with os.fdopen(descriptor, "rb") as stream:
        if os.fstat(descriptor).st_size > most:
            raise FileSizeError(_too_large(most))
        content = stream.read(most + 1)
    if len(content) > most:
        raise FileSizeError(_too_large(most))
    return content


def write_file(path: Path, content: bytes) -> None:
    """Write a file that the user named: all of it or nothing, and never through a link.

    Raises OSError, `UnsafeFileError` among them.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise UnsafeFileError("it is a link or no file, and is not written to")
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else usual_mode()
    _put(path.absolute(), content, mode)


def replace_file(path: Path, before: bytes, after: bytes, within: Sequence[Path] = ()) -> None:
    """Put new content in a file's place, all of it or nothing; the file keeps its rights.

    It is no link and is in one of the folders, and nobody has written to it since it was read as
    `before`. Raises OSError, `UnsafeFileError` among them.
    """
    if path.is_symlink():
        raise UnsafeFileError("it is a link, and what it points to is not written")
    real = _real(path, within)
    status = real.stat()
    if not os.access(real, os.W_OK):
        raise UnsafeFileError("it may not be written")

    def unchanged() -> None:
        if read_file(real, len(before), within) != before:
            raise UnsafeFileError("it has changed since it was looked at")

    _put(real, after, stat.S_IMODE(status.st_mode), unchanged)


def _put(path: Path, content: bytes, mode: int, last: Callable[[], None] = lambda: None) -> None:
    """Write beside a path, and then in its place if `last` raises nothing."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(mode)
        last()
        Path(name).replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()


def _real(path: str | Path, within: Sequence[Path]) -> Path:
    """Return where a file is once links are followed; raises OSError."""
    real = Path(os.path.realpath(path, strict=True))
    if within and not any(real.is_relative_to(os.path.realpath(each)) for each in within):
        raise UnsafeFileError("it is a link that leads out of the folder")
    return real


def _opened(real: Path) -> int:
    """Open a regular file of which the path has no links; raises OSError."""
    # Opening is enough to make some devices do something.
    before = real.lstat()
    if not stat.S_ISREG(before.st_mode):
        raise FileKindError("it is no regular file")
    descriptor = os.open(real, _FLAGS)
    # In a folder that has become a link since, it is another file.
    if os.path.samestat(before, os.fstat(descriptor)) and os.path.realpath(real) == str(real):
        return descriptor
    os.close(descriptor)
    raise UnsafeFileError("it was replaced while it was opened")


def _too_large(most: int) -> str:
    return f"it has more than {most:,} bytes"
