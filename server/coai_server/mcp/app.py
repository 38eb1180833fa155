"""The tools put together, and the server that offers them."""

from __future__ import annotations

from importlib.metadata import version
from inspect import getdoc
from typing import TYPE_CHECKING, Any, Final

from mcp.server.mcpserver import MCPServer
from mcp.types import ToolAnnotations

from coai_agents.application.shared_models import Models, shared_models
from coai_server.mcp.tools.changing import Changing
from coai_server.mcp.tools.looking import Looking
from coai_server.mcp.tools.reviewing import Reviewing
from coai_server.mcp.tools.running import Running

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_agents.application.roots import Roots

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


def build(roots: Roots, models: Models) -> MCPServer[Any]:
    """Return the server with all tools, always in the same order."""
    server: MCPServer[Any] = MCPServer(
        "coai",
        title="COAI",
        instructions=INSTRUCTIONS,
        version=version("coai"),
        log_level="WARNING",
    )
    looking, changing = Looking(roots, models), Changing(roots, models)
    reviewing, running = Reviewing(roots, models), Running(roots, models)
    tools: list[tuple[Callable[..., Any], str, ToolAnnotations]] = [
        (looking.audit, "Find what is wrong", READS),
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
    ]
    for tool, title, hints in tools:
        server.add_tool(
            tool,
            title=title,
            description=getdoc(tool),
            annotations=hints,
            structured_output=True,
        )
    return server


async def serve(roots: Roots) -> None:
    """Serve on standard input and output until the input ends."""
    async with shared_models() as models:
        await build(roots, models).run_stdio_async()
