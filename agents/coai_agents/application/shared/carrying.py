"""Where runs are kept and who carries them out, as the settings say: this machine, or a cluster."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from coai_agents.plugins.working import workers_of
from coai_agents.tools.workspace import rules_of
from coai_agents.workflows.engine.engine import Engine
from coai_agents.workflows.journal.journal import Journal
from coai_agents.workflows.journal.tables import location
from coai_agents.workflows.reports.spans import spans_of
from coai_agents.workflows.workers.workers import Places
from coai_routing.policy.question import Priority
from coai_routing.settings.files import default_user_file
from coai_routing.settings.loading import load
from coai_routing.wiring.configured_routing import web_pages

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from coai_agents.specialists.asking import Asker
    from coai_agents.workflows.cluster.following import Following
    from coai_agents.workflows.engine.work import Workers
    from coai_agents.workflows.journal.interface import RunJournal
    from coai_routing.cluster.databases import Shared
    from coai_routing.settings.schema import Settings

logger = logging.getLogger(__name__)


def own_places() -> Places:
    """Return where the user's plans, profiles and scripts are."""
    return Places(default_user_file().parent)


def store_of(settings: Settings, url: str | None = None) -> Shared | None:
    """Return where several machines keep runs; None where they are this machine's.

    `url` goes before the settings' own. Raises `AddressError`, and `EgressRefusedError` for a host
    that may not see what is sensitive.
    """
    own = settings.cluster.url
    address = url or (None if own is None else own.get_secret_value())
    if address is None:
        return None
    from coai_routing.cluster.databases import check, shared  # noqa: PLC0415 - only with a cluster

    store = shared(address, "PostgreSQL")
    check(store, settings.privacy)
    return store


async def open_runs(store: Shared | None) -> RunJournal:
    """Return the journal of a cluster, or this machine's; raises `JournalError`."""
    if store is None:
        journal = await asyncio.to_thread(location)
        return _told(Journal(journal))
    from coai_agents.workflows.cluster.journal import open_journal  # noqa: PLC0415 - as above

    return await open_journal(store)


def _told(journal: Journal) -> Journal:
    if journal.set_aside is not None:
        logger.warning("The journal could not be read and was set aside: %s", journal.set_aside)
    return journal


def facts_of(journal: RunJournal, settings: Settings) -> dict[str, Any]:
    """Return what a run has to say of its user's settings, to whoever carries it out elsewhere."""
    if isinstance(journal, Journal):
        return {}
    from coai_routing.cluster.travelling import travelling  # noqa: PLC0415 - only with a cluster

    return {"travelling": travelling(settings)}


async def workers_here(asker: Asker, workspace: Path) -> Workers:
    """Return who does steps in a folder of this machine, by the folder's settings."""
    settings = (await asyncio.to_thread(load, workspace_roots=[workspace])).settings
    return workers_of(asker, own_places(), workspace, rules=rules_of(settings))


@asynccontextmanager
async def carrying(
    journal: RunJournal,
    asker: Asker,
    workspace: Path,
    settings: Settings,
    *,
    warn: Callable[[str], None] = logger.warning,
) -> AsyncGenerator[Engine | Following]:
    """Give what carries runs of a journal out; the asker's models are asked by it alone.

    Runs of a cluster are carried out by its workers, and followed; `warn` hears where none is
    there.
    """
    if not isinstance(journal, Journal):
        from coai_agents.workflows.cluster.following import Following  # noqa: PLC0415 - as above
        from coai_agents.workflows.cluster.journal import PostgresJournal  # noqa: PLC0415 - as above

        assert isinstance(journal, PostgresJournal)
        yield Following(journal, warn=warn)
        return
    spans, web = spans_of(settings.telemetry), web_pages(settings)
    # Whoever types or asks by hand goes first.
    behind = asker.wishing(priority=Priority.BACKGROUND)
    workers = workers_of(behind, own_places(), workspace, rules=rules_of(settings), web=web)
    engine = Engine(journal, workers, hooks=() if spans is None else (spans,))
    try:
        yield engine
    finally:
        await engine.aclose()
        if spans is not None:
            await asyncio.to_thread(spans.close)
        if web is not None:
            await web.aclose()
