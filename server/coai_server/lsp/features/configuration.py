"""The client's settings: pushed with `workspace/didChangeConfiguration`, or asked for.

A client that answers `workspace/configuration` is asked for the section `coai` when it is ready and
after each change; what it pushes then says only that something changed.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from coai_server.daemon.client_settings import SECTION, said
from coai_server.lsp.decoding import UndecodableError

if TYPE_CHECKING:
    from coai_server.lsp.server import Server

logger = logging.getLogger(__name__)

ANSWER_SECONDS: Final = 10.0
"""How long a client may take to say what its settings are."""


def register(server: Server) -> None:
    """Follow the client's settings and folders without a restart."""

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def changed(params: types.DidChangeConfigurationParams) -> None:
        if _answers(server):
            await _ask(server, params.settings)
        else:
            await server.services.reconfigure(params.settings)

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    async def folders_changed(_: types.DidChangeWorkspaceFoldersParams) -> None:
        await server.services.reload()


async def follow(server: Server) -> None:
    """Ask for the settings as they are, and to be told when they change."""
    workspace = server.client_capabilities.workspace
    told = workspace.did_change_configuration if workspace is not None else None
    if told is not None and told.dynamic_registration:
        registration = types.Registration(
            "coai-configuration",
            types.WORKSPACE_DID_CHANGE_CONFIGURATION,
            {"section": SECTION},
        )
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await server.client_register_capability_async(
                    types.RegistrationParams([registration])
                )
        except (JsonRpcException, TimeoutError) as error:
            # It may tell of changes all the same, and is asked for its settings now.
            logger.warning("The client will not say when settings change: %s", error)
    if _answers(server):
        await _ask(server)


async def _ask(server: Server, pushed: object = None) -> None:
    """Ask the client for its settings and take them; `pushed` is what it said by itself.

    What a client cannot say just now stays as it said it before.
    """
    wanted = types.ConfigurationParams([types.ConfigurationItem(section=SECTION)])
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            sections = await server.workspace_configuration_async(wanted)
    except (JsonRpcException, UndecodableError, TimeoutError) as error:
        logger.warning("The client does not say what its settings are: %s", error)
        if said(pushed) is None:
            return
        sections = ()
    asked = sections[0] if sections else None
    # One that knows no section of our name may have pushed its settings without one.
    await server.services.reconfigure(pushed if said(asked) is None else asked)


def _answers(server: Server) -> bool:
    workspace = server.client_capabilities.workspace
    return workspace is not None and workspace.configuration is True
