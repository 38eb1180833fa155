"""Reading the user's source files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from pathlib import Path


class SourceFileError(CoaiError):
    """A file cannot be read as source code."""


def read_text(path: Path) -> str:
    """Read a source file, line ends as they are; raises `SourceFileError`."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SourceFileError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise SourceFileError(
            f"{path} is not text in UTF-8.", remedy="Convert it, or name another file."
        ) from error
