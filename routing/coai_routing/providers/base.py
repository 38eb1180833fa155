"""The one protocol that every provider speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from coai_routing.request import Delta, Health, ModelDescription, ModelReply, ModelRequest


class Provider(Protocol):
    """A backend that runs models.

    Every method raises only `ProviderError`s and lets `asyncio.CancelledError` through; a
    cancelled or abandoned call has closed its socket to the backend by the time it returns.
    """

    @property
    def name(self) -> str:
        """The backend as the user knows it: `embedded`, `ollama`, `lmstudio`, ..."""
        ...

    @property
    def base_url(self) -> str:
        """Where it is reached; what egress is decided on."""
        ...

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Continue a raw prompt."""
        ...

    async def chat(self, request: ModelRequest) -> ModelReply:
        """Answer messages."""
        ...

    def stream(self, request: ModelRequest) -> AsyncGenerator[Delta]:
        """Yield the answer to a prompt or to messages as it comes, the whole reply at the end.

        It is an async generator: wrap it in `contextlib.aclosing` and leave the block to cancel.
        """
        ...

    async def models(self) -> tuple[ModelDescription, ...]:
        """List what the backend offers."""
        ...

    async def count_tokens(self, text: str) -> int | None:
        """Return how many tokens a text is, control tokens read as such; None if it cannot tell."""
        ...

    async def health(self) -> Health:
        """Say whether the backend would answer; raises nothing."""
        ...

    async def aclose(self) -> None:
        """Close pooled connections."""
        ...
