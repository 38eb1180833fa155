"""Writing the user's files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.application.sources import SourceFileError
from coai_routing.workspace_files import write_file

if TYPE_CHECKING:
    from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Write a file that the user named; raises `SourceFileError`."""
    try:
        write_file(path, text.encode())
    except OSError as error:
        raise SourceFileError(f"{path} cannot be written: {error.strerror or error}.") from error
