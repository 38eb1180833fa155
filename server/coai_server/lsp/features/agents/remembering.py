"""`coai.rate`, `coai.memory` and `coai.forget`: answers are judged, memories seen and deleted.

Each takes one object. `coai.rate`: `answer`, as a command of a specialist returned it, or nothing
for the last one, and `helpful`. `coai.memory`: `uri` of a document whose folder is meant, or
nothing for all folders. `coai.forget`: `ids`, as `coai.memory` has them.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, cast

from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from coai_server.lsp.server import Server

RATE: Final = "coai.rate"
MEMORY: Final = "coai.memory"
FORGET: Final = "coai.forget"

_HEAVY: Final = (
    "coai_agents.application.remembering",
    "coai_agents.specialists.choosing.standings",
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
        return {"answer": rated.id, "agent": rated.agent, "model": rated.model}

    @server.command(MEMORY)
    async def memory(*arguments: object) -> list[dict[str, Any]]:
        given = await _given(arguments)
        source = server.documents.snapshot(str(given.get("uri") or ""))
        folder = None
        if source is not None:
            known = await server.services.learned.memory(source)
            if known is None:
                return []
            folder = str(known.folder)
        return await asyncio.to_thread(_listed, folder)

    @server.command(FORGET)
    async def forget(*arguments: object) -> dict[str, Any]:
        given = await _given(arguments)
        ids: object = given.get("ids")
        names = [str(each) for each in cast("list[object]", ids)] if isinstance(ids, list) else []
        return {"forgotten": await asyncio.to_thread(_forgotten, names)}


async def _given(arguments: tuple[object, ...]) -> dict[str, Any]:
    for module in _HEAVY:
        await asyncio.to_thread(import_module, module)
    first = arguments[0] if arguments else None
    return cast("dict[str, Any]", first) if isinstance(first, dict) else {}


def _listed(folder: str | None) -> list[dict[str, Any]]:
    """Return what is remembered, what held most often first; for a thread."""
    from coai_agents.memory.store import Memory, location  # noqa: PLC0415 - see _HEAVY

    memory = Memory(location())
    episodes = [
        {
            "id": f"e{each.id}",
            "kind": "solution",
            "text": each.title,
            "place": each.path,
            "at": _when(each.at),
            "used": each.used,
        }
        for each in memory.episodes(folder)
    ]
    facts = [
        {
            "id": f"f{each.id}",
            "kind": each.kind,
            "text": each.text,
            "place": each.path,
            "at": _when(each.at),
            "used": 0,
        }
        for each in memory.facts(folder)
    ]
    return [*episodes, *facts]


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _forgotten(names: list[str]) -> int:
    """Delete what is named; for a thread."""
    from coai_agents.memory.store import Memory, location  # noqa: PLC0415 - see _HEAVY

    numbers = {
        kind: [int(each[1:]) for each in names if each[:1] == kind and each[1:].isdecimal()]
        for kind in "ef"
    }
    return Memory(location()).forget(episodes=numbers["e"], facts=numbers["f"])
