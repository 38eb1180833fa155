"""How fast backends are at the moment, from their last answers.

A speed that was measured in an idle moment tells nothing while a compiler runs beside the model:
then both reading and writing take several times as long, and a prompt that was affordable is not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from coai_agents.completion.prompt.budget import DEFAULT_PROMPT_SPEED
from coai_routing.pool.speed import Speed
from coai_routing.running_mean import blended

if TYPE_CHECKING:
    from coai_routing.pool.backends import Backend
    from coai_routing.request import ModelReply

NEWEST: Final = 0.5
"""The weight of the newest figure: a compiler starts and ends within a few answers."""

FEWEST_TIMED: Final = 2
"""Pieces of an answer between which there is a time."""

UNMEASURED: Final = Speed(DEFAULT_PROMPT_SPEED, 50.0)
"""What an answer's own account of its time is blended with before anything was measured: a 0.5B
model on two idle cores."""

FEWEST_READ: Final = 24
FEWEST_WRITTEN: Final = 4
"""Fewer tokens tell little: what every request costs outweighs them."""


@dataclass(slots=True)
class Flow:
    """When the pieces of one answer came. Times are in seconds."""

    began: float
    first: float | None = None
    last: float = 0.0
    pieces: int = 0

    def piece(self, now: float) -> None:
        """Note that a piece came, which is a token for most backends."""
        if self.first is None:
            self.first = now
        self.last = now
        self.pieces += 1

    def rest(self, pieces: int) -> float:
        """Return the seconds until so many have come, if they come as those before: one at least.

        Infinity while too few have come to tell.
        """
        if self.first is None or self.pieces < FEWEST_TIMED:
            return float("inf")
        each = (self.last - self.first) / (self.pieces - 1)
        return each * max(1, pieces - self.pieces)


class Pace:
    """Each backend's speed of late."""

    def __init__(self) -> None:
        self._speeds: dict[str, Speed] = {}
        self._measured: dict[str, Speed] = {}
        """What was measured apart from the answers that users waited for."""

    def adapted(self, backend: Backend) -> Backend:
        """Return a backend with the speed that it has now instead of the one that was measured."""
        if backend.speed is not None:
            self._measured[backend.key] = backend.speed
        speed = self._speeds.get(backend.key)
        return backend if speed is None else replace(backend, speed=speed)

    def take(
        self, backend: Backend, flow: Flow, fresh: float, reply: ModelReply | None, now: float
    ) -> None:
        """Take an answer in that ended now; `fresh` tokens of its prompt were new, about.

        The backend's own account counts where there is one: an answer that was long enough is cut
        off before its end. What only the clock tells can show a backend to be slower than it was
        measured, not faster: nobody knows what was in its cache. An answer that was given up before
        it began can only show it to be slower than it is known to be.
        """
        measured = self._measured.get(backend.key)
        if measured is None:
            if reply is None or not (reply.timings.prompt_ms or reply.timings.output_ms):
                return
            measured = UNMEASURED
        known = self._speeds.get(backend.key, measured)
        read, written = _read(flow, fresh, reply, measured), _written(flow, reply, measured)
        if flow.first is None and reply is None and fresh >= FEWEST_READ:
            most = fresh / max(1e-3, now - flow.began)
            read = min(known.prompt_tokens_per_second, most)
        if read is None and written is None:
            return
        prompt, output = known.prompt_tokens_per_second, known.output_tokens_per_second
        self._speeds[backend.key] = Speed(
            prompt if read is None else blended(prompt, read, NEWEST),
            output if written is None else blended(output, written, NEWEST),
        )


def _read(flow: Flow, fresh: float, reply: ModelReply | None, measured: Speed) -> float | None:
    if reply is not None and reply.timings.prompt_ms:
        tokens = reply.usage.evaluated_tokens
        return 1000 * tokens / reply.timings.prompt_ms if tokens >= FEWEST_READ else None
    if flow.first is None or fresh < FEWEST_READ:
        return None
    return min(measured.prompt_tokens_per_second, fresh / max(1e-3, flow.first - flow.began))


def _written(flow: Flow, reply: ModelReply | None, measured: Speed) -> float | None:
    if reply is not None and reply.timings.output_ms:
        tokens = reply.usage.output_tokens
        return 1000 * tokens / reply.timings.output_ms if tokens >= FEWEST_WRITTEN else None
    if flow.first is None or flow.pieces <= FEWEST_WRITTEN:
        return None
    return min(
        measured.output_tokens_per_second, (flow.pieces - 1) / max(1e-3, flow.last - flow.first)
    )
