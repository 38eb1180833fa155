"""OpenAI Agents SDK: COAI as a server, as `Agent(mcp_servers=[...])` takes it."""

import asyncio
import json

from agents.mcp import MCPServerStdio

COAI = {"command": "coai", "args": ["mcp"]}


async def main() -> None:
    """Audit shop.py of the working directory, and run a workflow on it."""
    steps: list[str | None] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        steps.append(message)

    # `use_structured_content` gives agents the structured value, which has the text, too.
    async with MCPServerStdio(
        params=COAI, client_session_timeout_seconds=120, use_structured_content=True
    ) as coai:
        tools = [tool.name for tool in await coai.list_tools()]
        audit = await coai.call_tool("audit", {"path": "shop.py"})
        asked = {"name": "code-review", "input": "shop.py", "model": False}
        run = await coai.session.call_tool("run_workflow", asked, progress_callback=progress)
        print(
            json.dumps(
                {
                    "tools": sorted(tools),
                    "progress": steps,
                    "text": audit.content[0].text,
                    "findings": audit.structured_content["findings"],
                    "review": run.structured_content["text"],
                }
            )
        )


asyncio.run(main())
