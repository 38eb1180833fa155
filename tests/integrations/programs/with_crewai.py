"""CrewAI: COAI's tools by its adapter, as `Agent(tools=...)` takes them.

The adapter hands on what is to be read and nothing else: no progress, no structured values.
"""

import json
import os

from crewai_tools import MCPServerAdapter
from mcp import StdioServerParameters

SERVER = StdioServerParameters(command="coai", args=["mcp"], env=dict(os.environ))


def main() -> None:
    """Audit shop.py of the working directory, and run a workflow on it."""
    with MCPServerAdapter(SERVER, connect_timeout=120) as tools:
        text = tools["audit"].run(path="shop.py")
        review = tools["run_workflow"].run(name="code-review", input="shop.py", model=False)
        names = sorted(tool.name for tool in tools)
    print(json.dumps({"tools": names, "text": text, "review": review}))


main()
