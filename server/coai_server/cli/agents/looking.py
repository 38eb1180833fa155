"""What commands over a folder have in common: how paths are shown."""

from __future__ import annotations

from pathlib import Path


def shown_path(path: Path) -> str:
    """Return a path as people write it: from here on, if it is below."""
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()
