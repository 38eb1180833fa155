"""What the tests of workflows share: plans in a line, workers that need no model."""

from __future__ import annotations

import asyncio
import textwrap
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from coai_agents.workflows.definition.known import Known
from coai_agents.workflows.definition.loading import load_text
from coai_agents.workflows.engine.engine import Engine
from coai_agents.workflows.engine.work import Done
from coai_agents.workflows.journal.journal import Journal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from coai_agents.workflows.definition.schema import Node, Plan
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.work import Task


def plan_of(nodes: str, known: Known | None = None, **keys: Json) -> Plan:
    """Return a plan from its nodes in YAML."""
    head = "".join(f"{key}: {value}\n" for key, value in keys.items())
    body = textwrap.indent(textwrap.dedent(nodes).strip(), "  ")
    return load_text(f"name: test\n{head}nodes:\n{body}\n", known or Known(), "plan.yaml")


def _step_of(task: Task) -> Json:
    return task.step


class Scripted:
    """Does steps as a test says; counts what it was asked."""

    def __init__(self, do: Callable[[Task], Json] | None = None) -> None:
        self.asked: list[Task] = []
        self.effects = False
        self.most_at_once = 0
        self._now = 0
        self._do: Callable[[Task], Json] = do or _step_of

    @property
    def steps(self) -> list[str]:
        """The steps that were asked, in their order."""
        return [task.step for task in self.asked]

    def counted(self) -> Counter[str]:
        """Return how often each step was asked."""
        return Counter(self.steps)

    async def do(self, task: Task) -> Done:
        """Do a step."""
        self.asked.append(task)
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            await asyncio.sleep(0)
            given: Json = self._do(task)
            if asyncio.iscoroutine(given):
                given = await given
        finally:
            self._now -= 1
        return given if isinstance(given, Done) else Done(given)

    def has_effects(self, node: Node) -> bool:
        """Say what the test says."""
        return self.effects


@asynccontextmanager
async def engine_at(
    folder: Path, workers: Scripted | None = None, **options: Json
) -> AsyncGenerator[Engine]:
    """Run an engine on a journal in a folder."""
    journal = Journal(folder / "runs.sqlite3")
    engine = Engine(journal, workers or Scripted(), **options)
    try:
        yield engine
    finally:
        await engine.aclose()
        await journal.aclose()
