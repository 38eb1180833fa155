#!/usr/bin/env python
"""A step of a COAI workflow that is a LangGraph graph: JSON in, JSON out.

It lies in the user's own folder of scripts, is executable, and its first line names the Python
that has LangGraph, such as `#!/home/me/graphs/.venv/bin/python`.
"""

import json
import sys
from typing import TypedDict

from langgraph.graph import END, START, StateGraph


class State(TypedDict, total=False):
    """What goes through the graph."""

    text: str
    words: int
    long: bool


def count(state: State) -> State:
    """Count the words of a text."""
    return {"words": len(state["text"].split())}


def judge(state: State) -> State:
    """Say whether a text is long."""
    return {"long": state["words"] > 3}


graph = StateGraph(State)
graph.add_node("count", count)
graph.add_node("judge", judge)
graph.add_edge(START, "count")
graph.add_edge("count", "judge")
graph.add_edge("judge", END)

given = json.load(sys.stdin)
json.dump(graph.compile().invoke({"text": given["text"]}), sys.stdout)
