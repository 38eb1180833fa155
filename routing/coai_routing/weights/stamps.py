"""Stamps: which weights were hashed and found right, so that they are not hashed at every start.

A stamp beside the weights could be written by whoever can change them. So they are in a folder of
the user's state that nobody else can write to, and a stamp is believed only for the very file that
was hashed: the same inode, length and times. The time of the last change (`st_ctime`) is set by the
system alone, so weights that were changed and then given their old time back are hashed again.
Weights in a folder that others can write to are hashed whenever they are used.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from typing import TYPE_CHECKING, Final

import platformdirs

from coai_routing.engine.record import secure_directory
from coai_routing.errors import EngineError
from coai_routing.own_files import write_own_file

if TYPE_CHECKING:
    from pathlib import Path

    from coai_routing.registry.catalog import StoredModel

_MOST_BYTES: Final = 1024
"""No stamp is longer."""


def directory() -> Path:
    """Return where the stamps of this user are."""
    return platformdirs.user_state_path("coai", appauthor=False) / "verified"


def is_stamped(path: Path, model: StoredModel) -> bool:
    """Say whether the file at `path` is the one whose hash was found to be right."""
    try:
        status = path.stat()
        folders = {path.absolute().parent, path.resolve().parent}
        if status.st_size != model.size or not all(_is_ours(each.stat()) for each in folders):
            return False
        return _is_ours(status) and _read(_stamp_of(path, model)) == _identity(status, model)
    except OSError:
        return False


def stamp(path: Path, model: StoredModel, hashed: os.stat_result) -> None:
    """Note that the file at `path` has the right hash.

    `hashed` is its status from before it was hashed; if it is another file since, nothing is noted.
    Where no stamp can be written the file will be hashed again.
    """
    identity = _identity(hashed, model)
    try:
        if _identity(path.stat(), model) == identity:
            secure_directory(directory())
            write_own_file(_stamp_of(path, model), json.dumps(identity))
    except (OSError, EngineError):
        return


def forget(path: Path, model: StoredModel) -> None:
    """Delete the stamp of the file at `path`."""
    _stamp_of(path, model).unlink(missing_ok=True)


def _stamp_of(path: Path, model: StoredModel) -> Path:
    told = f"{path.resolve()}\n{model.sha256}".encode("utf-8", "surrogateescape")
    return directory() / f"{hashlib.sha256(told).hexdigest()[:32]}.json"


def _identity(status: os.stat_result, model: StoredModel) -> dict[str, object]:
    return {
        "device": status.st_dev,
        "inode": status.st_ino,
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "ctime_ns": status.st_ctime_ns,
        "sha256": model.sha256,
    }


def _read(file: Path) -> object:
    """Return what a stamp says, None if it can have been written by somebody else."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(file, flags)
    with open(descriptor, "rb") as opened:  # noqa: PTH123 - a descriptor has no path
        status = os.fstat(descriptor)
        folder = file.parent.lstat()
        if not stat.S_ISREG(status.st_mode) or not stat.S_ISDIR(folder.st_mode):
            return None
        if not _is_ours(status) or not _is_ours(folder):
            return None
        try:
            return json.loads(opened.read(_MOST_BYTES))
        except ValueError:
            return None


if sys.platform == "win32":

    def _is_ours(status: os.stat_result) -> bool:
        # A user's profile is theirs by its access control list.
        del status
        return True

else:
    import grp
    import pwd

    def _is_ours(status: os.stat_result) -> bool:
        """Say whether only this user and root can write to a file or folder."""
        if status.st_uid not in (os.geteuid(), 0) or status.st_mode & stat.S_IWOTH:
            return False
        return not status.st_mode & stat.S_IWGRP or _is_of_one(status.st_gid)

    def _is_of_one(group: int) -> bool:
        """Say whether a group is the one that many systems give to each user for himself."""
        try:
            name = pwd.getpwuid(os.geteuid()).pw_name
            entry = grp.getgrgid(group)
        except KeyError:
            return False
        return entry.gr_name == name and set(entry.gr_mem) <= {name}
