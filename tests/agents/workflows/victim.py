"""A process that carries runs out and is killed: `python -m tests.agents.workflows.victim ...`.

With a folder it does so itself. Without, it forks a victim for every line that it reads, so that a
test that kills hundreds does not wait for hundreds of interpreters.

A victim writes the name of every step that it was asked to a file before it does it, with the
attempt and the run: the file is what the outside world saw.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from coai_agents.workflows.engine.engine import Engine
from coai_agents.workflows.engine.work import Done
from coai_agents.workflows.errors import RunTakenError, WorkflowError
from coai_agents.workflows.journal import journal as journal_module
from coai_agents.workflows.journal import writing
from coai_agents.workflows.journal.journal import Journal
from tests.agents.workflows.support import plan_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_agents.workflows.definition.schema import Node
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.work import Task

PLAN = """
    - {kind: agent, name: list, prompt: p, output: [text]}
    - {kind: agent, name: each, prompt: p, fan_out: list, given: {item: item}}
    - {kind: loop, name: loop, max_iterations: 1, result: draft, depends_on: [list], nodes: [
        {kind: agent, name: draft, prompt: p, output: {score: number}, given: {i: iteration}}]}
    - {kind: gate, name: gate, check: judge.score > 1, otherwise: {revise: judge}}
    - {kind: agent, name: judge, prompt: p, output: {score: number}, depends_on: [loop]}
    - {kind: agent, name: end, prompt: p, depends_on: [each, gate]}
"""
STEPS = 7
"""Steps that are asked in a run: list, two items, a draft, two judgements, the end."""


class Seen:
    """Does steps and lets the world see it."""

    def __init__(self, path: Path) -> None:
        self._seen = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def do(self, task: Task) -> Done:
        await asyncio.sleep(0)
        os.write(self._seen, f"{task.run} {task.step} {task.attempt} {os.getpid()}\n".encode())
        name = task.node.name
        if name == "list":
            return Done(["x" * 100, "y" * 70_000])
        if name in ("draft", "judge"):
            return Done({"score": 2 if "~2" in task.step else 1})
        return Done(task.step)

    def has_effects(self, node: Node) -> bool:
        return node.name == "end"


def die_at(point: int) -> None:
    """Have this process end, as by `kill -9`, at a write point: each one has a number, from 1.

    They are before whatever is written, before a commit, after it, and before anybody hears of it.
    """
    passed = 0

    def at_point() -> None:
        nonlocal passed
        passed += 1
        if passed == point:
            os.kill(os.getpid(), signal.SIGKILL)

    for owner, name in (
        (journal_module, "_event"),
        (journal_module, "_step"),
        (writing.Writer, "_batch"),
        (writing.Writer, "_committed"),
        (writing, "_tell"),
    ):
        _around(owner, name, at_point)


def _around(owner: Json, name: str, at_point: Callable[[], None]) -> None:
    inner = getattr(owner, name)

    def outer(*arguments: Json) -> Json:
        at_point()
        return inner(*arguments)

    setattr(owner, name, outer)


async def main(folder: Path, wanted: int) -> None:
    """Go on with all runs that nobody has, and begin those that are not there yet."""
    journal = Journal(folder / "runs.sqlite3")
    engine = Engine(journal, Seen(folder / "seen"))

    async def go_on(run: str) -> None:
        try:
            await engine.resume(run)
        except (RunTakenError, WorkflowError):
            return

    for _ in range(100):
        rows = await journal.runs()
        ended = sum(row.state in ("done", "failed") for row in rows)
        if ended >= wanted:
            break
        orphans = await journal.orphans()
        if not rows:
            await engine.start(plan_of(PLAN), "go")
        elif orphans:
            await asyncio.gather(*(go_on(row.id) for row in orphans))
        else:
            await asyncio.sleep(0.05)
    await engine.aclose()
    await journal.aclose()


def fork_for_each_line() -> None:
    """Read `FOLDER POINT` lines; answer each with how the victim ended, as `os.wait` says it."""
    for line in sys.stdin:
        folder, point = line.rsplit(" ", 1)
        child = os.fork()
        if child == 0:
            die_at(int(point))
            asyncio.run(main(Path(folder), 1))
            os._exit(0)
        sys.stdout.write(f"{os.waitpid(child, 0)[1]}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    if len(sys.argv) == 1:
        fork_for_each_line()
    else:
        asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
