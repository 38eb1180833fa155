"""`initialize` and `initialized`: services are built, then started while the client goes on."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from lsprotocol import types

from coai_server.lsp.features import configuration, model_download, status

if TYPE_CHECKING:
    from coai_server.lsp.server import Server


def register(server: Server) -> None:
    """Build services when the client is known, start them when it is ready."""

    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        server.provide(params.initialization_options)

    started = False

    @server.feature(types.INITIALIZED)
    def initialized(_: types.InitializedParams) -> None:
        nonlocal started
        if started:
            # Some clients tell it twice; the user is asked once.
            return
        started = True
        status.follow(server)
        server.session.spawn(_start(server), name="start the services")
        server.session.spawn(configuration.follow(server), name="follow the settings")


async def _start(server: Server) -> None:
    await server.services.start()
    # What was imported stays for good; the collector need not walk through it at a keystroke.
    gc.freeze()
    await model_download.offer(server)
