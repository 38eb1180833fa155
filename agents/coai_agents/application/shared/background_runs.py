"""Runs of workflows that go on when the call that began them has ended.

They belong to their process. What it did not carry to an end is paused when it ends in order, and
an orphan when it does not; `take_up` goes on with orphans of any process.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from coai_agents.application.shared.carrying import (
    carrying,
    facts_of,
    open_runs,
    own_places,
    store_of,
)
from coai_agents.workflows.engine.engine import answered, stop_run
from coai_agents.workflows.errors import WorkflowError
from coai_agents.workflows.journal.journal import Journal
from coai_routing.settings.loading import load

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine
    from contextlib import AbstractAsyncContextManager

    from coai_agents.specialists.asking import Asker
    from coai_agents.workflows.cluster.following import Following
    from coai_agents.workflows.definition.schema import Plan
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.engine import Engine, Outcome, Wish
    from coai_agents.workflows.engine.running import Tell
    from coai_agents.workflows.journal.interface import RunJournal
    from coai_agents.workflows.journal.records import Story
    from coai_routing.cluster.databases import Shared
    from coai_routing.settings.schema import Settings

__all__ = ["Askers", "BackgroundRuns", "RunModels", "own_places"]

logger = logging.getLogger(__name__)

MOST_RESUMED: Final = 3
"""How often a run is taken up: what has brought down so many processes is left to its user."""

STOPPING_SECONDS: Final = 10.0
"""How long is waited for a run of this process that was cancelled."""


class Askers(Protocol):
    """Whom runs in a folder may ask, and by which settings."""

    async def settings(self, root: Path) -> Settings:
        """Return the settings that hold in a folder."""
        ...

    async def asker(self, root: Path, *, wanted: bool) -> Asker:
        """Return what asks models; none unless they are wanted."""
        ...


class RunModels(Protocol):
    """The models of who begins runs, by the directory where they are begun."""

    def of(self, directory: Path) -> AbstractAsyncContextManager[Askers]:
        """Give them for as long as a run uses them."""
        ...


def _nobody(_: object) -> None:
    pass


class BackgroundRuns:
    """Carries runs out as tasks of its own; it belongs to one event loop."""

    def __init__(self, models: RunModels, *, door: str = "") -> None:
        """Open nothing yet; runs keep by which `door` they came."""
        self._models = models
        self._door = {"door": door} if door else {}
        self._opening = asyncio.Lock()
        self._journal: RunJournal | None = None
        self._tasks: dict[str, asyncio.Task[Outcome]] = {}

    async def journal(self) -> RunJournal:
        """Return the journal of runs; raises `JournalError` where it cannot be opened."""
        async with self._opening:
            if self._journal is None:
                self._journal = await open_runs(await asyncio.to_thread(self._store))
        return self._journal

    def _store(self) -> Shared | None:
        return store_of(load().settings)

    @property
    def under_way(self) -> int:
        """How many runs are being carried out."""
        return len(self._tasks)

    async def start(
        self,
        plan: Plan,
        given: Json,
        workspace: Path,
        *,
        directory: Path | None = None,
        models: bool = True,
        tell: Tell = _nobody,
    ) -> str:
        """Begin a run and return its name; `ended` waits for it."""
        facts: dict[str, Any] = {"workspace": str(workspace), "models": models, **self._door}
        place = directory or workspace
        name: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def carried() -> Outcome:
            async with self._engine(workspace, place, models=models) as (engine, more):
                told = {**facts, **more}
                return await engine.start(plan, given, facts=told, tell=tell, begun=begun)

        def begun(run: str) -> None:
            self._tasks[run] = task
            name.set_result(run)

        task = self._carry(carried())
        await asyncio.wait({task, name}, return_when=asyncio.FIRST_COMPLETED)
        if not name.done():
            await task  # raises what kept it from beginning
        return name.result()

    async def resume(self, run: str, *, tell: Tell = _nobody) -> str:
        """Go on with a run and return its name; `ended` waits for it. Raises `WorkflowError`."""
        story = await (await self.journal()).story(run)
        name, facts = story.row.id, story.row.facts
        if name in self._tasks:
            return name
        workspace = Path(str(facts.get("workspace", "")))
        if not await asyncio.to_thread(workspace.is_dir):
            raise WorkflowError(f"{workspace}, which the run {name} is about, is not there.")

        async def carried() -> Outcome:
            models = bool(facts.get("models", True))
            async with self._engine(workspace, workspace, models=models) as (engine, _):
                return await engine.resume(name, tell=tell)

        self._tasks[name] = self._carry(carried())
        return name

    async def ended(self, run: str) -> None:
        """Wait until this process has nothing more to do for a run; raises what ended it.

        Who is cancelled meanwhile leaves the run alone.
        """
        if (task := self._tasks.get(run)) is not None:
            await asyncio.shield(task)

    async def pause(self, run: str) -> None:
        """Pause a run that this process carries out, and wait until that is in the journal."""
        if (task := self._tasks.get(run)) is not None:
            task.cancel()
            await asyncio.wait({task})

    async def answer(self, run: str, step: str, answer: Json) -> None:
        """Note a person's answer; `resume` goes on with it. Raises `WorkflowError`."""
        await answered(await self.journal(), run, step, answer)

    async def stop(self, run: str, wish: Wish) -> None:
        """Pause a run or cancel it for good, wherever it is carried out. Raises `WorkflowError`."""
        journal = await self.journal()
        story = await journal.story(run)
        await stop_run(journal, story.row.id, wish)
        if (task := self._tasks.get(story.row.id)) is not None:
            await asyncio.wait({task}, timeout=STOPPING_SECONDS)

    async def take_up(self) -> list[str]:
        """Go on with runs whose processes are gone; return their names."""
        taken: list[str] = []
        journal = await self.journal()
        if not isinstance(journal, Journal):
            return taken  # Those of a cluster are its workers'.
        for row in await journal.orphans():
            if row.id in self._tasks:
                continue
            try:
                story = await journal.story(row.id)
                if _resumed(story) >= MOST_RESUMED:
                    continue
                taken.append(await self.resume(row.id))
            except WorkflowError as error:
                logger.warning("The run %s is not taken up: %s", row.id, error)
        return taken

    async def aclose(self) -> None:
        """Pause what is under way, and close the journal."""
        for task in [*self._tasks.values()]:
            task.cancel()
        if self._tasks:
            await asyncio.wait([*self._tasks.values()])
        if self._journal is not None:
            await self._journal.aclose()
            self._journal = None

    def _carry(self, work: Coroutine[Any, Any, Outcome]) -> asyncio.Task[Outcome]:
        task = asyncio.create_task(work)

        def over(_: object) -> None:
            for name in [name for name, each in self._tasks.items() if each is task]:
                del self._tasks[name]
            if not task.cancelled() and (error := task.exception()) is not None:
                # It is in the journal as far as it came; whoever waits is told, too.
                logger.warning("A run ended early: %s", error)

        task.add_done_callback(over)
        return task

    @asynccontextmanager
    async def _engine(
        self, workspace: Path, directory: Path, *, models: bool
    ) -> AsyncGenerator[tuple[Engine | Following, dict[str, Any]]]:
        """Give what carries a run out, and what the run has to say of its user's settings."""
        journal = await self.journal()
        async with self._models.of(directory) as opened:
            settings = await opened.settings(workspace)
            # The models of a cluster's runs are those of its workers.
            wanted = models and isinstance(journal, Journal)
            asker = await opened.asker(workspace, wanted=wanted)
            async with carrying(journal, asker, workspace, settings) as engine:
                yield engine, facts_of(journal, settings)


def _resumed(story: Story) -> int:
    return sum(each.kind == "resumed" for each in story.events)
