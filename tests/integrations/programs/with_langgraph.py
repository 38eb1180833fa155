"""LangGraph: a graph whose nodes are COAI's audit and one of its workflows."""

import asyncio
import json
from typing import Any, TypedDict

from langchain_mcp_adapters.callbacks import CallbackContext, Callbacks
from langchain_mcp_adapters.client import MultiServerMCPClient
from langgraph.graph import END, START, StateGraph

SERVERS = {"coai": {"transport": "stdio", "command": "coai", "args": ["mcp"]}}


class State(TypedDict, total=False):
    """What goes through the graph."""

    path: str
    findings: list[dict[str, Any]]
    review: str


async def main() -> None:
    """Run the graph on the file shop.py of the working directory."""
    steps: list[str | None] = []

    async def progress(
        done: float, total: float | None, message: str | None, context: CallbackContext
    ) -> None:
        steps.append(message)

    client = MultiServerMCPClient(SERVERS, callbacks=Callbacks(on_progress=progress))
    tools = {tool.name: tool for tool in await client.get_tools()}

    async def call(tool: str, **arguments: Any) -> dict[str, Any]:
        asked = {"type": "tool_call", "id": tool, "name": tool, "args": arguments}
        return (await tools[tool].ainvoke(asked)).artifact["structured_content"]

    async def audit(state: State) -> State:
        return {"findings": (await call("audit", path=state["path"]))["findings"]}

    async def review(state: State) -> State:
        # An ensemble of COAI's as a node; `model=False` keeps to what needs no model.
        run = await call("run_workflow", name="code-review", input=state["path"], model=False)
        return {"review": run["text"]}

    graph = StateGraph(State)
    graph.add_node("audit", audit)
    graph.add_node("review", review)
    graph.add_edge(START, "audit")
    graph.add_conditional_edges("audit", lambda state: "review" if state["findings"] else END)
    graph.add_edge("review", END)
    state = await graph.compile().ainvoke({"path": "shop.py"})
    print(json.dumps({"tools": sorted(tools), "progress": steps, **state}))


asyncio.run(main())
