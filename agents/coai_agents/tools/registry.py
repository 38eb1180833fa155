"""All tools by name."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Final

from coai_agents.tools.calculating import CALCULATING
from coai_agents.tools.code import CODE
from coai_agents.tools.combining import COMBINING
from coai_agents.tools.documents.reading import DOCUMENTS
from coai_agents.tools.errors import ToolError
from coai_agents.tools.history import HISTORY
from coai_agents.tools.looking import LOOKING
from coai_agents.tools.synthesis.tool import SYNTHESISING
from coai_agents.tools.testing import TESTING
from coai_agents.tools.web import WEB

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_agents.tools.tool import Bench, Given, Tool
    from coai_agents.workflows.definition.types import Json

ALL: Final[Mapping[str, Tool]] = {
    **LOOKING,
    **CODE,
    **HISTORY,
    **TESTING,
    **DOCUMENTS,
    **CALCULATING,
    **COMBINING,
    **SYNTHESISING,
    **WEB,
}


async def use(name: str, given: Given, bench: Bench) -> Json:
    """Use a tool without holding the loop; raises `ToolError`."""
    if name not in ALL:
        raise ToolError(f"There is no tool {name}.", remedy=f"There are {', '.join(ALL)}.")
    tool = ALL[name]
    if inspect.iscoroutinefunction(tool.use):
        return await tool.use(given, bench)
    return await asyncio.to_thread(tool.use, given, bench)
