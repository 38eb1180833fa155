"""The tools put together, and the server that offers them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib.metadata import version
from inspect import getdoc
from typing import TYPE_CHECKING, Any, Final

from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations

from coai_server.mcp.resources import add_resources
from coai_server.mcp.server import Server
from coai_server.mcp.tasks import TasksExtension
from coai_server.mcp.tools.changing import Changing
from coai_server.mcp.tools.looking import Looking
from coai_server.mcp.tools.paging import Paging
from coai_server.mcp.tools.reviewing import Reviewing
from coai_server.mcp.tools.running import Running
from coai_server.mcp.tools.securing import Securing
from coai_server.mcp.tools.toolbox import Shared
from coai_server.shared.connection import common

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from mcp.server.mcpserver import MCPServer

    from coai_agents.application.roots import Roots
    from coai_agents.application.shared.shared_models import Models
    from coai_server.shared.connection import Common

INSTRUCTIONS: Final = (
    "COAI looks at code on this machine. Facts come from static analysis and the code itself; a "
    "model's words are marked. Tools that propose changes return diffs and write nothing. Give "
    "`model: false` for facts alone, which takes no model and little time."
)

READS: Final = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
ASKS: Final = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=False, open_world_hint=True
)
"""Of what may ask a model, on another machine too where the settings let it."""
ACTS: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True
)
"""Of a workflow, in which scripts of the user's own may be steps."""

ENDS: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)

LONG: Final = frozenset(
    (
        *("audit", "threats", "compliance", "explain", "ask", "architecture", "review", "fix"),
        *("document", "refactor", "run_workflow", "run_answer"),
    )
)
"""Tools whose calls may become tasks."""


def build(roots: Roots, models: Models, shared: Shared) -> MCPServer[Any]:
    """Return the server with all tools, resources and prompts, always in the same order."""
    looking, changing = Looking(roots, models, shared), Changing(roots, models, shared)
    securing, reviewing = Securing(roots, models, shared), Reviewing(roots, models, shared)
    running, paging = Running(roots, models, shared), Paging(roots, models, shared)
    tools: list[tuple[Callable[..., Any], str, ToolAnnotations]] = [
        (looking.audit, "Find what is wrong", READS),
        (securing.vulns, "Find vulnerable dependencies", READS),
        (securing.threats, "Show a threat model", READS),
        (securing.compliance, "Show compliance with standards", READS),
        (looking.explain, "Explain code or a failure", ASKS),
        (looking.ask, "Ask about code", ASKS),
        (looking.architecture, "Show the architecture", READS),
        (reviewing.review, "Review a change", ASKS),
        (changing.fix, "Propose fixes", ASKS),
        (changing.document, "Propose documentation", ASKS),
        (changing.refactorings, "List refactorings", READS),
        (changing.refactor, "Propose a refactoring", ASKS),
        (running.run_workflow, "Run a workflow", ACTS),
        (running.run_status, "Show a run", READS),
        (running.run_answer, "Answer a run's question", ACTS),
        (running.run_cancel, "Cancel a run", ENDS),
        (paging.read_more, "Read on in a long answer", READS),
    ]
    server = Server(
        roots,
        title="COAI",
        instructions=INSTRUCTIONS,
        version=version("coai"),
        log_level="WARNING",
        tools=[_tool(*each) for each in tools],
        extensions=[TasksExtension(shared.tasks, LONG)],
    )
    add_resources(server, running)
    return server


_described: dict[str, Tool] = {}
"""Tools without what they are for: schemas take some milliseconds each, and are always the same."""


def _tool(function: Callable[..., Any], title: str, hints: ToolAnnotations) -> Tool:
    known = _described.get(function.__name__)
    if known is None:
        known = Tool.from_function(
            function,
            title=title,
            description=getdoc(function),
            annotations=hints,
            structured_output=True,
        ).model_copy(update={"fn": _nothing})
        _described[known.name] = known
    return known.model_copy(update={"fn": function})


def _nothing() -> None:
    pass


async def serve(roots: Roots) -> None:
    """Serve on standard input and output until the input ends."""
    async with (
        common() as kept,
        shared_by(kept) as shared,
        kept.models.of(roots.directory) as models,
    ):
        await build(roots, models, shared).run_stdio_async()


@asynccontextmanager
async def shared_by(kept: Common) -> AsyncGenerator[Shared]:
    """Give what this door has once for all its clients."""
    shared = Shared(kept.runs)
    try:
        yield shared
    finally:
        await shared.tasks.aclose()
