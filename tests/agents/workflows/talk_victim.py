"""A process that holds a conversation and is killed: forks one for each `FOLDER POINT` it reads."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from coai_agents.workflows.engine.engine import Engine
from coai_agents.workflows.engine.work import Done
from coai_agents.workflows.journal.journal import Journal
from tests.agents.workflows.support import plan_of
from tests.agents.workflows.victim import die_at

if TYPE_CHECKING:
    from coai_agents.workflows.definition.schema import Node
    from coai_agents.workflows.engine.work import Task

TALK = """
    - kind: conversation
      name: talk
      turns: moderator
      max_turns: 3
      history: {messages: 1, characters: 400}
      members: [{name: a, prompt: A}, {name: b, prompt: B}, {name: c, prompt: C}]
      conclusion: {prompt: End.}
"""


class Speaking:
    """Says the step's name, and lets the world see it first."""

    def __init__(self, path: Path) -> None:
        self._seen = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def do(self, task: Task) -> Done:
        await asyncio.sleep(0)
        os.write(self._seen, f"{task.step} {task.attempt}\n".encode())
        if task.node.name == "moderator":
            turn = int(task.step.partition("#")[2].partition("/")[0])
            return Done({"next": "abc"[turn - 1], "why": ""})
        return Done(task.step)

    def has_effects(self, node: Node) -> bool:
        return False


async def main(folder: Path) -> None:
    """Begin the conversation, or go on with it."""
    journal = Journal(folder / "runs.sqlite3")
    engine = Engine(journal, Speaking(folder / "seen"))
    rows = await journal.runs()
    if not rows:
        await engine.start(plan_of(TALK), "topic")
    else:
        for row in await journal.orphans():
            await engine.resume(row.id)
    await engine.aclose()
    await journal.aclose()


if __name__ == "__main__":
    for line in sys.stdin:
        where, point = line.rsplit(" ", 1)
        child = os.fork()
        if child == 0:
            die_at(int(point))
            asyncio.run(main(Path(where)))
            os._exit(0)
        sys.stdout.write(f"{os.waitpid(child, 0)[1]}\n")
        sys.stdout.flush()
