"""Reading the user's source files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_routing.errors import CoaiError
from coai_routing.workspace_files import read_file, write_file

if TYPE_CHECKING:
    from pathlib import Path


MOST_BYTES: Final = 64 * 1024 * 1024
"""Of a file that the user names."""


class SourceFileError(CoaiError):
    """A file cannot be read as source code."""


def read_text(path: Path) -> str:
    """Read a source file, line ends as they are; raises `SourceFileError`."""
    try:
        return read_bytes(path, MOST_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceFileError(
            f"{path} is not text in UTF-8.", remedy="Convert it, or name another file."
        ) from error


def read_bytes(path: Path, most: int) -> bytes:
    """Read a file that the user named, of `most` bytes at most; raises `SourceFileError`."""
    try:
        return read_file(path, most)
    except OSError as error:
        raise SourceFileError(f"{path} cannot be read: {error.strerror or error}.") from error


def write_text(path: Path, text: str) -> None:
    """Write a file that the user named; raises `SourceFileError`."""
    try:
        write_file(path, text.encode())
    except OSError as error:
        raise SourceFileError(f"{path} cannot be written: {error.strerror or error}.") from error
