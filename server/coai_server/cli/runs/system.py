"""`coai system`: agents, what they do, tasks, and how fast it goes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coai_server.cli.console import console, run, write_json
from coai_server.cli.runs.opening import choose_cluster, opened
from coai_server.cli.runs.run import Cluster  # noqa: TC001 - typer reads it

if TYPE_CHECKING:
    from coai_agents.workflows.journal.interface import RunJournal


def system(
    *,
    most: Annotated[int, typer.Option("--most", min=1, help="Look at so many newest runs.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
    cluster: Cluster = None,
) -> None:
    """Show what goes on: agents and what they do, runs, tasks, throughput, and who works."""
    choose_cluster(cluster)
    found = run(_looked(most))
    if as_json:
        write_json(found)
        return
    out = console()
    out.print(_counts("Runs", found["runs"]))
    out.print(_counts("Tasks", found["tasks"]))
    speed = found["throughput"]
    out.print(f"Throughput: {speed['steps']} steps in the last hour")
    for each in found["workers"]:
        out.print(f"Worker {each['worker']}: {each['runs']} runs")
    for each in found["under_way"]:
        out.print(f"Under way: {each['run']} {each['name']}: {', '.join(each['steps']) or '-'}")
    if found["agents"]:
        from rich.table import Table  # noqa: PLC0415 - only where there is something to show

        table = Table("agent", "state", "done", "failed", "mean s", "tokens", "USD", box=None)
        for each in found["agents"]:
            seconds = "" if each["mean_ms"] is None else f"{each['mean_ms'] / 1000.0:.1f}"
            table.add_row(
                *(each["name"], each["state"], str(each["done"]), str(each["failed"])),
                *(seconds, str(each["tokens"]), f"{each['usd']:.4f}"),
            )
        out.print(table)


def _counts(title: str, counts: dict[str, int]) -> str:
    said = ", ".join(f"{number} {state}" for state, number in sorted(counts.items()) if number)
    return f"{title}: {said or 'none'}"


async def _looked(most: int) -> dict[str, Any]:
    from coai_agents.workflows.reports.system import system_of  # noqa: PLC0415 (not for `--help`)

    async with opened() as journal:
        rows = await journal.runs(most)
        stories = [await journal.story(row.id) for row in rows]
        found = system_of(stories).as_json()
        owners = [story.row.owner for story in stories if story.row.owner is not None]
        found["workers"] = await _workers(journal, owners)
        return found


async def _workers(journal: RunJournal, owners: list[str]) -> list[dict[str, Any]]:
    """Return who carries runs out, with how many of these they have."""
    from coai_agents.workflows.journal.journal import Journal  # noqa: PLC0415 (as above)
    from coai_agents.workflows.journal.owners import is_dead, read_owner  # noqa: PLC0415 (as above)

    if isinstance(journal, Journal):
        alive = sorted({owner for owner in owners if not is_dead(owner)})
        named = [(owner, read_owner(owner)) for owner in alive]
        return [
            {"worker": f"{who.host}:{who.pid}", "pid": who.pid, "runs": owners.count(owner)}
            for owner, who in named
            if who is not None
        ]
    from coai_agents.workflows.cluster import census  # noqa: PLC0415 (only there)
    from coai_agents.workflows.cluster.journal import PostgresJournal  # noqa: PLC0415 (as above)
    from coai_agents.workflows.cluster.names import shown  # noqa: PLC0415 (as above)

    assert isinstance(journal, PostgresJournal)
    live = await census.live(journal, asyncio.sleep)
    return [
        {"worker": shown(each.owner), "runs": owners.count(each.owner), **each.facts}
        for each in live
    ]
