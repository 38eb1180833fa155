"""`coai stats`: what models were asked, how they did, and what it cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coai_server.cli.console import console, notices, write_json
from coai_server.cli.files import write_text
from coai_server.cli.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_routing.records.spending import ModelStats


def stats(
    *,
    days: Annotated[int, typer.Option(min=1, max=400, help="How many days back.")] = 30,
    models: Annotated[
        bool, typer.Option("--models", help="What was learned of models instead.")
    ] = False,
    agents: Annotated[
        bool, typer.Option("--agents", help="How each specialist did, by model, instead.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="Draw each day's cost as an image.")
    ] = None,
    prometheus: Annotated[
        bool, typer.Option("--prometheus", help="Write counters in Prometheus's text format.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
) -> None:
    """Show what models were asked through the router, and what it cost.

    `--prometheus` counts everything that is kept; write it into a folder that a node exporter's
    textfile collector reads. Completions are listed apart, with those by models on this machine.
    """
    from coai_routing.records.spending import SpendingLedger, location, read_days, read_stats  # noqa: PLC0415 (not for `--help`)

    path = location()
    if prometheus:
        from coai_routing.records.prometheus import render  # noqa: PLC0415 (as above)
        from coai_routing.records.spending import read_totals  # noqa: PLC0415 (as above)

        typer.echo(render(read_totals(path)), nl=False)
        return
    since = datetime.now(UTC) - timedelta(days=days)
    if agents:
        from coai_server.cli.agents.rate import show_agents  # noqa: PLC0415 (as above)

        show_agents(since, as_json=as_json)
        return
    if models:
        _show_standings(SpendingLedger(path), as_json=as_json)
        return
    rows = read_stats(path, since=since)
    if plot is not None:
        from coai_server.cli.plotting import bars  # noqa: PLC0415 (as above)

        drawn = [(day, cost) for day, _, cost in read_days(path, since=since)]
        write_text(plot, bars(drawn, title="Cost a day", unit="USD"))
        notices().print(f"Drawn: {plot}")
    if as_json:
        write_json([row.as_json() for row in rows])
    else:
        _show(rows, days)
        _show_completions(since)


def _show(rows: Sequence[ModelStats], days: int) -> None:
    to = console()
    if not rows:
        to.print(f"No model was asked through the router in the last {days} days.")
        return
    from rich.table import Table  # noqa: PLC0415 (only for people)

    table = Table(
        "Model", "Calls", "Answered", "Tokens in", "Cached", "Out", "First word", "Whole", "USD",
        box=None, pad_edge=False,
    )  # fmt: skip
    for row in rows:
        table.add_row(
            f"{row.alias} ({row.model})" if row.model else row.alias,
            str(row.calls),
            f"{row.answered / row.calls:.0%}",
            f"{row.prompt_tokens:,}",
            f"{row.cached_tokens:,}",
            f"{row.output_tokens:,}",
            "-" if row.first_ms is None else f"{row.first_ms:,.0f} ms",
            f"{row.total_ms:,.0f} ms",
            f"{row.cost_usd:.4f}",
        )
    to.print(table)
    budget = load_settings(Path.cwd()).settings.budget
    spent = sum(row.cost_usd for row in rows)
    to.print(f"\n{spent:.4f} USD in {days} days.")
    for name, cap in (("a day", budget.daily_usd), ("a month", budget.monthly_usd)):
        if cap is not None:
            to.print(f"The budget is {cap:.2f} USD {name}.")


def _show_completions(since: datetime) -> None:
    """Show what models were asked for completions, whoever asked them; the ledger has that."""
    from coai_routing.records.usage_file import location  # noqa: PLC0415 (as above)
    from coai_routing.records.usage_reading import reading  # noqa: PLC0415 (as above)

    if not location().exists():
        return
    with reading(location()) as ledger:
        totals = ledger.by_backend(since)
    if not totals:
        return
    from rich.table import Table  # noqa: PLC0415 (only for people)

    table = Table(
        "Completions by", "Suggestions", "Tokens in", "Cached", "Out", "Mean",
        box=None, pad_edge=False,
    )  # fmt: skip
    for one in totals:
        table.add_row(
            f"{one.backend} ({one.model})" if one.model else one.backend,
            str(one.suggestions),
            f"{one.evaluated_tokens + one.cached_tokens:,}",
            f"{one.cached_tokens:,}",
            f"{one.output_tokens:,}",
            f"{one.mean_ms:,.0f} ms",
        )
    console().print("")
    console().print(table)


def _show_standings(books: Any, *, as_json: bool) -> None:  # noqa: ANN401 - imported late
    from coai_routing.policy.bandit import BanditStandings  # noqa: PLC0415 (as above)

    learning = BanditStandings(books)
    if books.path.is_file():
        learning.load()
        books.close()
    means = sorted(learning.means().items())
    if as_json:
        write_json(
            [
                {"capability": capability, "alias": alias, "standing": mean, "weight": weight}
                for (capability, alias), (mean, weight) in means
            ]
        )
        return
    to = console()
    if not means:
        to.print("Nothing was learned of any model yet.")
    for (capability, alias), (mean, weight) in means:
        to.print(f"{capability}: {alias} {mean:.2f} (on {weight:.0f} verdicts)")
