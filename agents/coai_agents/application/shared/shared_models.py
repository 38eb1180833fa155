"""The models of a process that many calls share, each folder's by its own settings.

Settings are read again for every call, or as seldom as whoever serves many calls says, so what a
user forbids holds from then on.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from coai_agents.application.models import loaded_models
from coai_agents.specialists.asking import Asker, Wishes
from coai_routing.settings.loading import load

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from pathlib import Path

    from coai_routing.router.router import Router
    from coai_routing.settings.loading import LoadedSettings
    from coai_routing.settings.schema import Settings
    from coai_routing.wiring.local import LocalModels

SECONDS: Final = 120.0
"""How long one question to a model may take."""


class Opened(NamedTuple):
    """The models of a folder, by its settings as they were read last."""

    loaded: LoadedSettings
    stack: AsyncExitStack
    models: LocalModels
    router: Router
    asker: Asker

    @property
    def settings(self) -> Settings:
        """What holds for what is in no file."""
        return self.loaded.settings


class Models:
    """Loads models for the first call that wants one, and lets go of them at the end."""

    def __init__(
        self,
        overrides: Mapping[str, Any] | None = None,
        *,
        settings_seconds: float = 0.0,
        directory: Path | None = None,
    ) -> None:
        """Load nothing yet.

        `overrides` are settings that go before the user's. Settings are not read again before
        `settings_seconds` are over. `directory` is where who asks works, this process's working
        directory unless given.
        """
        self._directory = directory
        self._overrides = overrides
        self._settings_seconds = settings_seconds
        self._opening = asyncio.Lock()
        self._opened: dict[Path, Opened] = {}
        self._fresh_until: dict[Path, float] = {}
        self._replaced = AsyncExitStack()
        """What calls that have begun may still use."""

    async def asker(self, root: Path, *, wanted: bool) -> Asker:
        """Return what specialists ask models by, with the settings of a folder."""
        return (await self.opened(root)).asker if wanted else Asker()

    async def settings(self, root: Path) -> Settings:
        """Return the settings of a folder as they are now; loads no model."""
        return (await asyncio.to_thread(self._load, root)).settings

    async def opened(self, root: Path) -> Opened:
        """Return the models of a folder by its settings."""
        now = asyncio.get_running_loop().time()
        known = self._opened.get(root)
        if known is not None and now < self._fresh_until[root]:
            return known
        loaded = await asyncio.to_thread(self._load, root)
        async with self._opening:
            known = self._opened.get(root)
            self._fresh_until[root] = now + self._settings_seconds
            if known is not None and known.settings == loaded.settings:
                return known
            if known is not None:
                del self._opened[root]
                self._replaced.push_async_callback(known.stack.aclose)
            self._opened[root] = await _open(loaded)
            return self._opened[root]

    def _load(self, root: Path) -> LoadedSettings:
        return load(workspace_roots=[root], overrides=self._overrides, directory=self._directory)

    async def aclose(self) -> None:
        """Let go of all models."""
        for each in self._opened.values():
            await each.stack.aclose()
        await self._replaced.aclose()


async def _open(loaded: LoadedSettings) -> Opened:
    async with AsyncExitStack() as stack:
        models, absent = await stack.enter_async_context(loaded_models(loaded.settings))
        # Servers come and go while a process serves.
        models.backends.start()
        router = await models.routing.router()
        asker = Asker(router, why_none=absent, wishes=Wishes(seconds=SECONDS))
        return Opened(loaded, stack.pop_all(), models, router, asker)


@asynccontextmanager
async def shared_models() -> AsyncGenerator[Models]:
    """Give models for as long as a process serves."""
    models = Models()
    try:
        yield models
    finally:
        await models.aclose()
