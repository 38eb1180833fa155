"""The client's settings: pushed with `workspace/didChangeConfiguration`, or asked for.

A client that answers `workspace/configuration` is asked for the section `coai` when it is ready and
after each change; what it pushes then says only that something changed.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from lsprotocol import types

if TYPE_CHECKING:
    from coai_server.server import Server

logger = logging.getLogger(__name__)

SECTION: Final = "coai"

ANSWER_SECONDS: Final = 10.0
"""How long a client may take to say what its settings are."""


def register(server: Server) -> None:
    """Follow the client's settings and folders without a restart."""

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def changed(params: types.DidChangeConfigurationParams) -> None:
        if _answers(server):
            await fetch(server)
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
        async with asyncio.timeout(ANSWER_SECONDS):
            await server.client_register_capability_async(types.RegistrationParams([registration]))
    if _answers(server):
        await fetch(server)


async def fetch(server: Server) -> None:
    """Ask the client for its settings and take them."""
    wanted = types.ConfigurationParams([types.ConfigurationItem(section=SECTION)])
    async with asyncio.timeout(ANSWER_SECONDS):
        sections = await server.workspace_configuration_async(wanted)
    await server.services.reconfigure(sections[0] if sections else None)


def _answers(server: Server) -> bool:
    workspace = server.client_capabilities.workspace
    return workspace is not None and workspace.configuration is True
