"""Who asks, and what they may: roles that contain one another, folders, and a tenant."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

OWN_TENANT: Final = "own"
"""The tenant of who runs the server: the runs and books of the command line."""


class Role(IntEnum):
    """What somebody may; each may what those below may."""

    VIEWER = 1
    """See findings, runs and figures; no model is asked and nothing begun."""
    RUNNER = 2
    """Ask models, begin runs, answer and cancel."""
    ADMIN = 3
    """See who asked what, and what left the machine."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who has proven who they are."""

    name: str
    """For the log of access: the key's or the token's name, never a secret."""
    role: Role
    tenant: str = OWN_TENANT
    folders: tuple[Path, ...] | None = None
    """The folders they may have looked at; None for all that the server has."""
