"""How fast a model is: the value, what answers say of it, and the one probe that measures it.

The probe says what to ask and takes what came of it, without any input or output of its own, so
that the engine's host and the daemon, which reach models in different ways, measure the same.

The embedded engine measures itself. Other servers are asked two small questions through the same
provider that completions use, so that the figures can be compared: which backend keeps up with
typing decides who is asked first. A server's own account of its time is preferred to the clock.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from coai_routing.request import ModelRequest
from coai_routing.running_mean import blended

if TYPE_CHECKING:
    from collections.abc import Generator

    from coai_routing.providers.base import Provider
    from coai_routing.request import ModelReply

WORDS: Final = 120
"""Length of the prompt: enough to be read for some milliseconds even by a GPU."""

OUTPUT_TOKENS: Final = 16

SHORT_MS: Final = 100.0
"""A prompt that is read sooner tells little of how fast."""

SECONDS: Final = 60.0
"""A server that takes longer is of no use for completions."""

FEWEST_PROMPT_TOKENS: Final = 64
FEWEST_OUTPUT_TOKENS: Final = 8
"""Fewer tokens tell nothing of the speed: what every request costs outweighs them."""

TYPICAL_TOKENS: Final = 12
"""Tokens of a typical single-line suggestion; what a backend's latency is estimated on."""

OVERHEAD_MS: Final = 35.0
"""Reading the few tokens that were typed and the way there and back, measured on two cores."""

_WORDS: Final = (
    *("def", "return", "self", "value", "for", "in", "if", "else", "import", "from", "class"),
    *("list", "index", "name", "path", "==", "(", ")", ":", ",", "=", "+", "[0]", "not", "None"),
)


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a model runs, in tokens a second; pydantic checks that it is above 0."""

    prompt_tokens_per_second: Annotated[float, Field(gt=0)]
    output_tokens_per_second: Annotated[float, Field(gt=0)]

    @property
    def typical_ms(self) -> float:
        """Expected milliseconds for a typical suggestion whose prompt is cached."""
        return OVERHEAD_MS + 1000.0 * TYPICAL_TOKENS / self.output_tokens_per_second


@dataclass(frozen=True, slots=True)
class Probe:
    """What a model is asked to find out how fast it is."""

    prompt: str
    """Made up anew, so that no cache has seen it."""
    output_tokens: int
    """How much it shall write; 0 where only the reading is measured."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What came of a probe."""

    prompt_ms: float
    prompt_per_second: float
    """Tokens; 0 where that cannot be told."""
    output_per_second: float
    """Tokens; 0 where nothing was written, or that cannot be told."""


def probing(
    words: tuple[int, ...], *, rounds: int = 1, apart: bool = False
) -> Generator[Probe, Timing, Speed | None]:
    """Yield what to ask next, be sent what came of it, and return the best speeds of all rounds.

    `words` are the lengths of prompts to try, the shortest first: a longer one is only asked where
    the one before was read in no time, as on a GPU, whose speed a short one does not show. With
    `apart` reading and writing are asked for one after the other. None if a speed is not told.
    """
    prompt_speed = output_speed = 0.0
    lengths = [*dict.fromkeys(words)]
    for _ in range(rounds):
        probe = Probe(_made_up(lengths[0]), 0 if apart else OUTPUT_TOKENS)
        timing = yield probe
        if timing.prompt_ms < SHORT_MS and len(lengths) > 1:
            del lengths[0]
            probe = replace(probe, prompt=_made_up(lengths[0]))
            timing = yield probe
        prompt_speed = max(prompt_speed, timing.prompt_per_second)
        if apart:
            timing = yield replace(probe, output_tokens=OUTPUT_TOKENS)
        output_speed = max(output_speed, timing.output_per_second)
    return Speed(prompt_speed, output_speed) if prompt_speed and output_speed else None


def _made_up(words: int) -> str:
    return " ".join(random.choices(_WORDS, k=words))  # noqa: S311 - no secret


async def measure(provider: Provider, model: str | None) -> Speed | None:
    """Measure a model that is loaded; None if its answer tells nothing.

    Raises the provider's `ProviderError`s.
    """
    asking = probing((WORDS,))
    timing: Timing | None = None
    while True:
        try:
            probe = next(asking) if timing is None else asking.send(timing)
        except StopIteration as told:
            return told.value
        timing = await _timed(provider, probe, model)
        if timing is None:
            return None


async def _timed(provider: Provider, probe: Probe, model: str | None) -> Timing | None:
    clock = asyncio.get_running_loop().time
    request = ModelRequest(
        prompt=probe.prompt, model=model, max_tokens=probe.output_tokens, timeout=SECONDS
    )
    started = clock()
    first = reply = None
    async with aclosing(provider.stream(request)) as deltas:
        async for delta in deltas:
            first = first or clock()
            reply = delta.reply or reply
    if reply is None or first is None:
        return None
    prompt, output = _told(reply)
    tokens, ended = reply.usage.output_tokens, clock()
    if not output and tokens > 1:
        output = (tokens - 1) / max(1e-3, ended - first)
    return Timing(
        reply.timings.prompt_ms or 1000 * (first - started),
        prompt or reply.usage.prompt_tokens / max(1e-3, first - started),
        output,
    )


def speed_of(reply: ModelReply, before: Speed) -> Speed:
    """Return a backend's speed after a reply that tells its time; else what it was before."""
    prompt, output = _told(reply)
    if not (prompt or output):
        return before
    return Speed(
        blended(before.prompt_tokens_per_second, prompt)
        if prompt
        else before.prompt_tokens_per_second,
        blended(before.output_tokens_per_second, output)
        if output
        else before.output_tokens_per_second,
    )


def _told(reply: ModelReply) -> tuple[float, float]:
    """Return the speeds that a reply's own account tells; 0 for one of which it tells nothing."""
    usage, timings = reply.usage, reply.timings
    prompt = output = 0.0
    if timings.prompt_ms and usage.evaluated_tokens >= FEWEST_PROMPT_TOKENS:
        prompt = 1000 * usage.evaluated_tokens / timings.prompt_ms
    if timings.output_ms and usage.output_tokens >= FEWEST_OUTPUT_TOKENS:
        output = 1000 * usage.output_tokens / timings.output_ms
    return prompt, output
