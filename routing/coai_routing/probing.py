"""How fast a model server that the user runs is: measured once, with a made-up prompt.

The embedded engine measures itself. Other servers are asked two small questions through the same
provider that completions use, so that the figures can be compared: which backend keeps up with
typing decides who is asked first. A server's own account of its time is preferred to the clock.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from coai_routing.plan import Speed
from coai_routing.request import ModelRequest

if TYPE_CHECKING:
    from coai_routing.providers.base import Provider
    from coai_routing.request import ModelReply

WORDS: Final = 120
"""Length of the prompt: enough to be read for some milliseconds even by a GPU."""

OUTPUT_TOKENS: Final = 16

SECONDS: Final = 60.0
"""A server that takes longer is of no use for completions."""

SMOOTHING: Final = 0.2
"""The weight of the newest figure in the running means."""

FEWEST_PROMPT_TOKENS: Final = 64
FEWEST_OUTPUT_TOKENS: Final = 8
"""Fewer tokens tell nothing of the speed: what every request costs outweighs them."""

_WORDS: Final = (
    *("def", "return", "self", "value", "for", "in", "if", "else", "import", "from", "class"),
    *("list", "index", "name", "path", "==", "(", ")", ":", ",", "=", "+", "[0]", "not", "None"),
)


async def measure(provider: Provider, model: str | None) -> Speed | None:
    """Measure a model that is loaded; None if its answer tells nothing.

    Raises the provider's `ProviderError`s.
    """
    clock = asyncio.get_running_loop().time
    request = ModelRequest(
        # Made up anew, so that no cache has seen it.
        prompt=" ".join(random.choices(_WORDS, k=WORDS)),  # noqa: S311 - no secret
        model=model,
        max_tokens=OUTPUT_TOKENS,
        timeout=SECONDS,
    )
    started = clock()
    first = reply = None
    async with aclosing(provider.stream(request)) as deltas:
        async for delta in deltas:
            first = first or clock()
            reply = delta.reply or reply
    if reply is None or first is None:
        return None
    told = speed_of(reply, Speed(0.0, 0.0))
    tokens, ended = reply.usage.output_tokens, clock()
    prompt = told.prompt or reply.usage.prompt_tokens / max(1e-3, first - started)
    output = told.output
    if not output and tokens > 1:
        output = (tokens - 1) / max(1e-3, ended - first)
    return Speed(prompt, output) if prompt and output else None


def speed_of(reply: ModelReply, before: Speed) -> Speed:
    """Return a backend's speed after a reply that tells its time; else what it was before."""
    usage, timings = reply.usage, reply.timings
    prompt, output = before.prompt, before.output
    if timings.prompt_ms and usage.evaluated_tokens >= FEWEST_PROMPT_TOKENS:
        prompt = _mean(prompt, 1000 * usage.evaluated_tokens / timings.prompt_ms)
    if timings.output_ms and usage.output_tokens >= FEWEST_OUTPUT_TOKENS:
        output = _mean(output, 1000 * usage.output_tokens / timings.output_ms)
    return Speed(prompt, output)


def _mean(before: float, newest: float) -> float:
    return newest if not before else before + SMOOTHING * (newest - before)
