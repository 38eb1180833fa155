"""AutoGen: COAI's tools on a session that stays open, as agents of `AssistantAgent` take them."""

import asyncio
import json

from autogen_core import CancellationToken
from autogen_ext.tools.mcp import StdioServerParams, create_mcp_server_session, mcp_server_tools

SERVER = StdioServerParams(command="coai", args=["mcp"], read_timeout_seconds=120)


async def main() -> None:
    """Audit shop.py of the working directory, and run a workflow on it."""
    steps: list[str | None] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        steps.append(message)

    async with create_mcp_server_session(SERVER) as session:
        await session.initialize()
        tools = {tool.name: tool for tool in await mcp_server_tools(SERVER, session=session)}
        # As an agent calls it: AssistantAgent(tools=[*tools.values()], ...).
        audit = await tools["audit"].run_json({"path": "shop.py"}, CancellationToken())
        # Through the session comes what AutoGen leaves out: progress, and the structured value.
        asked = {"name": "code-review", "input": "shop.py", "model": False}
        run = await session.call_tool("run_workflow", asked, progress_callback=progress)
        findings = (await session.call_tool("audit", {"path": "shop.py"})).structuredContent
    print(
        json.dumps(
            {
                "tools": sorted(tools),
                "progress": steps,
                "text": tools["audit"].return_value_as_string(audit),
                "findings": (findings or {})["findings"],
                "review": (run.structuredContent or {})["text"],
            }
        )
    )


asyncio.run(main())
