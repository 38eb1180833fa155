"""Tools that run workflows: each run is kept in the journal, where the command line finds it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from anyio import CancelScope
from mcp.server.mcpserver import Context  # noqa: TC002 - the SDK reads the annotations
from pydantic import Field

from coai_agents.workflows.definition.types import misfit, read_type
from coai_agents.workflows.engine.engine import Engine
from coai_agents.workflows.errors import WorkflowError
from coai_agents.workflows.journal.journal import Journal
from coai_agents.workflows.journal.records import StepEnd
from coai_agents.workflows.journal.tables import location
from coai_agents.workflows.library import Library
from coai_agents.workflows.reports.report import report_of
from coai_agents.workflows.workers.workers import LocalWorkers, Places, known_of
from coai_routing.policy.question import Priority
from coai_routing.settings.files import default_user_file
from coai_routing.settings.loading import load
from coai_server.mcp.answers import Run, told
from coai_server.mcp.tools.looking import ModelWish  # noqa: TC001 - the SDK reads the annotations

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from coai_agents.application.roots import Roots
    from coai_agents.application.shared_models import Models
    from coai_agents.workflows.definition.schema import Plan
    from coai_agents.workflows.journal.records import Event


@dataclass(frozen=True)
class Running:
    """The workflows of the user, in the first root."""

    roots: Roots
    models: Models

    @told
    async def run_workflow(
        self,
        *,
        ctx: Context[Any, Any],
        name: Annotated[str, Field(description="A workflow; a wrong name is told which exist.")],
        input: Annotated[  # noqa: A002 - as plans call it
            str, Field(description="What it is about; JSON where the workflow wants that.")
        ] = "",
        model: ModelWish = True,
    ) -> Run:
        """Run a workflow of several agents to its end, or until a person is asked.

        Changes that it proposes are kept with the run, and not written.
        """
        root = self.roots.folders[0]
        plan = await asyncio.to_thread(lambda: _plan(name, root))
        value = _input(plan, input)
        asker = await self.models.asker(root, wanted=model)
        workers = LocalWorkers(asker.wishing(priority=Priority.BACKGROUND), _places(), root)
        progress = _Progress(ctx)
        facts: dict[str, Any] = {"workspace": str(root), "models": model}
        async with _journal() as journal:
            engine = Engine(journal, workers)
            try:
                outcome = await engine.start(plan, value, facts=facts, tell=progress.tell)
            finally:
                # A call that was cancelled leaves a run that can go on.
                with CancelScope(shield=True):
                    await engine.aclose()
                    await progress.aclose()
            return await _told(journal, outcome.run)

    @told
    async def run_status(
        self,
        run: Annotated[str, Field(description="The run, or how its name begins.")],
    ) -> Run:
        """Show what became of a run: its steps, their cost, what left the machine."""
        async with _journal() as journal:
            story = await journal.story(run)
            if story.row.facts.get("workspace") not in [str(each) for each in self.roots.folders]:
                raise WorkflowError(f"There is no run {run} of these folders.")
            return await _told(journal, story.row.id)


class _Progress:
    """Tells a client of every step that has ended, in their order."""

    def __init__(self, ctx: Context[Any, Any]) -> None:
        self._ctx = ctx
        self._ended: asyncio.Queue[str | None] = asyncio.Queue()
        self._telling = asyncio.create_task(self._tell_all())

    def tell(self, told: Event | StepEnd) -> None:
        """Take in what happened in a run."""
        if isinstance(told, StepEnd):
            self._ended.put_nowait(f"{told.step}: {told.state}")

    async def aclose(self) -> None:
        """Tell what is left to be told."""
        self._ended.put_nowait(None)
        await self._telling

    async def _tell_all(self) -> None:
        count = 0
        while (words := await self._ended.get()) is not None:
            count += 1
            await self._ctx.report_progress(count, None, words)


def _places() -> Places:
    return Places(default_user_file().parent)


def _plan(name: str, root: Path) -> Plan:
    own = _places()
    trusted = load(workspace_roots=[root]).settings.static.trusted_workspaces
    library = Library(known_of(own), user=own.ensembles, workspace=root, trusted=trusted)
    if name not in library.entries():
        known = ", ".join(sorted(library.entries()))
        raise WorkflowError(f"There is no workflow {name}.", remedy=f"There are {known}.")
    return library.plan(name)


def _input(plan: Plan, given: str) -> Any:  # noqa: ANN401 - of the type that the plan takes
    wanted = read_type(plan.input)
    value: Any = given
    if wanted.kind not in ("text", "any"):
        try:
            value = json.loads(given)
        except ValueError as error:
            raise WorkflowError(f"The input of {plan.name} is JSON, of type {wanted}.") from error
    if wrong := misfit(value, wanted, "the input"):
        raise WorkflowError(f"{wrong}: {plan.name} takes {wanted}.")
    return value


@asynccontextmanager
async def _journal() -> AsyncGenerator[Journal]:
    journal = Journal(location())
    try:
        yield journal
    finally:
        await journal.aclose()


async def _told(journal: Journal, name: str) -> Run:
    report = report_of(await journal.story(name))
    known = report.as_json()
    questions = [f"{each['step']}: {each['question']}" for each in known["questions"]]
    notes = [f"`coai runs resume {known['run']}` answers and goes on."] if questions else []
    if known["edits"]:
        notes.append(f"`coai runs apply {known['run']}` shows and writes the proposed changes.")
    return Run(
        text=report.as_markdown(),
        notes=notes,
        run=known["run"],
        state=known["state"],
        result=known["result"],
        questions=questions,
    )
