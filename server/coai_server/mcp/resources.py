"""What clients can read without a tool: rules, runs, and the findings of a file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from coai_agents.analysis.rules.rules import catalogue, own_concepts
from coai_agents.application.audit.auditing import audit
from coai_agents.application.audit.request import AuditRequest
from coai_agents.application.audit.rule_list import languages_of, rule_page
from coai_agents.application.audit.wishes import wishes_for
from coai_agents.application.roots import PathError
from coai_agents.workflows.errors import RunNotFoundError, WorkflowError
from coai_server.mcp.tools.looking import finding_line, found_in
from coai_server.mcp.tools.running import Running, run_of
from coai_server.terminal import one_line, printable

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

MARKDOWN = "text/markdown"


def add_resources(server: MCPServer[Any], running: Running) -> None:
    """Offer resources, always in the same order."""
    roots, shared = running.roots, running.shared

    @server.resource("coai://rules", title="All rules", mime_type=MARKDOWN)
    def rules() -> str:
        """List what static analysis looks for."""
        known = (*catalogue().values(), *own_concepts().values())
        rows = [
            f"- `{each.id}` ({each.severity.value}): {one_line(each.title)}\n"
            for each in known
            if languages_of(each.id)
        ]
        return "".join(rows)

    @server.resource("coai://rules/{id}", title="A rule", mime_type=MARKDOWN)
    def rule(id: str) -> str:  # noqa: A002 - as the address says it
        """Explain a rule: what it finds, why that matters, what to do instead, with examples."""
        if id not in catalogue() and id not in own_concepts():
            raise ResourceNotFoundError(f"There is no rule {one_line(id)}.")
        return printable(rule_page(id))

    @server.resource("coai://runs/{id}", title="A run of a workflow", mime_type=MARKDOWN)
    async def run(id: str) -> str:  # noqa: A002 - as above
        """Show a run: its steps, their cost, what left the machine."""
        try:
            return printable(run_of(await running.story(id)).text)
        except RunNotFoundError as error:
            raise ResourceNotFoundError(error.message) from error
        except WorkflowError as error:
            raise ResourceError(str(error)) from error

    @server.resource("coai://findings/{+path}", title="Findings of a file", mime_type="text/plain")
    async def findings(path: str) -> str:
        """List what static analysis finds in a file."""
        try:
            place = roots.place(path)
        except PathError as error:
            raise ResourceNotFoundError(str(error)) from error
        request = AuditRequest(paths=(place.path,))
        async with shared.auditing:
            report = await asyncio.to_thread(
                lambda: audit(request, wishes_for(request.paths, roots.directory))
            )
        rows = [finding_line(found_in(row, place)) for row in report.rows]
        return printable("".join(rows) or "Nothing was found.\n")
