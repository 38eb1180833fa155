"""Explanations that are kept by the meaning of the code: one model call for each.

Who asks about code that means the same as before gets the same words; they are held against the
code as it is now each time they are shown. In memory, and on disk in a directory of the user's own
unless the code is sensitive.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, Protocol

from coai_agents.specialists.words import Words, all_words, spoken
from coai_routing.request import ModelReply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from coai_agents.specialists.asking import Asker, Prompt

MOST_UNDER_WAY: Final = 2
"""Who moves the mouse over a file wants to know of the last function, not of all."""

_A_WHILE: Final = 60.0
"""Seconds: to have a model's words again is always worth a place on disk."""


class Store(Protocol):
    """What keeps answers: `coai_routing.router.cache.AnswerCache`."""

    async def get(self, key: str) -> ModelReply | None:
        """Return what is kept under a key."""
        ...

    async def put(
        self, key: str, reply: ModelReply, *, sensitive: bool, cost: float, seconds: float
    ) -> None:
        """Keep an answer; what is sensitive in memory only."""
        ...


class Explanations:
    """Owns the store and the model calls under way. It belongs to one event loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._under_way: dict[str, asyncio.Task[Words]] = {}

    async def known(self, key: str) -> Words | None:
        """Return what was said of code with this meaning."""
        reply = await self._store.get(key)
        return None if reply is None else Words(reply.text, reply.model, whole=True)

    async def keep(self, key: str, words: Words, *, sensitive: bool) -> None:
        """Keep a model's words if they are whole."""
        if words.whole and words.text.strip():
            reply = ModelReply(text=words.text, finish="stop", model=words.model, provider="")
            await self._store.put(key, reply, sensitive=sensitive, cost=0.0, seconds=_A_WHILE)

    async def spoken(
        self, key: str, prompt: Prompt, asker: Asker, *, sensitive: bool
    ) -> AsyncGenerator[Words]:
        """Yield what was said of code with this meaning, else what a model says, as it comes."""
        words = await self.known(key)
        if words is not None:
            yield words
            return
        async with aclosing(spoken(prompt, asker)) as pieces:
            async for words in pieces:
                yield words
        if words is not None:
            await self.keep(key, words, sensitive=sensitive)

    def prepare(
        self, key: str, prompt: Prompt, asker: Callable[[], Awaitable[tuple[Asker, bool]]]
    ) -> asyncio.Task[Words]:
        """Return the task that explains; one that is under way is shared, the oldest gives way.

        `asker` says whom to ask, and whether the code is sensitive.
        """
        task = self._under_way.get(key)
        if task is None:
            while len(self._under_way) >= MOST_UNDER_WAY:
                self._under_way.pop(next(iter(self._under_way))).cancel()
            task = asyncio.create_task(self._explain(key, prompt, asker), name="explain")
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._ended(key, done))
        return task

    def _ended(self, key: str, task: asyncio.Task[Words]) -> None:
        if self._under_way.get(key) is task:
            del self._under_way[key]

    async def _explain(
        self, key: str, prompt: Prompt, asker: Callable[[], Awaitable[tuple[Asker, bool]]]
    ) -> Words:
        asked, sensitive = await asker()
        words = await all_words(prompt, asked)
        await self.keep(key, words, sensitive=sensitive)
        return words

    async def aclose(self) -> None:
        """Stop what is under way."""
        tasks = [*self._under_way.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
