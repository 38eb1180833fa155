"""`coai privacy`: what has left this machine, and which servers on it are trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coai_routing.errors import CoaiError
from coai_server.cli.console import console, write_json
from coai_server.cli.settings import load_settings

commands = typer.Typer(
    no_args_is_help=True, help="See what has left this machine, and trust servers on it."
)


@commands.callback()
def _group() -> None:  # pyright: ignore[reportUnusedFunction] - registered
    """See what has left this machine, and trust servers on it."""


@commands.command()
def log(
    *,
    limit: Annotated[int, typer.Option(min=1, help="How many of the last ones.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
) -> None:
    """List the requests that left this machine: when, to whom, how much, why it was allowed."""
    from coai_routing.privacy.departures import location, read_departures  # noqa: PLC0415 (not for `--help`)

    departed = read_departures(location(), limit=limit)
    if as_json:
        write_json([one.as_json() for one in departed])
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


@commands.command()
def trust(
    server: Annotated[str, typer.Argument(help="Its name, as `coai doctor` lists it.")],
    *,
    forget: Annotated[
        bool, typer.Option("--forget", help="Take it back, and ask again in future.")
    ] = False,
) -> None:
    """Use a model server that belongs to another user of this machine.

    Who runs it can read what is sent to it. It is trusted at its address and with its owner: if
    another user listens there later, it is not used.
    """
    from coai_routing.privacy.consents import withdraw  # noqa: PLC0415 (not for `--help`)
    from coai_routing.privacy.listeners import UNKNOWN, address_of  # noqa: PLC0415 (as above)
    from coai_routing.privacy.neighbours import consent_to  # noqa: PLC0415 (as above)
    from coai_routing.providers.discovery import placed  # noqa: PLC0415 (as above)
    from coai_routing.wiring.configured import configured_endpoints  # noqa: PLC0415 (as above)

    settings = load_settings(Path.cwd()).settings
    known = {endpoint.name: placed(endpoint) for endpoint in configured_endpoints(settings)}
    endpoint = known.get(server)
    if endpoint is None:
        raise CoaiError(
            f"There is no server `{server}`.", remedy=f"One of: {', '.join(sorted(known))}."
        )
    address = address_of(endpoint.base_url)
    to = console()
    if forget:
        withdraw(address)
        to.print(f"{server} ({address}) is used only if it is yours.", soft_wrap=True)
        return
    if not endpoint.is_found:
        to.print(f"{server} is in your settings, so it is used whoever it belongs to.")
        return
    owner = consent_to(endpoint.base_url)
    if owner.key == UNKNOWN:
        to.print(f"{server} ({address}) is used, whoever it belongs to.", soft_wrap=True)
    else:
        to.print(f"{server} ({address}) belongs to {owner.name}, and is used.", soft_wrap=True)
