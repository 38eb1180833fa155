"""Runs of one tenant: begun here, kept in the journal, carried out in this process."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from coai_agents.plugins.working import workers_of
from coai_agents.tools.workspace import rules_of
from coai_agents.workflows.definition.types import misfit, read_type
from coai_agents.workflows.engine.again import fork
from coai_agents.workflows.engine.engine import Engine, stop_run
from coai_agents.workflows.errors import RunNotFoundError, RunTakenError, WorkflowError
from coai_agents.workflows.journal.journal import Journal
from coai_agents.workflows.journal.pruning import prune_sometimes
from coai_agents.workflows.journal.records import ENDED
from coai_agents.workflows.library import Library
from coai_agents.workflows.workers.workers import Places, known_of
from coai_routing.background import Background
from coai_routing.policy.question import Priority
from coai_routing.settings.files import default_user_file
from coai_routing.settings.loading import load
from coai_server.http.problems import RefusedError
from coai_server.http.runs.feeds import Feeds

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Sequence

    from coai_agents.application.shared.shared_models import Models
    from coai_agents.workflows.definition.schema import Plan
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.engine import Outcome
    from coai_agents.workflows.journal.records import RunRow, RunState, Story
    from coai_server.http.runs.feeds import Happening

logger = logging.getLogger(__name__)

MOST_RUNS: Final = 32
"""Runs of one tenant under way at a time."""
STEPS_OF_A_RUN: Final = 8
"""At a time; the router has limits of its own for models."""
MOST_LISTED: Final = 1_000


def library_of(root: Path) -> Library:
    """Return the plans that count in a folder; reads files. Raises SettingsError."""
    own = Places(default_user_file().parent)
    trusted = load(workspace_roots=[root]).settings.static.trusted_workspaces
    return Library(known_of(own), user=own.ensembles, workspace=root, trusted=trusted)


def fitting(plan: Plan, given: Json) -> Json:
    """Return an input that a plan takes; raises `WorkflowError`."""
    if wrong := misfit(given, read_type(plan.input), "the input"):
        raise WorkflowError(f"{wrong}: {plan.name} takes {plan.input}.")
    return given


class Runs:
    """The runs of one tenant. Belongs to one event loop."""

    def __init__(self, path: Path, models: Models) -> None:
        """Open nothing yet."""
        self._path = path
        self._models = models
        self._journal: Journal | None = None
        self._engines: dict[str, Engine] = {}
        self._background = Background()
        self._closing = False
        self.feeds = Feeds(self.is_busy)

    @property
    def under_way(self) -> int:
        """How many runs are being carried out here."""
        return len(self._engines)

    def is_busy(self, run: str) -> bool:
        """Say whether a run is being carried out here, or about to be."""
        return run in self._engines

    async def journal(self) -> Journal:
        """Return the journal, opened on first use; raises `JournalError`."""
        if self._journal is None:
            self._journal = Journal(self._path)
            if self._journal.set_aside is not None:
                logger.warning("The journal was set aside: %s", self._journal.set_aside)
            await prune_sometimes(self._journal)
        return self._journal

    # ----------------------------------------------------------------------- reading

    async def rows(self, folders: Sequence[Path], most: int) -> list[RunRow]:
        """Return the newest runs of folders."""
        known = await (await self.journal()).runs(MOST_LISTED)
        return [row for row in known if _is_of(row, folders)][:most]

    async def story(self, run: str, folders: Sequence[Path]) -> Story:
        """Return all of a run of these folders; raises `RunNotFoundError`."""
        story = await (await self.journal()).story(run)
        if not _is_of(story.row, folders):
            raise _none(run)
        return story

    async def row(self, run: str, folders: Sequence[Path]) -> tuple[RunRow, int]:
        """Return a run of these folders, and the number of its last event."""
        row, found = await (await self.journal()).happened(run)
        if not _is_of(row, folders):
            raise _none(run)
        return row, found[-1][0].seq if found else 0

    async def watch(self, run: str, seq: int) -> AsyncGenerator[Happening | None]:
        """Yield what happens in a run that was looked up; see `Feeds.watch`."""
        async with aclosing(self.feeds.watch(await self.journal(), run, seq)) as happened:
            async for each in happened:
                yield each

    # ---------------------------------------------------------------------- carrying

    async def start(
        self,
        name: str,
        given: Json,
        root: Path,
        *,
        model: bool,
        of: str,
    ) -> str:
        """Begin a run of an ensemble and return its name; it goes on by itself.

        `of` says whose it is. Raises `PlanError` and `WorkflowError`.
        """
        plan = await asyncio.to_thread(lambda: library_of(root).plan(name))
        value = fitting(plan, given)
        engine = await self._engine(root, model=model)
        begun: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def took(run: str) -> None:
            self._engines[run] = engine
            begun.set_result(run)

        def tell(_: object) -> None:
            self.feeds.poke(begun.result())

        facts: dict[str, Any] = {"workspace": str(root), "models": model, "door": "http", "by": of}
        starting = engine.start(plan, value, facts=facts, tell=tell, begun=took)
        task = self._carry(starting, engine)
        await asyncio.wait({begun, task}, return_when=asyncio.FIRST_COMPLETED)
        if not begun.done():
            raise WorkflowError("The run could not be begun.", remedy="The log says why.")
        return begun.result()

    async def resume(self, run: str) -> None:
        """Go on with a run that was looked up; raises `RunTakenError` or `WorkflowError`."""
        journal = await self.journal()
        row, _ = await journal.happened(run)
        if row.id in self._engines:
            return
        if row.state in ENDED:
            raise WorkflowError(f"The run {row.id} has ended: {row.state}.")
        if row.state == "running" and row.id not in {each.id for each in await journal.orphans()}:
            raise RunTakenError(f"The run {row.id} is being carried out by another process.")
        engine = await self._engine(_folder(row), model=bool(row.facts.get("models", True)))
        self._go_on(row.id, engine)

    async def answer(self, run: str, step: str, answer: Json) -> None:
        """Answer a question of a run that was looked up, and go on with it."""
        journal = await self.journal()
        row, _ = await journal.happened(run)
        engine = await self._engine(_folder(row), model=bool(row.facts.get("models", True)))
        await engine.answer(row.id, step, answer)
        self._go_on(row.id, engine)

    async def stop(self, run: str, wish: Literal["pause", "cancel"]) -> RunState:
        """Pause or cancel a run that was looked up."""
        engine = self._engines.get(run)
        if engine is not None:
            state = await engine.stop(run, wish)
        else:
            state = await stop_run(await self.journal(), run, wish)
        self.feeds.poke(run)
        return state

    async def fork(self, run: str, node: str | None, given: Json) -> str:
        """Make a run that goes on from a node of another; it is paused."""
        return await fork(await self.journal(), run, node=node, given=given)

    def _go_on(self, run: str, engine: Engine) -> None:
        self._engines[run] = engine
        self._carry(engine.resume(run, tell=lambda _: self.feeds.poke(run)), engine)
        self.feeds.poke(run)

    async def _engine(self, root: Path, *, model: bool) -> Engine:
        if self.under_way >= MOST_RUNS:
            raise RefusedError(
                429,
                "too_many_runs",
                f"{MOST_RUNS} runs are under way.",
                remedy="Wait for one to end, or cancel one.",
                headers={"retry-after": "5"},
            )
        asker = await self._models.asker(root, wanted=model)
        behind = asker.wishing(priority=Priority.BACKGROUND)
        settings = (await asyncio.to_thread(load, workspace_roots=[root])).settings
        places = Places(default_user_file().parent)
        workers = workers_of(behind, places, root, rules=rules_of(settings))
        return Engine(await self.journal(), workers, at_once=STEPS_OF_A_RUN)

    def _carry(self, carrying: Coroutine[Any, Any, Outcome], engine: Engine) -> asyncio.Task[None]:
        async def carried() -> None:
            run = ""
            try:
                run = (await carrying).run
            except WorkflowError as error:
                logger.warning("A run stopped: %s", error)
            finally:
                for name in [name for name, each in self._engines.items() if each is engine]:
                    del self._engines[name]
                    self.feeds.poke(name)
                if not self._closing:
                    await engine.aclose()
                self.feeds.poke(run)

        return self._background.spawn(carried(), name="carry out a run")

    async def take_up_orphans(self, roots: Sequence[Path]) -> int:
        """Go on with this door's runs whose process was killed; return how many."""
        journal = await self.journal()
        count = 0
        for row in await journal.orphans():
            if row.facts.get("door") == "http" and _is_of(row, roots):
                try:
                    await self.resume(row.id)
                    count += 1
                except (WorkflowError, RefusedError) as error:
                    logger.warning("The run %s was not taken up: %s", row.id, error)
        return count

    async def aclose(self) -> None:
        """Pause what is under way, and close the journal."""
        self._closing = True
        await asyncio.gather(*(each.aclose() for each in {*self._engines.values()}))
        await self._background.aclose()
        await self.feeds.aclose()
        if self._journal is not None:
            await self._journal.aclose()


def _folder(row: RunRow) -> Path:
    return Path(str(row.facts.get("workspace", "")))


def _is_of(row: RunRow, folders: Sequence[Path]) -> bool:
    """Say whether a run looked at one of these folders, or at what is in them."""
    at = row.facts.get("workspace")
    return isinstance(at, str) and any(_folder(row).is_relative_to(each) for each in folders)


def _none(run: str) -> RunNotFoundError:
    # Whether others have one of that name is not told.
    return RunNotFoundError(f"There is no run {run}.", remedy="GET /v1/runs lists yours.")
