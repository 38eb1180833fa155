"""Runs of workflows as an editor shows them: those of its folders, begun and gone on with here.

What goes on in a run is read from the journal, whichever process carries it out. Nothing of it is
imported before an editor asks.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from coai_agents.application.shared.background_runs import BackgroundRuns
from coai_agents.plugins.finding import Plugins
from coai_agents.plugins.working import extended
from coai_agents.specialists.asking import Asker, Wishes
from coai_agents.workflows.definition.types import misfit, read_type
from coai_agents.workflows.errors import RunNotFoundError, WorkflowError
from coai_agents.workflows.journal.records import ENDED
from coai_agents.workflows.library import Library
from coai_agents.workflows.reports.report import Report, report_of
from coai_agents.workflows.reports.steps import steps_of
from coai_agents.workflows.workers.proposals import checked
from coai_agents.workflows.workers.trying import tried
from coai_agents.workflows.workers.workers import Places, known_of
from coai_routing.background import Background
from coai_routing.errors import CoaiError
from coai_routing.settings.files import default_user_file

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.engine import Wish
    from coai_agents.workflows.journal.records import RunRow
    from coai_agents.workflows.workers.proposals import Change
    from coai_agents.workflows.workers.trying import Trial
    from coai_routing.settings.schema import Settings
    from coai_routing.wiring.local import LocalModels

logger = logging.getLogger(__name__)

MOST_LISTED: Final = 100
"""Runs that an editor is told of, the newest ones."""
MOST_LOOKED_AT: Final = 1_000
LOOK_SECONDS: Final = 0.5
"""How soon is seen what another process does in a run; our own runs say it at once."""
ANSWER_SECONDS: Final = 120.0
"""How long one question to a model may take."""
INTERRUPTED: Final = "interrupted"
"""The state of a run that was under way in a process that is gone."""


class DaemonModels:
    """The daemon's own models and settings, for whatever folder."""

    def __init__(self, models: LocalModels, settings: Callable[[], Settings]) -> None:
        self._models = models
        self._settings = settings

    @asynccontextmanager
    async def of(self, directory: Path) -> AsyncGenerator[DaemonModels]:
        """Give themselves: they live as long as the daemon."""
        del directory
        yield self

    async def settings(self, root: Path) -> Settings:
        """Return the editor's settings, as its folders narrow them."""
        del root
        return self._settings()

    async def asker(self, root: Path, *, wanted: bool) -> Asker:
        """Return what asks the daemon's models; none unless they are wanted."""
        del root
        if not wanted:
            return Asker()
        try:
            router = await self._models.routing.router()
        except CoaiError as error:
            return Asker(why_none=str(error))
        stays = not self._settings().routing.allow_cloud
        return Asker(router, wishes=Wishes(seconds=ANSWER_SECONDS, here=stays))


