"""The chain of `benchmarks.workflows` on LangGraph, for an environment that has it.

`python langgraph_chain.py FOLDER RUNS STEPS BYTES` prints JSON: seconds, CPU seconds, bytes stored.
It imports nothing of COAI, because that environment has none of it.
"""

# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# It is checked where LangGraph is not installed.
from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any, TypedDict

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph


class State(TypedDict, total=False):
    """What the steps see: each one's answer under its own name."""

    answers: dict[str, str]


def main(folder: Path, runs: int, steps: int, size: int) -> None:
    """Carry the chains out and print what they cost."""
    text = (" ".join(str(n * n) for n in range(600)))[:size]

    def step(name: str) -> Any:  # noqa: ANN401 - a node
        def said(state: State) -> State:
            return {"answers": {**state.get("answers", {}), name: text}}

        return said

    graph: Any = StateGraph(State)
    names = [f"n{number}" for number in range(steps)]
    for name in names:
        graph.add_node(name, step(name))
    for before, after in zip([START, *names], [*names, END], strict=True):
        graph.add_edge(before, after)
    path = folder / "checkpoints.sqlite"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        app = graph.compile(checkpointer=saver)

        def run(thread: str) -> None:
            app.invoke({"answers": {}}, {"configurable": {"thread_id": thread}}, durability="sync")

        run("warm up")
        began, cpu = time.perf_counter(), time.process_time()
        for number in range(runs):
            run(str(number))
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    stored = sum(each.stat().st_size for each in folder.iterdir())
    sys.stdout.write(json.dumps({"seconds": seconds, "cpu": cpu, "stored": stored}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(each) for each in sys.argv[2:5]))
