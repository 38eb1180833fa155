"""Whether the machine has time for a model: how long programs wait for a processor.

Load averages count what runs, which a model that writes does itself; what hurts is waiting.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

STRAINED_PERCENT: Final = 50.0
"""Share of the last ten seconds in which somebody waited for a processor. A model that writes on an
idle machine of two cores leaves it below 10, two busy programs beside it lift it above 60. Nearer
the second, because an editor's own work beside the model comes in bursts and is no strain."""

STRAINED_LOAD: Final = 1.75
"""Programs that want to run for each processor, where the kernel does not tell who waited."""

LOOK_SECONDS: Final = 1.0

_PRESSURE: Final = Path("/proc/pressure/cpu")
_AVERAGE: Final = re.compile(r"^some avg10=(\d+(?:\.\d+)?)", re.MULTILINE)


def strain() -> bool:
    """Say whether programs wait for processors now; a microsecond's read, nothing is waited for."""
    try:
        found = _AVERAGE.search(_PRESSURE.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError):
        found = None
    if found is not None:
        return float(found[1]) >= STRAINED_PERCENT
    if not hasattr(os, "getloadavg"):  # Windows
        return False
    return os.getloadavg()[0] >= STRAINED_LOAD * (os.cpu_count() or 1)


class Machine:
    """Knows whether the machine is strained, and looks at most once a second."""

    def __init__(
        self, look: Callable[[], bool] = strain, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._look = look
        self._clock = clock
        self._until = float("-inf")
        self._strained = False

    def is_strained(self) -> bool:
        """Say whether programs wait for processors."""
        now = self._clock()
        if now >= self._until:
            self._until = now + LOOK_SECONDS
            self._strained = self._look()
        return self._strained
