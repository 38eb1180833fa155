"""A model for a command: whichever of the user's answers first, or the reason why none does."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from coai_agents.specialists.asking import Asker
    from coai_routing.wiring.local import LocalModels

LOADING_SECONDS: Final = 60.0
"""How long the embedded model may take to load; some laptops' disks read 10 MB a second."""


@asynccontextmanager
async def asker(
    path: Path, *, wanted: bool, alias: str | None, seconds: float = 120.0
) -> AsyncGenerator[Asker]:
    """Give what specialists ask models by, with the settings of a file's folder, or a folder's.

    Without a wish for a model nothing is started, looked for or loaded.
    """
    from coai_agents.specialists.asking import Asker, Wishes  # noqa: PLC0415 (not for `--help`)

    if not wanted:
        yield Asker()
        return
    from coai_routing.wiring.local import LocalModels  # noqa: PLC0415 (only with a model)
    from coai_server.cli.settings import load_settings  # noqa: PLC0415 (as above)

    settings = await asyncio.to_thread(lambda: load_settings(_folder_of(path)).settings)
    changed = asyncio.Event()
    models = LocalModels(lambda: settings, on_change=changed.set)
    try:
        await models.backends.look()
        await models.embedded.use(settings.engine)
        absent = await _loaded(models, changed)
        router = await models.routing.router()
        wishes = Wishes(alias=alias, seconds=seconds)
        yield Asker(router, why_none=absent, wishes=wishes)
    finally:
        await models.aclose()


def _folder_of(path: Path) -> Path:
    whole = path.absolute()
    return whole if whole.is_dir() else whole.parent


async def _loaded(models: LocalModels, changed: asyncio.Event) -> str:
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
