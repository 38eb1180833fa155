"""Who a worker is, and whether it is certainly gone, as far as its own machine can tell.

Containers may share a machine's name and boot, and see other processes under the same numbers. So
a worker's machine is named with its space of process numbers, where the system has such.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from coai_agents.workflows.journal.owners import is_dead, read_owner, this_process


@cache
def _space() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink()).replace("|", "_")
    except OSError:
        return ""


def this_worker() -> str:
    """Return a name for this process, one that no other ever has."""
    owner = this_process()
    return str(replace(owner, host=f"{owner.host}~{_space()}"))


def is_gone(name: str) -> bool:
    """Say whether a worker has certainly ended; never of one on another machine."""
    owner = read_owner(name)
    if owner is None:
        return True
    host, _, space = owner.host.rpartition("~")
    if space != _space():
        return False
    return is_dead(str(replace(owner, host=host)))


def shown(name: str) -> str:
    """Return a worker as people know it: its machine and its process."""
    owner = read_owner(name)
    return name if owner is None else f"{owner.host.rpartition('~')[0]}:{owner.pid}"
