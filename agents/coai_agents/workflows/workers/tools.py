"""Tools as steps of a run: what `coai_agents.tools` has, by the names that plans use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.tools.errors import ToolError
from coai_agents.tools.registry import ALL, use
from coai_agents.workflows.engine.work import StepFailedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_agents.tools.tool import Bench
    from coai_agents.workflows.definition.known import Signature
    from coai_agents.workflows.definition.types import Json

TOOLS: Final[Mapping[str, Signature]] = {name: tool.signature for name, tool in ALL.items()}


async def use_tool(name: str, given: Mapping[str, Json], bench: Bench) -> Json:
    """Use a tool; raises `StepFailedError`."""
    try:
        return await use(name, given, bench)
    except ToolError as error:
        raise failed(error) from error


def failed(error: ToolError) -> StepFailedError:
    """Return what a step fails with where a tool, or the look at a file, did."""
    return StepFailedError(error.message, remedy=error.remedy, again=False)
