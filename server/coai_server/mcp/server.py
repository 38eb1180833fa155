"""The server with its prompts: one for each workflow, read when somebody asks for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    GetPromptResult,
    Prompt,
    PromptArgument,
    PromptMessage,
    TextContent,
)

from coai_agents.workflows.definition.types import read_type
from coai_agents.workflows.errors import WorkflowError
from coai_server.mcp.tools.running import library_of, plan_named
from coai_server.terminal import one_line

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context

    from coai_agents.application.roots import Roots
    from coai_agents.workflows.definition.schema import Plan


class Server(MCPServer[Any]):
    """Offers workflows as prompts, beside the tools."""

    def __init__(self, roots: Roots, **options: Any) -> None:  # noqa: ANN401 - the SDK's own
        """Take the folders whose workflows count."""
        super().__init__("coai", **options)
        self._roots = roots

    async def list_prompts(self) -> list[Prompt]:
        """Return a prompt for each workflow, by name."""
        return await asyncio.to_thread(self._prompts)

    def _prompts(self) -> list[Prompt]:
        library = library_of(self._roots)
        prompts: list[Prompt] = []
        for name in sorted(library.entries()):
            try:
                prompts.append(_prompt(name, library.plan(name)))
            except WorkflowError:
                # It does not load, which `coai ensembles check` explains; the others do.
                continue
        return prompts

    async def get_prompt(
        self,
        name: str,
        arguments: dict[str, Any] | None = None,
        context: Context[Any, Any] | None = None,
    ) -> GetPromptResult:
        """Return what a client's model is told to do a workflow."""
        del context
        try:
            plan = await asyncio.to_thread(plan_named, name, self._roots)
        except WorkflowError as error:
            raise MCPError(code=INVALID_PARAMS, message=str(error)) from error
        given = str((arguments or {}).get("input", ""))
        text = (
            f"Call COAI's tool `run_workflow` with the name {name!r} and this input:\n\n{given}\n\n"
            "If the run asks something, ask me and pass my answer on with `run_answer`. Tell me "
            "what it came to. Show proposed changes as diffs, and write nothing before I agree."
        )
        message = PromptMessage(role="user", content=TextContent(text=text))
        return GetPromptResult(description=one_line(plan.description), messages=[message])


def _prompt(name: str, plan: Plan) -> Prompt:
    about = PromptArgument(
        name="input",
        description=f"What it is about: {read_type(plan.input)}.",
        required=read_type(plan.input).kind != "any",
    )
    return Prompt(
        name=name, title=plan.name, description=one_line(plan.description), arguments=[about]
    )
