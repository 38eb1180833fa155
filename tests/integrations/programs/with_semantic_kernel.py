"""Semantic Kernel: COAI as a plugin, whose functions a kernel or an agent calls."""

import asyncio
import json

from semantic_kernel import Kernel
from semantic_kernel.connectors.mcp import MCPStdioPlugin


async def main() -> None:
    """Audit shop.py of the working directory, and run a workflow on it."""
    steps: list[str | None] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        steps.append(message)

    kernel = Kernel()
    async with MCPStdioPlugin(name="coai", command="coai", args=["mcp"]) as coai:
        functions = kernel.add_plugin(coai).functions
        audit = await kernel.invoke(functions["audit"], path="shop.py")
        # Through the session comes what the kernel leaves out: progress, and the structured value.
        asked = {"name": "code-review", "input": "shop.py", "model": False}
        run = await coai.session.call_tool("run_workflow", asked, progress_callback=progress)
        findings = await coai.session.call_tool("audit", {"path": "shop.py"})
        print(
            json.dumps(
                {
                    "tools": sorted(functions),
                    "progress": steps,
                    "text": "".join(str(each) for each in audit.value),
                    "findings": findings.structuredContent["findings"],
                    "review": run.structuredContent["text"],
                }
            )
        )


asyncio.run(main())
