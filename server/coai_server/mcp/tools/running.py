"""Tools that run workflows: each run is kept in the journal, where the command line finds it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any

from anyio import CancelScope
from mcp.server.mcpserver import Context  # noqa: TC002 - the SDK reads the annotations
from pydantic import Field

from coai_agents.application.shared.background_runs import own_places
from coai_agents.workflows.definition.types import misfit, read_type
from coai_agents.workflows.errors import WorkflowError
from coai_agents.workflows.journal.records import StepEnd
from coai_agents.workflows.library import Library
from coai_agents.workflows.reports.report import report_of
from coai_agents.workflows.workers.workers import known_of
from coai_routing.settings.loading import load
from coai_server.mcp.answers import Run
from coai_server.mcp.tools.toolbox import ModelWish, Toolbox, tell, told
from coai_server.terminal import one_line

if TYPE_CHECKING:
    from coai_agents.application.roots import Roots
    from coai_agents.workflows.definition.schema import Plan
    from coai_agents.workflows.journal.records import Event, Story

RunName = Annotated[str, Field(description="The run, or how its name begins.")]
Wait = Annotated[
    bool,
    Field(
        description="Whether to wait until it has ended or a person is asked; false to begin it "
        "and ask `run_status` now and then."
    ),
]


class Running(Toolbox):
    """The workflows of the user, in the first root."""

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
        wait: Wait = True,
    ) -> Run:
        """Run a workflow of several agents to its end, or until a person is asked.

        Changes that it proposes are kept with the run, and not written.
        """
        root, directory = self.roots.folders[0], self.roots.directory
        plan = await asyncio.to_thread(plan_named, name, self.roots)
        value = _input(plan, input)
        progress = _Progress(ctx)
        try:
            run = await self.shared.runs.start(
                plan, value, root, directory=directory, models=model, tell=progress.tell
            )
            return await self._told(run, wait=wait)
        finally:
            await progress.aclose()

    @told
    async def run_status(self, run: RunName) -> Run:
        """Show what became of a run: its steps, their cost, what left the machine."""
        return await self._told((await self.story(run)).row.id, wait=False)

    @told
    async def run_answer(
        self,
        *,
        ctx: Context[Any, Any],
        run: RunName,
        answer: Annotated[str, Field(description="What the person says.")],
        step: Annotated[
            str, Field(description="Whose question it is; may be left out where there is one.")
        ] = "",
        wait: Wait = True,
    ) -> Run:
        """Give a person's answer to what a run asks, and go on with the run.

        Ask the person first: a gate is there because somebody has to decide.
        """
        story = await self.story(run)
        asked = [name for name, _ in report_of(story).questions]
        if not step and len(asked) != 1:
            known = ", ".join(asked) or "none"
            raise WorkflowError("It has to be said whose question that answers.", remedy=known)
        name = story.row.id
        await self.shared.runs.answer(name, step or asked[0], answer)
        progress = _Progress(ctx)
        try:
            await self.shared.runs.resume(name, tell=progress.tell)
            return await self._told(name, wait=wait)
        finally:
            await progress.aclose()

    @told
    async def run_cancel(self, run: RunName) -> Run:
        """Cancel a run for good, also one that another process carries out."""
        name = (await self.story(run)).row.id
        await self.shared.runs.stop(name, "cancel")
        return await self._told(name, wait=False)

    async def story(self, run: str) -> Story:
        """Return a run of the roots; raises `WorkflowError` for any other."""
        story = await (await self.shared.runs.journal()).story(run)
        if story.row.facts.get("workspace") not in [str(each) for each in self.roots.folders]:
            raise WorkflowError(f"There is no run {run} of these folders.")
        return story

    async def _told(self, run: str, *, wait: bool) -> Run:
        if wait:
            try:
                await self.shared.runs.ended(run)
            except asyncio.CancelledError:
                # A call that was cancelled leaves a run that can go on.
                with CancelScope(shield=True):
                    await self.shared.runs.pause(run)
                raise
        return run_of(await (await self.shared.runs.journal()).story(run))


class _Progress:
    """Tells a client of every step that has ended, in their order, while its call is under way."""

    def __init__(self, ctx: Context[Any, Any]) -> None:
        self._ctx = ctx
        self._ended: asyncio.Queue[str | None] = asyncio.Queue()
        self._telling = asyncio.create_task(self._tell_all())

    def tell(self, told: Event | StepEnd) -> None:
        """Take in what happened in a run."""
        if isinstance(told, StepEnd) and not self._telling.done():
            self._ended.put_nowait(f"{told.step}: {told.state}")

    async def aclose(self) -> None:
        """Tell what is left to be told."""
        self._ended.put_nowait(None)
        with CancelScope(shield=True):
            await self._telling

    async def _tell_all(self) -> None:
        count = 0
        while (words := await self._ended.get()) is not None:
            count += 1
            await tell(self._ctx, count, None, words)


def library_of(roots: Roots) -> Library:
    """Return the plans that count in the first root; reads files."""
    own, root = own_places(), roots.folders[0]
    settings = load(workspace_roots=[root], directory=roots.directory).settings
    trusted = settings.static.trusted_workspaces
    return Library(known_of(own), user=own.ensembles, workspace=root, trusted=trusted)


def plan_named(name: str, roots: Roots) -> Plan:
    """Return a plan; raises `WorkflowError` that names those that there are."""
    library = library_of(roots)
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


def run_of(story: Story) -> Run:
    """Return what became of a run."""
    report = report_of(story)
    known = report.as_json()
    questions = [f"{each['step']}: {each['question']}" for each in known["questions"]]
    notes = ["`run_answer` answers and goes on."] if questions else []
    if known["state"] == "paused":
        notes.append(f"`coai runs resume {known['run']}` goes on.")
    if known["edits"]:
        notes.append(f"`coai runs apply {known['run']}` shows and writes the proposed changes.")
    asked = [f"Asks {one_line(each)}\n" for each in questions]
    said = [f"Note: {each}\n" for each in notes]
    return Run(
        text="\n".join(filter(None, [report.as_markdown(), "".join([*asked, *said])])),
        notes=notes,
        run=known["run"],
        state=known["state"],
        result=known["result"],
        questions=questions,
    )
