"""Who has a run: a process, told apart from all others without asking a clock.

A wall clock may jump, and a process number is used again. So an owner is named by machine, boot,
process number and the process's own start, and is dead when the machine says so. Of an owner on
another machine (a home on a network) only its heartbeat tells, see `Journal.take`.
"""

from __future__ import annotations

import os
import platform
import secrets
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_FIELDS: Final = 5
_STARTED: Final = 19
"""The field of /proc/PID/stat after the name that says when it began, see proc_pid_stat(5)."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that carries runs out; `nonce` tells two journals of one process apart."""

    host: str
    boot: str
    pid: int
    started: str
    nonce: str

    def __str__(self) -> str:
        """Return it as it is written."""
        return "|".join((self.host, self.boot, str(self.pid), self.started, self.nonce))


def this_process() -> Owner:
    """Return an owner for this process."""
    pid = os.getpid()
    return Owner(_host(), _boot(), pid, _started(pid) or "", secrets.token_hex(4))


def read_owner(text: str) -> Owner | None:
    """Read an owner; None for what is none."""
    fields = text.split("|")
    if len(fields) != _FIELDS or not fields[2].isdigit():
        return None
    return Owner(fields[0], fields[1], int(fields[2]), fields[3], fields[4])


def is_dead(text: str) -> bool:
    """Say whether the process that owned a run is certainly gone."""
    owner = read_owner(text)
    if owner is None:
        return True
    if owner.host != _host():
        return False
    return owner.boot != _boot() or _started(owner.pid) != owner.started


@cache
def _host() -> str:
    return platform.node().replace("|", "_")


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "-"


def _started(pid: int) -> str | None:
    """Return when a process began, in its machine's own count; None where there is none."""
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        fields = stat.rpartition(")")[2].split()
        # A zombie has ended: only its parent has not asked how.
        return None if fields[0] in "ZX" else fields[_STARTED]
    import psutil  # noqa: PLC0415 - not where the system says it by itself

    try:
        return str(int(psutil.Process(pid).create_time()))
    except psutil.Error:
        return None
