"""Progress of long work that the client's user can stop, where the client can show it."""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lsprotocol import types

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_server.lsp.server import Server

logger = logging.getLogger(__name__)

_CREATE_SECONDS: Final = 5.0


@dataclass(frozen=True)
class ProgressBar:
    """A progress bar in the client, or none, with the same methods."""

    report: Callable[[str, int], None]
    """Show a message and how much is done, in percent."""
    finish: Callable[[], None]
    """Take it away. Whoever opened it must."""
    stopped: asyncio.Future[None]
    """Done when the user wants no more of it."""


async def open_bar(server: Server, title: str) -> ProgressBar:
    """Have the client show a bar with a way to stop, if it can."""
    stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    bars = server.work_done_progress
    token = f"coai-{secrets.token_hex(4)}"
    if not await _created(server, token):
        return ProgressBar(lambda _said, _percent: None, lambda: None, stopped)
    bars.begin(token, types.WorkDoneProgressBegin(title=title, percentage=0, cancellable=True))

    def cancelled(_: object) -> None:
        if not stopped.done():
            stopped.set_result(None)

    # pygls cancels this future when the client's user does.
    bars.tokens[token].add_done_callback(cancelled)

    def report(message: str, percentage: int) -> None:
        bars.report(
            token,
            types.WorkDoneProgressReport(
                message=message, percentage=min(100, percentage), cancellable=True
            ),
        )

    return ProgressBar(report, lambda: bars.end(token, types.WorkDoneProgressEnd()), stopped)


async def _created(server: Server, token: str) -> bool:
    window = server.client_capabilities.window
    if window is None or not window.work_done_progress:
        return False
    try:
        async with asyncio.timeout(_CREATE_SECONDS):
            await server.work_done_progress.create_async(token)
    except Exception as error:  # noqa: BLE001 - the work is done all the same
        logger.info("The client did not open a progress bar: %s", error)
        return False
    return True
