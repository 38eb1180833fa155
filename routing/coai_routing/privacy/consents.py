"""Servers of other owners that the user agreed to: an address and whose it was then.

A file in the user's state folder, which only the user may read or write. It is believed only if it
belongs to the user and nobody else could have written it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from coai_routing.own_files import own_folder, write_own_file

_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_LARGEST: Final = 64 * 1024


class Consent(BaseModel):
    """One server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str
    """Host and port."""
    owner: str
    """`Owner.key` when the user agreed."""


class _Consents(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    servers: tuple[Consent, ...] = ()


def location() -> Path:
    """Return where consents are kept."""
    return Path(platformdirs.user_state_path("coai", appauthor=False)) / "servers.json"


def read_consents(path: Path | None = None) -> tuple[Consent, ...]:
    """Return what the user agreed to; nothing from a file that is not surely theirs."""
    path = path or location()
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(descriptor, "rb") as stream:
            about = os.fstat(descriptor)
            if not _is_the_users(about) or about.st_size > _LARGEST:
                return ()
            return _Consents.model_validate_json(stream.read(_LARGEST)).servers
    except (OSError, ValidationError):
        return ()


def agree(consent: Consent, path: Path | None = None) -> None:
    """Remember a consent; one for the same address is replaced. Raises OSError."""
    _write((*_others(consent.address, path), consent), path)


def withdraw(address: str, path: Path | None = None) -> None:
    """Forget a consent. Raises OSError."""
    _write(_others(address, path), path)


def _others(address: str, path: Path | None) -> tuple[Consent, ...]:
    return tuple(kept for kept in read_consents(path) if kept.address != address)


def _write(servers: tuple[Consent, ...], path: Path | None) -> None:
    path = path or location()
    own_folder(path.parent)
    write_own_file(path, _Consents(servers=servers).model_dump_json(indent=1))


def _is_the_users(about: os.stat_result) -> bool:
    if os.name == "nt":
        return True  # its folder is the user's profile, which others may not write to
    return (
        stat.S_ISREG(about.st_mode)
        and about.st_uid == os.getuid()
        and not about.st_mode & _OTHERS_WRITE
    )
