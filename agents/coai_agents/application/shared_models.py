"""The models of a process that many calls share, each folder's by its own settings.

Settings are read for every call, so what a user forbids holds from the next call on.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from coai_agents.application.models import loaded_models
from coai_agents.specialists.asking import Asker, Wishes
from coai_routing.settings.loading import load

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from coai_routing.settings.schema import Settings

SECONDS: Final = 120.0
"""How long one question to a model may take."""


class _Opened(NamedTuple):
    settings: Settings
    stack: AsyncExitStack
    asker: Asker


class Models:
    """Loads models for the first call that wants one, and lets go of them at the end."""

    def __init__(self) -> None:
        """Load nothing yet."""
        self._opening = asyncio.Lock()
        self._opened: dict[Path, _Opened] = {}
        self._replaced = AsyncExitStack()
        """What calls that have begun may still use."""

    async def asker(self, root: Path, *, wanted: bool) -> Asker:
        """Return what specialists ask models by, with the settings of a folder."""
        if not wanted:
            return Asker()
        settings = await asyncio.to_thread(lambda: load(workspace_roots=[root]).settings)
        async with self._opening:
            known = self._opened.get(root)
            if known is not None and known.settings == settings:
                return known.asker
            if known is not None:
                del self._opened[root]
                self._replaced.push_async_callback(known.stack.aclose)
            opened = await _open(settings)
            self._opened[root] = opened
            return opened.asker

    async def aclose(self) -> None:
        """Let go of all models."""
        for each in self._opened.values():
            await each.stack.aclose()
        await self._replaced.aclose()


async def _open(settings: Settings) -> _Opened:
    async with AsyncExitStack() as stack:
        models, absent = await stack.enter_async_context(loaded_models(settings))
        router = await models.routing.router()
        asker = Asker(router, why_none=absent, wishes=Wishes(seconds=SECONDS))
        return _Opened(settings, stack.pop_all(), asker)


@asynccontextmanager
async def shared_models() -> AsyncGenerator[Models]:
    """Give models for as long as a process serves."""
    models = Models()
    try:
        yield models
    finally:
        await models.aclose()
