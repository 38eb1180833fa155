"""Servers on this machine that the user did not name: used if they are the user's, or agreed to."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Final

from coai_routing.errors import StrangersServerError
from coai_routing.privacy.consents import Consent, agree, read_consents
from coai_routing.privacy.listeners import address_of, owner_of
from coai_routing.request import Health

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from coai_routing.privacy.listeners import Owner
    from coai_routing.providers.base import Provider
    from coai_routing.request import Delta, ModelDescription, ModelReply, ModelRequest


KNOWN_SECONDS: Final = 0.0 if sys.platform == "linux" else 30.0
"""How long an owner is believed. Linux says it in a fraction of a millisecond; elsewhere the system
has to be asked about every process."""


def check_owner(base_url: str, *, provider: str) -> None:
    """Raise StrangersServerError unless a server is the user's, root's or agreed to.

    It asks the system and reads a file: use a thread.
    """
    owner = owner_of(base_url)
    if owner.trusted or Consent(address=address_of(base_url), owner=owner.key) in read_consents():
        return
    raise StrangersServerError(
        f"It belongs to {owner.name}, and what is sent to it they can read.",
        provider=provider,
        remedy=(
            f"If you know it: `coai privacy trust {provider}`, "
            f"or set `endpoints.{provider}.url` yourself."
        ),
    )


def consent_to(base_url: str) -> Owner:
    """Agree to whoever listens at an address now. Raises OSError if that cannot be kept."""
    owner = owner_of(base_url)
    if not owner.trusted:
        agree(Consent(address=address_of(base_url), owner=owner.key))
    return owner


class CheckedProvider:
    """A provider whose server's owner is looked at again before each call.

    A server that ends leaves its port to whoever takes it next.
    """

    def __init__(self, provider: Provider) -> None:
        """Take the provider that speaks to the server."""
        self._provider = provider
        self._known_until = 0.0

    @property
    def name(self) -> str:
        """The backend as the user knows it."""
        return self._provider.name

    @property
    def base_url(self) -> str:
        """Where it is reached."""
        return self._provider.base_url

    async def _check(self) -> None:
        if time.monotonic() < self._known_until:
            return
        await asyncio.to_thread(check_owner, self.base_url, provider=self.name)
        self._known_until = time.monotonic() + KNOWN_SECONDS

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Continue a raw prompt."""
        await self._check()
        return await self._provider.complete(request)

    async def chat(self, request: ModelRequest) -> ModelReply:
        """Answer messages."""
        await self._check()
        return await self._provider.chat(request)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta]:
        """Yield the answer as it comes."""
        await self._check()
        deltas = self._provider.stream(request)
        try:
            async for delta in deltas:
                yield delta
        finally:
            await deltas.aclose()

    async def count_tokens(self, text: str) -> int | None:
        """Return how many tokens a text is, or None where nobody tells."""
        await self._check()
        return await self._provider.count_tokens(text)

    async def models(self) -> tuple[ModelDescription, ...]:
        """List what the backend offers."""
        await self._check()
        return await self._provider.models()

    async def health(self) -> Health:
        """Say whether the backend would answer."""
        try:
            await self._check()
        except StrangersServerError as error:
            return Health(ok=False, detail=error.message, remedy=error.remedy)
        return await self._provider.health()

    async def aclose(self) -> None:
        """Close pooled connections."""
        await self._provider.aclose()
