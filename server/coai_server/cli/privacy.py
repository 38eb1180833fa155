"""`coai privacy`: what has left this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from coai_server.cli.console import console, write_json

commands = typer.Typer(no_args_is_help=True, help="See what has left this machine.")


@commands.callback()
def _group() -> None:  # pyright: ignore[reportUnusedFunction] - registered
    """See what has left this machine."""


@commands.command()
def log(
    *,
    limit: Annotated[int, typer.Option(min=1, help="How many of the last ones.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
) -> None:
    """List the requests that left this machine: when, to whom, how much, why it was allowed."""
    from coai_routing.egress_log import location, read_departures  # noqa: PLC0415 (not for `--help`)

    departed = read_departures(location(), limit=limit)
    if as_json:
        write_json(
            [
                {
                    "at": one.at.isoformat(),
                    "host": one.host,
                    "endpoint": one.endpoint,
                    "model": one.model,
                    "capability": one.capability,
                    "bytes": one.content_bytes,
                    "why": one.why,
                }
                for one in departed
            ]
        )
        return
    to = console()
    if not departed:
        to.print("No request of the router's has left this machine.")
        return
    from rich.table import Table  # noqa: PLC0415 (only for people)

    table = Table(
        "When", "Host", "Model", "For", "Bytes", "Allowed because", box=None, pad_edge=False
    )
    for one in departed:
        when = one.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(when, one.host, one.model, one.capability, f"{one.content_bytes:,}", one.why)
    to.print(table)
