"""How fast a model is: the value, what answers say of it, and the probe with a made-up prompt.

The embedded engine measures itself. Other servers are asked two small questions through the same
provider that completions use, so that the figures can be compared: which backend keeps up with
typing decides who is asked first. A server's own account of its time is preferred to the clock.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from coai_routing.request import ModelRequest
from coai_routing.running_mean import blended

if TYPE_CHECKING:
    from coai_routing.providers.base import Provider
    from coai_routing.request import ModelReply

WORDS: Final = 120
"""Length of the prompt: enough to be read for some milliseconds even by a GPU."""

OUTPUT_TOKENS: Final = 16

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
    told = _told(reply)
    tokens, ended = reply.usage.output_tokens, clock()
    prompt = told[0] or reply.usage.prompt_tokens / max(1e-3, first - started)
    output = told[1]
    if not output and tokens > 1:
        output = (tokens - 1) / max(1e-3, ended - first)
    return Speed(prompt, output) if prompt and output else None


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
