"""What the tests of tools share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.tools.registry import use
from coai_agents.tools.tool import Bench
from coai_agents.tools.workspace import Folder

if TYPE_CHECKING:
    from pathlib import Path

    from coai_agents.workflows.definition.types import Json


async def used(root: Path, name: str, /, **given: Json) -> Json:
    """Use a tool in a folder."""
    return await use(name, given, Bench(Folder(root)))
