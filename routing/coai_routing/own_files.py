"""Folders and files of ours are for their user alone: this makes them, and mends what is not so.

They hold what the user's code is about: paths, findings, answers, keys of sockets. Folders have
mode 0700 and files 0600, whatever the umask says. On Windows a user's profile is theirs by its
access control list.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
import time
from pathlib import Path
from typing import Final

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600

_usual_mask = 0o022


class ForeignFolderError(PermissionError):
    """A folder that is to be ours belongs to somebody else, or is no folder."""


def keep_private() -> None:
    """Let whatever this process makes from now on be its user's alone, by libraries as well."""
    global _usual_mask  # noqa: PLW0603 - the process has one
    _usual_mask = os.umask(0o077)


def usual_mode() -> int:
    """Return the mode of a file that is the user's own, not ours: as other programs make it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~(_usual_mask if mask == 0o077 else mask)  # noqa: PLR2004 - as set above


def own_folder(path: Path) -> None:
    """Make a folder, those above it included, or see that an existing one is for its user alone.

    Of folders above it, those that COAI has by itself are seen to as well. Raises OSError,
    `ForeignFolderError` among them.
    """
    for folder in reversed(path.parents):
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
        if is_ours(folder):
            _secure(folder)
    path.mkdir(mode=FOLDER_MODE, exist_ok=True)
    _secure(path)


def is_ours(path: Path) -> bool:
    """Say whether a path is in one of the folders that COAI has by itself on this platform."""
    import platformdirs  # noqa: PLC0415 - not at server start

    kinds = (
        platformdirs.user_cache_path,
        platformdirs.user_state_path,
        platformdirs.user_data_path,
        platformdirs.user_config_path,
    )
    return any(path.is_relative_to(kind("coai", appauthor=False)) for kind in kinds)


def _secure(folder: Path) -> None:
    if sys.platform == "win32":
        return
    status = folder.stat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise ForeignFolderError(f"{folder} is not a folder of yours")
    if stat.S_IMODE(status.st_mode) != FOLDER_MODE:
        folder.chmod(FOLDER_MODE)


def own_file(path: Path) -> None:
    """Make an empty file for its user alone, or see that an existing one is. Raises OSError.

    For what libraries write to: they give a file the mode that the umask leaves.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE))
    if sys.platform != "win32" and stat.S_IMODE(path.stat().st_mode) != FILE_MODE:
        path.chmod(FILE_MODE)


def own_tree(folder: Path) -> None:
    """See that all that is in a folder is for its user alone. Raises OSError."""
    if sys.platform == "win32":
        return
    for around, _, names in os.walk(folder):
        Path(around).chmod(FOLDER_MODE)
        for name in names:
            own_file(Path(around, name))


def write_own_file(path: Path, text: str) -> None:
    """Replace a file as a whole, for its user alone; a crash leaves the old one or the new.

    Raises OSError.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        _replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _replace(source: Path, target: Path) -> None:
    for _ in range(20):
        with contextlib.suppress(PermissionError):  # on Windows, while someone reads the target
            source.replace(target)
            return
        time.sleep(0.05)
    source.replace(target)
