"""`coai.rate`, `coai.memory` and `coai.forget`: answers are judged, memories seen and deleted.

Each takes one object. `coai.rate`: `answer`, as a command of a specialist returned it, or nothing
for the last one, and `helpful`. `coai.memory`: `uri` of a document whose folder is meant, or
nothing for all folders. `coai.forget`: `ids`, as `coai.memory` has them.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, cast

from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from coai_server.lsp.server import Server

RATE: Final = "coai.rate"
MEMORY: Final = "coai.memory"
FORGET: Final = "coai.forget"

_HEAVY: Final = (
    "coai_agents.application.specialists.remember",
    "coai_agents.application.specialists.standing",
)


class AskedWronglyError(CoaiError):
    """A command's argument is not what it takes."""


def register(server: Server) -> None:
    """Register the commands."""

    @server.command(RATE)
    async def rate(*arguments: object) -> dict[str, Any]:
        given = await _given(arguments)
        if not isinstance(given.get("helpful"), bool):
            raise AskedWronglyError("It is not said whether the answer was of help.")
        name = str(given.get("answer") or "") or None
        rated = await server.services.learned.rate(name, helpful=given["helpful"])
        return {
            "answer": rated[0].id.partition(".")[0],
            "agents": [each.agent for each in rated],
            "model": next((each.model for each in rated if each.model), ""),
        }

    @server.command(MEMORY)
    async def memory(*arguments: object) -> list[dict[str, Any]]:
        given = await _given(arguments)
        from coai_agents.application.specialists.remember import listed  # noqa: PLC0415 - see _HEAVY

        source = server.documents.snapshot(str(given.get("uri") or ""))
        folder = None
        if source is not None:
            known = await server.services.learned.memory(source)
            if known is None:
                return []
            folder = str(known.folder)
        return await asyncio.to_thread(listed, folder)

    @server.command(FORGET)
    async def forget(*arguments: object) -> dict[str, Any]:
        given = await _given(arguments)
        from coai_agents.application.specialists.remember import forget as forgotten  # noqa: PLC0415 - see _HEAVY

        ids: object = given.get("ids")
        names = [str(each) for each in cast("list[object]", ids)] if isinstance(ids, list) else []
        return {"forgotten": await asyncio.to_thread(forgotten, names)}


async def _given(arguments: tuple[object, ...]) -> dict[str, Any]:
    for module in _HEAVY:
        await asyncio.to_thread(import_module, module)
    first = arguments[0] if arguments else None
    return cast("dict[str, Any]", first) if isinstance(first, dict) else {}
