"""How many threads inference gets."""

from __future__ import annotations

import contextlib
from pathlib import Path

MOST_THREADS = 8
"""More than this buys little: generating is bound by memory bandwidth, every thread waits at a
barrier for the slowest one (an efficiency core, or a core that the editor is using), and the editor
and its language servers need the rest."""

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def choose_threads(*, physical: int | None, usable: int | None, quota: float | None) -> int:
    """Take one thread for each physical core that this process may really use, at most eight.

    llama.cpp's own advice is the number of physical cores, and never more threads than cores: its
    docs/development/token_generation_performance_tips.md shows oversubscription to be far slower
    than too few. `usable` counts the CPUs of the process's affinity mask, `quota` is a container's
    share in CPUs; None for what the platform does not say.
    """
    bounds = [MOST_THREADS]
    if physical is not None:
        bounds.append(physical)
    if usable is not None:
        bounds.append(usable)
    if quota is not None:
        bounds.append(int(quota))
    return max(1, min(bounds))


def parse_quota(text: str) -> float | None:
    """Read the kernel's `cpu.max` (cgroup v2): `QUOTA PERIOD` in microseconds, or `max PERIOD`."""
    fields = text.split()
    if len(fields) != 2 or not all(field.isdecimal() for field in fields):  # noqa: PLR2004 - pair
        return None
    quota, period = map(int, fields)
    return quota / period if period else None


def default_threads() -> int:
    """Choose for this machine and this process."""
    import psutil  # noqa: PLC0415 - native; not at server start

    usable = None
    if hasattr(psutil.Process, "cpu_affinity"):  # not on macOS
        usable = len(psutil.Process().cpu_affinity() or ()) or None
    quota = None
    with contextlib.suppress(OSError):  # not on this platform, or no cgroup v2: no quota
        quota = parse_quota(_CGROUP_QUOTA.read_text(encoding="ascii"))
    return choose_threads(physical=psutil.cpu_count(logical=False), usable=usable, quota=quota)
