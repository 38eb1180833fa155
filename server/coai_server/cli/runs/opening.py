"""What the commands of workflows open: the library of plans, the journal, the engine."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from coai_agents.workflows.engine.engine import Engine
    from coai_agents.workflows.journal.journal import Journal
    from coai_agents.workflows.library import Library
    from coai_agents.workflows.workers.workers import Places


def places() -> Places:
    """Return where the user's plans, profiles and scripts are."""
    from coai_agents.workflows.workers.workers import Places  # noqa: PLC0415 (not for `--help`)
    from coai_routing.settings.files import default_user_file  # noqa: PLC0415 (as above)

    return Places(default_user_file().parent)


def library() -> Library:
    """Return the plans that count in this folder; raises SettingsError for wrong profiles."""
    from coai_agents.workflows.library import Library  # noqa: PLC0415 (as above)
    from coai_agents.workflows.workers.workers import known_of  # noqa: PLC0415 (as above)
    from coai_server.cli.settings import load_settings  # noqa: PLC0415 (as above)

    here, own = Path.cwd(), places()
    trusted = load_settings(here).settings.static.trusted_workspaces
    return Library(known_of(own), user=own.ensembles, workspace=here, trusted=trusted)


@asynccontextmanager
async def opened() -> AsyncGenerator[Journal]:
    """Give the journal; raises `JournalError`."""
    from coai_agents.workflows.journal.journal import Journal  # noqa: PLC0415 (as above)
    from coai_agents.workflows.journal.tables import location  # noqa: PLC0415 (as above)
    from coai_server.cli.console import notices  # noqa: PLC0415 (as above)

    journal = Journal(location())
    if journal.set_aside is not None:
        notices().print(f"The journal could not be read and was set aside: {journal.set_aside}")
    try:
        yield journal
    finally:
        await journal.aclose()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user wants of models, and the user's own command for tests."""

    models: bool = True
    alias: str | None = None
    test: str | None = None


@asynccontextmanager
async def engine_for(journal: Journal, workspace: Path, wanted: Wanted) -> AsyncGenerator[Engine]:
    """Give an engine whose steps look at a workspace and ask models by its settings."""
    from coai_agents.workflows.engine.engine import Engine  # noqa: PLC0415 (as above)
    from coai_agents.workflows.workers.workers import LocalWorkers  # noqa: PLC0415 (as above)
    from coai_routing.policy.question import Priority  # noqa: PLC0415 (as above)
    from coai_routing.wiring.configured_routing import web_pages  # noqa: PLC0415 (as above)
    from coai_server.cli.agents.models import asker  # noqa: PLC0415 (as above)
    from coai_server.cli.settings import load_settings  # noqa: PLC0415 (as above)

    async with asker(workspace, agent="run", wanted=wanted.models, alias=wanted.alias) as asked:
        # Whoever types or asks by hand goes first.
        behind = asked.wishing(priority=Priority.BACKGROUND)
        web = web_pages(load_settings(workspace).settings)
        engine = Engine(journal, LocalWorkers(behind, places(), workspace, web))
        try:
            yield engine
        finally:
            await engine.aclose()
            if web is not None:
                await web.aclose()
