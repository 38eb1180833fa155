"""Files that the user names, read as code: paths in, sources out.

What cannot be read is a typed error that names the file, or a note where it is one of many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.source import Source
from coai_routing.errors import CoaiError
from coai_routing.workspace_files import read_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MOST_BYTES: Final = 64 * 1024 * 1024
"""Of a file that the user names."""


class SourceFileError(CoaiError):
    """A file cannot be read as source code."""


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """Read a file that the user named, of `most` bytes at most; raises `SourceFileError`."""
    try:
        return read_file(path, most)
    except OSError as error:
        if path.is_dir():
            raise SourceFileError(f"{path} is a folder.", remedy="Name a file in it.") from error
        raise SourceFileError(f"{path} cannot be read: {error.strerror or error}.") from error


def read_text(path: Path) -> str:
    """Read a source file, line ends as they are; raises `SourceFileError`."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceFileError(
            f"{path} is not text in UTF-8.", remedy="Convert it, or name another file."
        ) from error


def source_of(path: Path, language: str = "") -> Source:
    """Read a file; raises `SourceFileError`."""
    whole = path.absolute()
    return Source(whole.as_uri(), read_text(whole), language)


def files_of(path: Path) -> list[Path]:
    """Return the files below a folder that nothing excludes, in their order; a file itself."""
    from coai_agents.analysis.run.gathering import files_in  # noqa: PLC0415 - for folders only

    return sorted(files_in([path])) if path.is_dir() else [path]


def readable(paths: Iterable[Path], notes: list[str] | None = None) -> Iterator[Source]:
    """Yield the files that can be read; `notes` takes why the others cannot."""
    for path in paths:
        try:
            yield source_of(path)
        except SourceFileError as error:
            if notes is not None:
                notes.append(str(error))
