"""Fetching the weights that completions need: asked for, with progress, or left to the user.

The setting `engine.download` decides. `ask` shows the client's user a question with the size, and
nothing is fetched without a yes.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from lsprotocol import types

from coai_routing.errors import CoaiError
from coai_server.lsp.features.work_progress import open_bar

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_routing.weights.store import PullProgress
    from coai_routing.wiring.local import LocalModels
    from coai_server.lsp.server import Server

logger = logging.getLogger(__name__)

DOWNLOAD: Final = "Download"
LATER: Final = "Not now"

ANSWER_SECONDS: Final = 3600.0
"""How long a question may stand on the screen."""


async def offer(server: Server) -> None:
    """Fetch the weights if they are missing and the settings and the user want it."""
    services = server.services
    missing = services.models.embedded.missing
    policy = services.settings.engine.download
    if missing is None or policy == "never":
        return
    if policy == "ask" and not await _wanted(server, missing):
        return
    await fetch(server)


async def fetch(server: Server, name: str = "") -> bool:
    """Fetch a model's weights, those of the engine's model unless named; say whether they came.

    The client shows a progress bar, if it can, with which the user can stop the download.
    """
    models = server.services.models
    embedded = models.embedded
    bar = await open_bar(server, "COAI: fetching the model")

    def report(progress: PullProgress) -> None:
        done, total = progress.bytes_done, max(1, progress.bytes_total)
        said = f"{progress.phase}: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB"
        bar.report(said, done * 100 // total)

    if name in ("", embedded.missing):
        pulling = asyncio.ensure_future(embedded.pull(report))
    else:
        pulling = asyncio.ensure_future(_pull(models, name, report))
    try:
        await asyncio.wait({pulling, bar.stopped}, return_when=asyncio.FIRST_COMPLETED)
        if pulling.done():
            await pulling
        return pulling.done()
    except CoaiError as error:
        server.window_show_message(types.ShowMessageParams(types.MessageType.Error, str(error)))
        return False
    finally:
        if not pulling.done():
            pulling.cancel()
            await asyncio.wait({pulling})
        bar.finish()


async def _pull(models: LocalModels, name: str, report: Callable[[PullProgress], None]) -> None:
    await models.store.pull(name, report)


async def _wanted(server: Server, name: str) -> bool:
    model = server.services.models.catalog.model(name)
    size = "" if model is None else f" ({model.size / 1e6:,.0f} MB, {model.license})"
    question = types.ShowMessageRequestParams(
        type=types.MessageType.Info,
        message=f"COAI completes code with a model on this machine. Download {name}{size} now?",
        actions=[types.MessageActionItem(DOWNLOAD), types.MessageActionItem(LATER)],
    )
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await server.window_show_message_request_async(question)
    except Exception as error:  # noqa: BLE001 - a client that cannot ask must not stop the server
        logger.info("The client did not ask its user about the download: %s", error)
        return False
    return answer is not None and answer.title == DOWNLOAD
