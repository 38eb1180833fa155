"""Runs for programs: build a plan, carry it out, hear what happens, add agents and tools.

    async with open_runner(Path("."), journal=Path("runs.sqlite3")) as runner:
        outcome = await runner.run(runner.plan(TEXT), "src/shop.py")

Everything of `coai run` holds here too: each step is on the disk before it counts, and every word
of a model goes through the router.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from coai_agents.plugins.finding import GROUPS, Plugins
from coai_agents.plugins.working import extended, formatted, workers_of
from coai_agents.specialists.asking import Asker
from coai_agents.tools.workspace import rules_of
from coai_agents.workflows.definition.loading import checked, load_text, load_value
from coai_agents.workflows.definition.schema import Plan
from coai_agents.workflows.engine.engine import Engine, Outcome
from coai_agents.workflows.engine.hooks import Hook
from coai_agents.workflows.journal.journal import Journal
from coai_agents.workflows.journal.tables import location
from coai_agents.workflows.reports.report import Report, report_of
from coai_agents.workflows.workers.workers import Places, known_of
from coai_routing.settings.files import default_user_file
from coai_routing.settings.loading import load

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from pathlib import Path

    from coai_agents.plugins.finding import Group
    from coai_agents.plugins.interfaces import Plugin
    from coai_agents.workflows.definition.known import Known
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.journal.records import Event, StepEnd
    from coai_routing.settings.schema import Settings

__all__ = ["Extras", "Hook", "Outcome", "Plan", "Report", "Runner", "open_runner"]


@dataclass(frozen=True)
class Extras:
    """What a program adds to what is installed; see `coai_agents.plugins.interfaces`."""

    agents: Mapping[str, Plugin] = field(default_factory=dict[str, Any])
    tools: Mapping[str, Plugin] = field(default_factory=dict[str, Any])
    providers: Mapping[str, Plugin] = field(default_factory=dict[str, Any])
    formatters: Mapping[str, Plugin] = field(default_factory=dict[str, Any])
    hooks: Sequence[Hook] = ()

    def by_group(self) -> dict[Group, Mapping[str, Plugin]]:
        """Return them as plug-ins of packages are grouped."""
        kinds = (self.agents, self.tools, self.providers, self.formatters)
        return dict(zip(GROUPS, kinds, strict=True))


@dataclass(frozen=True)
class Runner:
    """Carries plans out; `open_runner` gives one."""

    engine: Engine
    known: Known
    plugins: Plugins
    facts: Mapping[str, Json]

    def plan(self, source: str | Mapping[str, Json] | Plan) -> Plan:
        """Return a plan from YAML, JSON, or values; raises `PlanError` with all that is wrong."""
        if isinstance(source, Plan):
            return checked(source, self.known)
        if isinstance(source, str):
            return load_text(source, self.known, "plan")
        return load_value(dict(source), self.known)

    async def run(self, plan: Plan, given: Json = "") -> Outcome:
        """Carry a plan out as far as it goes."""
        return await self.engine.start(plan, given, facts=self.facts)

    async def stream(
        self, plan: Plan, given: Json = ""
    ) -> AsyncGenerator[Event | StepEnd | Outcome]:
        """Carry a plan out and yield what happens as it happens; the outcome comes last.

        Whoever leaves early, by `contextlib.aclosing`, pauses the run.
        """
        happened: asyncio.Queue[Event | StepEnd | None] = asyncio.Queue()
        task = asyncio.ensure_future(
            self.engine.start(plan, given, facts=self.facts, tell=happened.put_nowait)
        )
        task.add_done_callback(lambda _: happened.put_nowait(None))
        try:
            while (told := await happened.get()) is not None:
                yield told
            yield await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def answer(self, run: str, step: str, answer: Json) -> Outcome:
        """Answer what a run asked a person, and go on with it."""
        await self.engine.answer(run, step, answer)
        return await self.engine.resume(run)

    async def resume(self, run: str) -> Outcome:
        """Go on with a run, also one of a process that is gone."""
        return await self.engine.resume(run)

    async def report(self, run: str, formatter: str | None = None) -> Report | str:
        """Return the report of a run, or its text by a formatter."""
        report = report_of(await self.engine.journal.story(run))
        return report if formatter is None else formatted(report, self.plugins, formatter)


@asynccontextmanager
async def open_runner(
    workspace: Path,
    *,
    extras: Extras | None = None,
    models: bool = True,
    alias: str | None = None,
    settings: Settings | None = None,
    own: Path | None = None,
    journal: Path | None = None,
) -> AsyncGenerator[Runner]:
    """Give a runner whose steps look at a workspace.

    Without `models` nothing is started or asked. `settings` are the user's unless given; `own` is
    the folder of the user's plans, profiles and scripts, `journal` the file that runs are kept in.
    Raises `JournalError`, `SettingsError` and `PluginError`.
    """
    added = extras or Extras()
    root = await asyncio.to_thread(workspace.resolve)
    plugins = Plugins(root, added.by_group())
    places = Places(own or default_user_file().parent)
    known = extended(known_of(places), plugins)
    async with AsyncExitStack() as stack:
        asker = Asker()
        whole = settings or (await asyncio.to_thread(lambda: load(workspace_roots=[root]))).settings
        if models:
            asker = await stack.enter_async_context(_asker(whole, plugins))
        asker = asker.wishing(alias=alias)
        runs = Journal(journal or location())
        stack.push_async_callback(runs.aclose)
        workers = workers_of(asker, places, root, rules=rules_of(whole), plugins=plugins)
        engine = Engine(runs, workers, hooks=added.hooks)
        stack.push_async_callback(engine.aclose)
        facts: dict[str, Json] = {"workspace": str(root), "models": models, "alias": alias}
        yield Runner(engine, known, plugins, facts)


@asynccontextmanager
async def _asker(settings: Settings, plugins: Plugins) -> AsyncGenerator[Asker]:
    """Give what asks models: with plug-ins that speak to servers, of those and the settings'."""
    from coai_agents.application.models import (  # noqa: PLC0415 - only with models
        loaded_models,
        servers_of,
    )

    async with loaded_models(settings, servers_of(plugins, settings)) as (loaded, absent):
        yield Asker(await loaded.routing.router(), why_none=absent)
