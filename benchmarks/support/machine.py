"""What the figures were measured on, because they mean nothing without it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import psutil

BUSY: Final = 0.3
"""With more than this load for each core, the machine does other things too."""

NOISE: Final = (
    "Shared machines are noisy: compare only figures of one run, and trust ratios more than times."
)


@dataclass(frozen=True, slots=True)
class Machine:
    """A computer, and how busy it is."""

    cpu: str
    cores: int
    """Logical CPUs that this process may use."""
    memory_gb: float
    system: str
    python: str
    load: float
    """Processes that wanted to run, on average over the last minute."""

    @property
    def busy(self) -> bool:
        """Whether something else ran when this was looked at."""
        return self.load > BUSY * self.cores

    def sentence(self) -> str:
        """Describe it in a line."""
        return (
            f"{self.cpu}, {self.cores} cores, {self.memory_gb:.0f} GB, {self.system}, "
            f"Python {self.python}; load average {self.load:.2f}"
            f"{' (busy!)' if self.busy else ''}"
        )

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def this_machine() -> Machine:
    """Look at the machine as it is now."""
    return Machine(
        cpu=_cpu_model(),
        cores=_usable_cores(),
        memory_gb=psutil.virtual_memory().total / 1e9,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        load=psutil.getloadavg()[0],
    )


def _usable_cores() -> int:
    if sys.platform == "darwin":
        return os.cpu_count() or 1
    return len(psutil.Process().cpu_affinity() or ()) or os.cpu_count() or 1


def _cpu_model() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() in {"model name", "Model"}:
                return value.strip()
    if sys.platform == "darwin":
        asked = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"],
            capture_output=True,
            text=True,
            check=False,
        )
        return asked.stdout.strip() or platform.machine()
    return platform.processor() or platform.machine()
