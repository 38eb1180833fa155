"""Filling in by the server itself, for models whose control tokens are not known here.

Ollama says of a model that it can insert, and puts the prompt together by the model's own template
from what stands before and after the cursor. So the two are kept apart by marks of ours on the way
through the completion's prompts, and taken apart again before anything is sent.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from coai_routing.catalog import FimFormat

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from coai_routing.providers.base import Provider
    from coai_routing.request import Delta, Health, ModelDescription, ModelReply, ModelRequest

BY_SERVER: Final = FimFormat(
    prefix="<|coai_before|>",
    suffix="<|coai_after|>",
    middle="<|coai_here|>",
    order="psm",
    stop=("<|coai_before|>", "<|coai_after|>", "<|coai_here|>"),
)
"""Marks that no model knows. Other files have no place in what the server's template takes."""


class SuffixedProvider:
    """Sends prompts in the form `BY_SERVER` as text before and after the cursor.

    It belongs to the provider that it asks, whose owner closes it.
    """

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    @property
    def name(self) -> str:
        """The backend as the user knows it."""
        return self._provider.name

    @property
    def base_url(self) -> str:
        """Where it is reached."""
        return self._provider.base_url

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta]:
        """Yield the answer as it comes, the whole reply at the end."""
        async with aclosing(self._provider.stream(taken_apart(request))) as deltas:
            async for delta in deltas:
                yield delta

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Fill in at the cursor."""
        return await self._provider.complete(taken_apart(request))

    async def chat(self, request: ModelRequest) -> ModelReply:
        """Answer messages."""
        return await self._provider.chat(request)

    async def models(self) -> tuple[ModelDescription, ...]:
        """List what the backend offers."""
        return await self._provider.models()

    async def count_tokens(self, text: str) -> int | None:
        """Return nothing: the template's tokens are not known."""
        del text

    async def health(self) -> Health:
        """Say whether the backend would answer now."""
        return await self._provider.health()

    async def aclose(self) -> None:
        """Hold nothing of its own."""


def taken_apart(request: ModelRequest) -> ModelRequest:
    """Return a request whose prompt is what stands before the cursor, and its suffix what follows.

    What was typed since the prompt was frozen stands before the cursor, too.
    """
    prompt = request.prompt or ""
    if not prompt.startswith(BY_SERVER.prefix):
        return request  # of somebody who does not complete, such as the measurement of speed
    before, _, rest = prompt.removeprefix(BY_SERVER.prefix).partition(BY_SERVER.suffix)
    after, _, typed = rest.partition(BY_SERVER.middle)
    stop = tuple(word for word in request.stop if word not in BY_SERVER.stop)
    return request.model_copy(
        update={"prompt": before + typed, "suffix": after or "\n", "stop": stop}
    )
