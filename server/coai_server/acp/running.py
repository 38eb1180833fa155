"""The agent that runs workflows: steps as a plan, gates as permissions, changes as diffs.

Runs are kept in the journal, where `coai runs` finds them too.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from coai_agents.application.shared.carrying import workers_here
from coai_agents.workflows.definition.types import misfit, read_type
from coai_agents.workflows.engine.engine import Engine
from coai_agents.workflows.errors import WorkflowError
from coai_agents.workflows.journal.journal import Journal
from coai_agents.workflows.journal.records import StepEnd
from coai_agents.workflows.journal.tables import location
from coai_agents.workflows.library import Library
from coai_agents.workflows.reports.report import report_of
from coai_agents.workflows.workers.proposals import digest
from coai_agents.workflows.workers.workers import Places, known_of
from coai_routing.policy.question import Priority
from coai_routing.settings.files import default_user_file
from coai_routing.settings.loading import load
from coai_server.acp.files import FileError, Proposed
from coai_server.acp.turn import Plan, told

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from acp.schema import PermissionOptionKind

    from coai_agents.specialists.answers import Report
    from coai_agents.workflows.definition.schema import Plan as Workflow
    from coai_agents.workflows.engine.engine import Outcome
    from coai_agents.workflows.journal.records import Event
    from coai_server.acp.turn import Turn

MOST_GATES: Final = 20
"""Questions of one run that are asked here; a run that has more is gone on with by `coai runs`."""


async def run(turn: Turn) -> Report:
    """Run a workflow to its end, or to a question that nobody answers here."""
    name, _, given = turn.asked.words.partition(" ")
    plan = await asyncio.to_thread(_workflow, name.strip(), turn)
    value = _input(plan, given.strip())
    facts: dict[str, Any] = {
        "workspace": str(turn.files.folder),
        "models": turn.asker.absent is None,
    }
    asker = turn.asker.wishing(priority=Priority.BACKGROUND)
    async with _journal() as journal, _steps(turn) as steps:
        engine = Engine(journal, await workers_here(asker, turn.files.folder))
        try:
            outcome = await engine.start(plan, value, facts=facts, tell=steps.tell)
            outcome = await _through_gates(turn, journal, engine, outcome, steps)
        finally:
            # A turn that was cancelled leaves a run that can go on.
            await asyncio.shield(engine.aclose())
        report = report_of(await journal.story(outcome.run))
    await turn.editor.say(report.as_markdown())
    became = [await _proposed(turn, each) for each in report.edits]
    notes = [f"The run is {outcome.run}, and {outcome.state}."]
    if report.questions:
        notes.append(f"`coai runs resume {outcome.run}` answers and goes on.")
    return told(*became, notes=notes)


async def _through_gates(
    turn: Turn, journal: Journal, engine: Engine, outcome: Outcome, steps: _Steps
) -> Outcome:
    """Have a person answer what a run asks, as long as there are answers to choose from."""
    for _ in range(MOST_GATES):
        if outcome.state != "waiting":
            break
        questions = report_of(await journal.story(outcome.run)).questions
        if not [
            step
            for step, body in questions
            if await _answered(turn, engine, outcome.run, step, body)
        ]:
            break
        outcome = await engine.resume(outcome.run, tell=steps.tell)
    return outcome


async def _answered(
    turn: Turn, engine: Engine, name: str, step: str, body: Mapping[str, Any]
) -> bool:
    choices = [str(each) for each in body["choices"]]
    question = str(body["question"])
    async with turn.editor.tool(f"{step}: {question}", "other") as tool:
        if not choices:
            await turn.editor.say(f"`coai runs resume {name}` takes the answer in words.\n\n")
            await tool.end("failed", "Its answer is no choice.")
            return False
        numbered: list[tuple[str, str, PermissionOptionKind]] = [
            (str(number), words, "reject_once" if _denies(words) else "allow_once")
            for number, words in enumerate(choices)
        ]
        chosen = await tool.choose(question, numbered)
        if not chosen:
            await tool.end("failed", "Nobody answered; the run waits.")
            return False
    await engine.answer(name, step, choices[int(chosen)])
    return True


def _denies(words: str) -> bool:
    return words.casefold() in {"no", "reject", "deny", "stop", "cancel", "abort", "discard"}


async def _proposed(turn: Turn, edit: Mapping[str, Any]) -> str:
    """Ask about a change that a run proposes, and write it if the file is still that one."""
    path = turn.files.place(str(edit["path"]))
    before = None
    if edit["before"] is not None:
        try:
            before = (await turn.files.source(path)).text
        except FileError as error:
            return str(error)
        if digest(before.encode()) != edit["before"]:
            return f"{edit['path']} is not what the run changed, and was not written."
    return await turn.propose(Proposed(path, before, str(edit["after"])), f"Change {edit['path']}")


class _Steps:
    """Tells a client of every step that begins or ends, in their order."""

    def __init__(self, turn: Turn) -> None:
        self._plan = Plan(turn.editor, ())
        self._told: asyncio.Queue[tuple[str, bool] | None] = asyncio.Queue()

    def tell(self, told: Event | StepEnd) -> None:
        if told.step:
            self._told.put_nowait((told.step, isinstance(told, StepEnd)))

    async def carry(self) -> None:
        while (told := await self._told.get()) is not None:
            step, ended = told
            await self._plan.mark(step, "completed" if ended else "in_progress")

    def end(self) -> None:
        self._told.put_nowait(None)


@asynccontextmanager
async def _steps(turn: Turn) -> AsyncGenerator[_Steps]:
    steps = _Steps(turn)
    async with asyncio.TaskGroup() as group:
        group.create_task(steps.carry())
        try:
            yield steps
        finally:
            steps.end()


def _places() -> Places:
    return Places(default_user_file().parent)


def _workflow(name: str, turn: Turn) -> Workflow:
    own = _places()
    folder = turn.files.folder
    trusted = load(workspace_roots=[folder]).settings.static.trusted_workspaces
    library = Library(known_of(own), user=own.ensembles, workspace=folder, trusted=trusted)
    if name not in library.entries():
        known = ", ".join(sorted(library.entries()))
        raise WorkflowError(
            f"There is no workflow {name or 'without a name'}.", remedy=f"There are {known}."
        )
    return library.plan(name)


def _input(plan: Workflow, given: str) -> Any:  # noqa: ANN401 - of the type that the plan takes
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
