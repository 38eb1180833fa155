"""A worker that is killed: `python -m tests.agents.workflows.cluster.victim URL SEEN [LIMIT]`.

It writes what it was asked to a file that all victims share, before it does it and after: the file
is what the outside world saw.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from coai_agents.workflows.cluster.durable import Limit
from coai_agents.workflows.cluster.journal import open_journal
from coai_agents.workflows.cluster.worker import ClusterWorker, Setup
from coai_agents.workflows.engine.work import Done
from coai_routing.cluster.databases import shared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_agents.workflows.definition.schema import Node
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.work import Task, Workers

PLAN = """
    - {kind: agent, name: list, prompt: p, output: [text]}
    - {kind: agent, name: each, prompt: p, fan_out: list, given: {item: item}}
    - {kind: agent, name: judge, prompt: p, output: {score: number}, depends_on: [each]}
    - {kind: gate, name: gate, check: judge.score > 1, otherwise: {revise: judge}}
    - {kind: agent, name: end, prompt: p, depends_on: [each, gate]}
"""
STEPS = 6
"""Steps that are asked in a run: list, two items, two judgements, the end."""


class Seen:
    """Does steps slowly and lets the world see it."""

    def __init__(self, path: Path) -> None:
        self._seen = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def do(self, task: Task) -> Done:
        self._say("begins", task)
        await asyncio.sleep(0.05)
        name = task.node.name
        output: Json = task.step
        if name == "list":
            output = ["x", "y" * 70_000]
        elif name == "judge":
            output = {"score": 2 if "~2" in task.step else 1}
        self._say("done", task)
        return Done(output)

    def _say(self, what: str, task: Task) -> None:
        line = f"{what} {task.run} {task.step} {task.attempt} {os.getpid()}\n"
        os.write(self._seen, line.encode())

    def has_effects(self, node: Node) -> bool:
        return False


async def main(url: str, seen: Path) -> None:
    """Work until it is killed."""
    hands = Seen(seen)

    async def of(facts: Mapping[str, Json]) -> Workers:
        return hands

    setup = Setup(limits={"default": Limit(at_once=8)}, dead_after=3.0)
    worker = ClusterWorker(await open_journal(shared(url, "PostgreSQL")), of, setup)
    await worker.open()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
