"""`coai cluster`: carry runs out together with other machines."""

from __future__ import annotations

import asyncio
import os
import platform
import signal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coai_server.cli.console import notices, run, say, write_json
from coai_server.cli.runs.opening import choose_cluster, cluster_store, places
from coai_server.cli.runs.run import Cluster  # noqa: TC001 - typer reads it

if TYPE_CHECKING:
    from coai_agents.workflows.cluster.durable import Limit
    from coai_routing.cluster.databases import Shared
    from coai_routing.settings.router_sections import ModelLimit

commands = typer.Typer(
    help="Runs that several machines of yours carry out together.", no_args_is_help=True
)


def _store() -> Shared:
    from coai_agents.workflows.cluster.errors import ClusterError  # noqa: PLC0415 (not for `--help`)

    if (store := cluster_store()) is None:
        raise ClusterError(
            "There is no cluster.",
            remedy="Set `cluster.url` in your user settings, or give `--cluster URL`.",
        )
    return store


@commands.command("work")
def work(
    *,
    cluster: Cluster = None,
    runs: Annotated[
        int, typer.Option(min=1, max=1000, help="Runs at a time on this machine.")
    ] = 16,
) -> None:
    """Carry out runs of the cluster on this machine, until Ctrl+C or SIGTERM.

    What is under way then goes on elsewhere. A run works in the folder that it was begun in, so
    that folder has to be here under the same path. Models are those of this machine's settings.
    """
    choose_cluster(cluster)
    run(_worked(_store(), runs))


def _limit(limit: ModelLimit) -> Limit:
    from coai_agents.workflows.cluster.durable import Limit  # noqa: PLC0415 (as above)

    return Limit(limit.at_once, limit.per_minute)


async def _worked(store: Shared, runs: int) -> None:
    from importlib.metadata import version  # noqa: PLC0415 (as above)
    from pathlib import Path  # noqa: PLC0415 (as above)

    from coai_agents.application.shared.hands import Hands  # noqa: PLC0415 (as above)
    from coai_agents.workflows.cluster.journal import open_journal  # noqa: PLC0415 (as above)
    from coai_agents.workflows.cluster.worker import ClusterWorker, Setup  # noqa: PLC0415 (as above)
    from coai_agents.workflows.reports.spans import spans_of  # noqa: PLC0415 (as above)
    from coai_server.cli.settings import load_settings  # noqa: PLC0415 (as above)

    settings = load_settings(Path.cwd()).settings
    limits = settings.cluster.limits
    spans = spans_of(settings.telemetry)
    setup = Setup(
        runs=runs,
        limits={name: _limit(each) for name, each in limits.items()},
        facts={"host": platform.node(), "pid": os.getpid(), "version": version("coai")},
        hooks=() if spans is None else (spans,),
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    hands = Hands(places())
    journal = await open_journal(store)
    try:
        worker = ClusterWorker(journal, hands, setup, model_of=hands.model_of)
        await worker.open()
        notices().print(f"At work on the runs of {store}. Ctrl+C hands them over.")
        try:
            await stop.wait()
        finally:
            await worker.aclose()
    finally:
        await journal.aclose()
        await hands.aclose()
        if spans is not None:
            await asyncio.to_thread(spans.close)


@commands.command("workers")
def workers(
    *,
    cluster: Cluster = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
) -> None:
    """List the machines that carry runs out now. Exit code 1 if there is none."""
    choose_cluster(cluster)

    async def listed() -> list[Any]:
        from coai_agents.workflows.cluster import census  # noqa: PLC0415 (as above)
        from coai_agents.workflows.cluster.journal import open_journal  # noqa: PLC0415 (as above)
        from coai_agents.workflows.cluster.names import shown  # noqa: PLC0415 (as above)

        journal = await open_journal(_store())
        try:
            found = await census.live(journal, asyncio.sleep)
            return [{"worker": shown(each.owner), **each.facts} for each in found]
        finally:
            await journal.aclose()

    found = run(listed())
    if as_json:
        write_json(found)
    else:
        for each in found:
            say(f"{each['worker']}  coai {each.get('version', '')}\n")
    raise typer.Exit(0 if found else 1)
