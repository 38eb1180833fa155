"""Models for a door that answers and goes: looked for, loaded, and let go of."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from coai_routing.wiring.local import LocalModels

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from coai_agents.plugins.finding import Plugins
    from coai_routing.errors import CoaiError
    from coai_routing.pool.place import Place
    from coai_routing.settings.schema import Settings

LOADING_SECONDS: Final = 60.0
"""How long the embedded model may take to load; some laptops' disks read 10 MB a second."""


def servers_of(
    plugins: Plugins, settings: Settings, tell: Callable[[CoaiError], None] | None = None
) -> tuple[Place, ...]:
    """Return the model servers that plug-ins speak to, for `loaded_models`.

    One that cannot be loaded is told of and left out; raises its `PluginError` if nobody is told.
    """
    from coai_agents.plugins.working import places_of  # noqa: PLC0415 - only where runs are
    from coai_routing.wiring.configured_routing import routing_egress  # noqa: PLC0415 - as above

    return places_of(plugins, routing_egress(settings), tell)


@asynccontextmanager
async def loaded_models(
    settings: Settings, others: tuple[Place, ...] = ()
) -> AsyncGenerator[tuple[LocalModels, str]]:
    """Give the models of the settings, and why the embedded one does not answer, if so.

    `others` are model servers that plug-ins speak to.
    """
    changed = asyncio.Event()
    models = LocalModels(lambda: settings, on_change=changed.set, others=others)
    try:
        await models.backends.look()
        await models.embedded.use(settings.engine)
        yield models, await _absent(models, changed)
    finally:
        await models.aclose()


async def _absent(models: LocalModels, changed: asyncio.Event) -> str:
    """Wait until the embedded engine is there or will not be; return what is wrong with it."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LOADING_SECONDS
    while (deployment := models.embedded.served().deployment).phase == "starting":
        changed.clear()
        try:
            async with asyncio.timeout_at(deadline):
                await changed.wait()
        except TimeoutError:
            return "The embedded model is still loading."
    return "" if deployment.phase == "ready" else f"{deployment.detail} {deployment.remedy}".strip()
