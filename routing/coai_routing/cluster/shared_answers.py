"""Answers that workers share over Redis: a question that one has paid for, none pays for again.

Nothing sensitive is put there, whatever the settings say of this machine's own disk. What lies
there is data like any answer of a model's: it is checked for its form and never executed. A Redis
that is away is none: nobody waits for it, and it is tried again some time later.
"""

from __future__ import annotations

import asyncio
import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from coai_routing.errors import CoaiError
from coai_routing.request import ModelReply
from coai_routing.router.cache import worth_a_disk

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_routing.cluster.databases import Shared
    from coai_routing.router.cache import AnswerCache

logger = logging.getLogger(__name__)

PREFIX: Final = "coai:answer:1:"
"""Raise the number when a reply's form changes."""

SECONDS: Final = 0.5
"""How long Redis may take; a model takes longer."""

AWAY_SECONDS: Final = 30.0
"""How long a Redis that failed is left alone."""

MOST_BYTES: Final = 1_000_000


class SharedCacheError(CoaiError):
    """Answers are to be shared, and what does that is not installed."""


class RedisAnswers:
    """Answers in Redis. Every method raises nothing: a cache that is away is none."""

    def __init__(
        self, store: Shared, *, seconds: float, clock: Callable[[], float] | None = None
    ) -> None:
        """Connect to nothing yet; raises `SharedCacheError` without the client.

        `seconds` is how long an answer is kept.
        """
        try:
            client: Any = import_module("redis.asyncio")
            errors: Any = import_module("redis.exceptions")
        except ImportError as error:
            raise SharedCacheError(
                "Answers cannot be shared over Redis: its client is not installed.",
                remedy="Install `coai[cluster]`, or take `cluster.cache_url` out.",
            ) from error
        self._store = store
        self._seconds = max(1, int(seconds))
        self._failures = (errors.RedisError, OSError, TimeoutError, ValueError)
        self.client: Any = client.from_url(
            store.url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS
        )
        self._clock = clock
        self._away_until = float("-inf")
        self.hits = 0

    async def get(self, key: str) -> ModelReply | None:
        """Return a kept answer."""
        kept = await self._ask(lambda: self.client.get(PREFIX + key))
        if not isinstance(kept, bytes):
            return None
        try:
            reply = ModelReply.model_validate_json(kept)
        except ValidationError:
            return None
        self.hits += 1
        return reply

    async def put(self, key: str, reply: ModelReply) -> None:
        """Keep an answer."""
        content = reply.model_dump_json().encode()
        if len(content) <= MOST_BYTES:
            await self._ask(lambda: self.client.set(PREFIX + key, content, ex=self._seconds))

    async def aclose(self) -> None:
        """Close the connections."""
        await self.client.aclose()

    async def _ask(self, ask: Callable[[], Any]) -> Any:  # noqa: ANN401 - what Redis says
        now = self._clock or asyncio.get_running_loop().time
        if now() < self._away_until:
            return None
        try:
            async with asyncio.timeout(2 * SECONDS):
                return await ask()
        except self._failures as error:
            self._away_until = now() + AWAY_SECONDS
            # Only what kind of failure it is: a client's message may repeat an address.
            logger.warning("%s does not answer: %s", self._store, type(error).__name__)
            return None


class SharedAnswers:
    """This machine's cache first, then what the others have; an `AnswerStore`."""

    def __init__(self, own: AnswerCache, others: RedisAnswers) -> None:
        self.own = own
        self.others = others

    async def get(self, key: str) -> ModelReply | None:
        """Return a kept answer."""
        return await self.own.get(key) or await self.others.get(key)

    async def put(
        self, key: str, reply: ModelReply, *, sensitive: bool, cost: float, seconds: float
    ) -> None:
        """Keep an answer, for the others too if it is dear and not sensitive."""
        await self.own.put(key, reply, sensitive=sensitive, cost=cost, seconds=seconds)
        if not sensitive and worth_a_disk(reply, cost=cost, seconds=seconds):
            await self.others.put(key, reply)