class EditorRuns:
    """The runs of an editor's folders. It belongs to one event loop."""

    def __init__(
        self,
        models: LocalModels,
        settings: Callable[[], Settings],
        folders: Callable[[], Sequence[Path]],
    ) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._folders = folders
        self._runs = BackgroundRuns(DaemonModels(models, settings), door="editor")
        self._background = Background()
        self._watching: asyncio.Task[None] | None = None
        self._poked = asyncio.Event()

    # ------------------------------------------------------------------------ reading

    async def rows(self) -> list[dict[str, Any]]:
        """Return the newest runs of the folders, the last one first."""
        gone = await self._gone()
        return [_row(each, gone) for each, _ in await self._newest()]

    async def told(self, run: str) -> dict[str, Any]:
        """Return what a run is and does now. Raises `RunNotFoundError` for any but the folders'."""
        report, gone = await self.report(run), await self._gone()
        row, usage = report.story.row, report.replay.usage
        alive = row.state == "running" and row.id not in gone
        return {
            **_row(row, gone),
            "error": report.error or report.unasked,
            "usage": {"calls": usage.calls, "tokens": usage.tokens, "usd": round(usage.usd, 6)},
            "steps": [each.as_json() for each in steps_of(report, alive=alive)],
            "questions": [
                {"step": step, "question": body["question"], "choices": body["choices"]}
                for step, body in (() if row.state in ENDED else report.questions)
            ],
            "edits": [
                {"path": str(each["path"]), "isNew": each["before"] is None}
                for each in report.edits
            ],
            "left": report.left(),
        }

    async def report(self, run: str) -> Report:
        """Return the report of a run; raises `RunNotFoundError` for any but the folders'."""
        story = await (await self._runs.journal()).story(run)
        if not self._is_ours(story.row):
            raise RunNotFoundError(f"There is no run {run} of these folders.")
        return report_of(story)

    async def _newest(self) -> list[tuple[RunRow, int]]:
        known = await (await self._runs.journal()).newest(MOST_LOOKED_AT)
        return [each for each in known if self._is_ours(each[0])][:MOST_LISTED]

    async def _gone(self) -> frozenset[str]:
        orphans = await (await self._runs.journal()).orphans()
        # What nobody has taken yet waits for a worker of the cluster.
        return frozenset(each.id for each in orphans if each.owner is not None)

    def _is_ours(self, row: RunRow) -> bool:
        at = row.facts.get("workspace")
        if not isinstance(at, str) or not at:
            return False
        real = os.path.realpath(at)
        roots = [os.path.realpath(each) for each in self._folders()]
        return any(real == root or real.startswith(root + os.sep) for root in roots)

    # ----------------------------------------------------------------------- carrying

    async def ensembles(self, root: Path) -> list[dict[str, Any]]:
        """Return the ensembles that count in a folder; one that does not load says why."""

        def read() -> list[dict[str, Any]]:
            library, found = self._library(root), list[dict[str, Any]]()
            for name, entry in library.entries().items():
                try:
                    plan = library.plan(name)
                except WorkflowError as error:
                    problem = error.message.splitlines()[0]
                    found.append({"name": name, "origin": entry.origin, "problem": problem})
                    continue
                about = {"about": plan.description, "input": str(read_type(plan.input))}
                found.append({"name": name, "origin": entry.origin, **about})
            return found

        return await asyncio.to_thread(read)

    async def start(self, name: str, given: Json, root: Path) -> str:
        """Begin a run of an ensemble, which goes on by itself; returns its name.

        Raises `PlanError` and `WorkflowError`.
        """
        plan = await asyncio.to_thread(lambda: self._library(root).plan(name))
        if wrong := misfit(given, read_type(plan.input), "the input"):
            raise WorkflowError(f"{wrong}: {plan.name} takes {plan.input}.")
        return await self._runs.start(plan, given, root, tell=self._tell)

    async def resume(self, run: str) -> str:
        """Go on with a run; returns its name. Raises `WorkflowError` for one that cannot."""
        row = (await self.report(run)).story.row
        gone = await self._gone()
        if row.state == "running" and row.id not in gone:
            raise WorkflowError(f"The run {row.id} is under way.")
        if row.state not in ("running", "paused", "waiting"):
            raise WorkflowError(
                f"The run {row.id} has ended: {row.state}.",
                remedy=f"`coai runs resume {row.id} --from NODE` does a part of it again.",
            )
        return await self._runs.resume(row.id, tell=self._tell)

    async def answer(self, run: str, step: str, answer: Json) -> str:
        """Answer a question of a run, and go on with it. Raises `WorkflowError`."""
        row = (await self.report(run)).story.row
        await self._runs.answer(row.id, step, answer)
        return await self._runs.resume(row.id, tell=self._tell)

    async def stop(self, run: str, wish: Wish) -> str:
        """Pause a run or cancel it for good, also one that another process carries out."""
        name = (await self.report(run)).story.row.id
        await self._runs.stop(name, wish)
        self._poked.set()
        return name

    def _library(self, root: Path) -> Library:
        own = Places(default_user_file().parent)
        known = extended(known_of(own), Plugins(root))
        trusted = self._settings().static.trusted_workspaces
        return Library(known, user=own.ensembles, workspace=root, trusted=trusted)

    def _tell(self, _: object) -> None:
        self._poked.set()

    # ------------------------------------------------------------------------ changes

    async def changes(self, report: Report) -> list[Change]:
        """Return what a run proposes, if all of it can be made now; raises `WorkflowError`."""
        workspace = Path(str(report.story.row.facts["workspace"]))
        return await asyncio.to_thread(checked, report.edits, workspace)

    async def tried(self, changes: Sequence[Change], workspace: Path, command: str) -> Trial:
        """Try changes by the user's tests, and take them back; raises `WorkflowError`."""
        return await tried(changes, workspace, command, keep=False)

    # ----------------------------------------------------------------------- watching

    async def watch(self, changed: Callable[[list[str]], None]) -> None:
        """Tell from now on which runs have changed, in this process or another; once at a time."""
        await self.unwatch()
        seen = await self._seen()
        self._watching = self._background.spawn(self._look(seen, changed), name="watch runs")

    async def unwatch(self) -> None:
        """Tell nothing more."""
        task, self._watching = self._watching, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _look(self, seen: dict[str, object], changed: Callable[[list[str]], None]) -> None:
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._poked.wait()
                    # A step that ends is often followed at once by others that begin.
                    await asyncio.sleep(LOOK_SECONDS / 10)
            except TimeoutError:
                pass
            self._poked.clear()
            try:
                now = await self._seen()
            except CoaiError as error:
                logger.debug("The runs cannot be read now: %s", error)
                continue
            names = [name for name in {**seen, **now} if seen.get(name) != now.get(name)]
            seen = now
            if names:
                changed(names)

    async def _seen(self) -> dict[str, object]:
        """Return what tells of each run whether anything happened in it."""
        gone = await self._gone()
        return {
            row.id: (row.state, row.changed, row.id in gone, last)
            for row, last in await self._newest()
        }

    async def aclose(self) -> None:
        """Pause what is under way here, and close the journal."""
        await self.unwatch()
        await self._runs.aclose()
        await self._background.aclose()


def _row(row: RunRow, gone: frozenset[str]) -> dict[str, Any]:
    return {
        "run": row.id,
        "name": row.name,
        "state": INTERRUPTED if row.id in gone else row.state,
        "created": row.created,
        "changed": row.changed,
        "parent": row.parent,
        "folder": row.facts.get("workspace", ""),
    }
