"""Baselines: files of fingerprints of findings that are known and do not count."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from coai_routing.errors import CoaiError
from coai_routing.workspace_files import read_file, write_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from coai_agents.application.audit.selection import Row

MOST_BASELINE: Final = 64 * 1024 * 1024
"""Bytes of a baseline at most."""


class AuditError(CoaiError):
    """Something that an audit needs cannot be had."""


def read_baseline(path: Path) -> frozenset[str]:
    """Return the fingerprints of a baseline; raises `AuditError`."""
    try:
        return frozenset(str(each) for each in json.loads(read_file(path, MOST_BASELINE))["coai"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AuditError(
            f"{path} is no baseline: {error}.", remedy="Write one with --write-baseline."
        ) from error


def write_baseline(path: Path, rows: Iterable[Row]) -> None:
    """Write a baseline that knows these findings; raises `AuditError`."""
    known = sorted({row.fingerprint for row in rows})
    try:
        write_file(path, (json.dumps({"coai": known}, indent=1) + "\n").encode())
    except OSError as error:
        raise AuditError(f"{path} cannot be written: {error.strerror or error}.") from error
