"""What the commands of workflows open: the library of plans, the journal, the engine."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from coai_agents.plugins.finding import Plugins
    from coai_agents.workflows.cluster.following import Following
    from coai_agents.workflows.definition.known import Known
    from coai_agents.workflows.engine.engine import Engine
    from coai_agents.workflows.journal.interface import RunJournal
    from coai_agents.workflows.library import Library
    from coai_agents.workflows.workers.workers import Places
    from coai_routing.cluster.databases import Shared


def places() -> Places:
    """Return where the user's plans, profiles and scripts are."""
    from coai_agents.workflows.workers.workers import Places  # noqa: PLC0415 (not for `--help`)
    from coai_routing.settings.files import default_user_file  # noqa: PLC0415 (as above)

    return Places(default_user_file().parent)


def library() -> Library:
    """Return the plans that count in this folder; raises SettingsError for wrong profiles."""
    from coai_agents.workflows.library import Library  # noqa: PLC0415 (as above)
    from coai_server.cli.settings import load_settings  # noqa: PLC0415 (as above)

    here, own = Path.cwd(), places()
    trusted = load_settings(here).settings.static.trusted_workspaces
    return Library(known(), user=own.ensembles, workspace=here, trusted=trusted)


def plugins() -> Plugins:
    """Return what installed packages add; none is loaded before it is used."""
    from coai_agents.plugins.finding import Plugins  # noqa: PLC0415 (as above)

    return Plugins(Path.cwd())


def known() -> Known:
    """Return all that a plan may name here; raises SettingsError for wrong profiles."""
    from coai_agents.plugins.working import extended  # noqa: PLC0415 (as above)
    from coai_agents.workflows.workers.workers import known_of  # noqa: PLC0415 (as above)

    return extended(known_of(places()), plugins())


class _Chosen:
    """The cluster that this command was told to use, instead of the one of the settings."""

    url: str | None = None


def choose_cluster(url: str | None) -> None:
    """Use a cluster from now on; None for that of the settings, if any.

    Raises `AddressError` for an address with a password: anybody here sees what a command is given.
    """
    from coai_routing.cluster.databases import AddressError, shared  # noqa: PLC0415 (as above)

    if url is not None and shared(url, "PostgreSQL").secret:
        raise AddressError(
            "The address holds a password, which every user of this machine can see.",
            remedy="Write it without one; set `cluster.url`, PGPASSWORD or ~/.pgpass instead.",
        )
    _Chosen.url = url


def cluster_store() -> Shared | None:
    """Return where runs are kept by several machines; None where they are this machine's.

    Raises `AddressError`, and `EgressRefusedError` for a host that may not see what is sensitive.
    """
    from coai_agents.application.shared.carrying import store_of  # noqa: PLC0415 (as above)
    from coai_server.cli.settings import load_settings  # noqa: PLC0415 (as above)

    return store_of(load_settings(Path.cwd()).settings, _Chosen.url)


async def forget(journal: RunJournal, days: float) -> tuple[int, int | None]:
    """Forget old runs; returns how many, and the bytes that the disk got back, where it did."""
    from coai_agents.workflows.journal.journal import Journal  # noqa: PLC0415 (as above)

    if isinstance(journal, Journal):
        from coai_agents.workflows.journal.pruning import prune  # noqa: PLC0415 (as above)

        done = await prune(journal, days=days)
        return done.runs, done.bytes
    from coai_agents.workflows.cluster.journal import PostgresJournal  # noqa: PLC0415 (as above)

    assert isinstance(journal, PostgresJournal)
    return await journal.prune(days=days), None


def travelling() -> dict[str, Any]:
    """Return what of the user's settings holds for a run on other machines, too."""
    from coai_routing.cluster.travelling import travelling as told  # noqa: PLC0415 (as above)
    from coai_server.cli.settings import load_settings  # noqa: PLC0415 (as above)

    return told(load_settings(Path.cwd()).settings)


@asynccontextmanager
async def opened() -> AsyncGenerator[RunJournal]:
    """Give the journal: this machine's, or that of the cluster; raises `JournalError`."""
    from coai_agents.application.shared.carrying import open_runs  # noqa: PLC0415 (as above)
    from coai_server.cli.console import notices  # noqa: PLC0415 (as above)

    journal = await open_runs(cluster_store())
    set_aside = getattr(journal, "set_aside", None)
    if set_aside is not None:
        notices().print(f"The journal could not be read and was set aside: {set_aside}")
    try:
        yield journal
    finally:
        await journal.aclose()


def own_tests(named: str | None, workspace: Path) -> str | None:
    """Return the user's tests: those that were named, or those of the user's settings, if any."""
    from coai_server.cli.settings import load_settings  # noqa: PLC0415 (as above)

    return (
        load_settings(workspace).settings.agents.test_command if named is None else named
    ) or None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user wants of models, and the user's own command for tests."""

    models: bool = True
    alias: str | None = None
    test: str | None = None


@asynccontextmanager
async def engine_for(
    journal: RunJournal, workspace: Path, wanted: Wanted
) -> AsyncGenerator[Engine | Following]:
    """Give an engine whose steps look at a workspace and ask models by its settings."""
    from coai_agents.application.shared.carrying import carrying  # noqa: PLC0415 (as above)
    from coai_agents.specialists.asking import Asker  # noqa: PLC0415 (as above)
    from coai_agents.workflows.journal.journal import Journal  # noqa: PLC0415 (as above)
    from coai_server.cli.agents.models import asker  # noqa: PLC0415 (as above)
    from coai_server.cli.console import notices  # noqa: PLC0415 (as above)
    from coai_server.cli.settings import load_settings  # noqa: PLC0415 (as above)

    settings = load_settings(workspace).settings
    async with AsyncExitStack() as stack:
        asked = Asker()
        if isinstance(journal, Journal):
            asked = await stack.enter_async_context(
                asker(
                    workspace,
                    agent="run",
                    wanted=wanted.models,
                    alias=wanted.alias,
                    plugins=plugins(),
                )
            )
        # The models of a cluster's runs are those of its workers.
        yield await stack.enter_async_context(
            carrying(journal, asked, workspace, settings, warn=notices().print)
        )
