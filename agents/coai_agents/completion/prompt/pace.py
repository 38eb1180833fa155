"""How fast backends are at the moment, from their last answers.

A speed that was measured in an idle moment tells nothing while a compiler runs beside the model:
then both reading and writing take several times as long, and a prompt that was affordable is not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from coai_routing.pool.speed import Speed
from coai_routing.running_mean import blended

if TYPE_CHECKING:
    from coai_routing.pool.backends import Backend
    from coai_routing.request import ModelReply

NEWEST: Final = 0.5
"""The weight of the newest figure: a compiler starts and ends within a few answers."""

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

    def take(self, backend: Backend, flow: Flow, fresh: float, reply: ModelReply | None) -> None:
        """Take an answer in; `fresh` is how many tokens of its prompt were new, about.

        The backend's own account counts where there is one: an answer that was long enough is cut
        off before its end. What only the clock tells can show a backend to be slower than it was
        measured, not faster: nobody knows what was in its cache.
        """
        measured = self._measured.get(backend.key)
        if measured is None:
            return
        known = self._speeds.get(backend.key, measured)
        read, written = _read(flow, fresh, reply, measured), _written(flow, reply, measured)
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
