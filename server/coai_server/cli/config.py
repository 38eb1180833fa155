"""`coai config`: every setting, its value, and where that comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from coai_server.cli.console import console, notices, write_json
from coai_server.cli.settings import load_settings

commands = typer.Typer(no_args_is_help=True, help="Show the settings.")


@commands.command()
def show(
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="[PATH]",
            help="A workspace folder, or a file in one; the current directory unless given.",
            exists=True,
        ),
    ] = None,
    *,
    changed: Annotated[
        bool, typer.Option("--changed", help="Leave out what has its default value.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
) -> None:
    """Show every setting with its value and its place; problems go to standard error."""
    from coai_routing.settings.loading import rows  # noqa: PLC0415 (not for `--help`)

    where = (path or Path.cwd()).absolute()
    loaded = load_settings(where if where.is_dir() else where.parent)
    shown = [row for row in rows(loaded, where) if not (changed and row.origin == "default")]
    if as_json:
        settings = {row.key: {"value": _value(row.value), "origin": row.origin} for row in shown}
        problems = [str(problem) for problem in loaded.problems]
        write_json({"settings": settings, "problems": problems})
        return
    from rich.table import Table  # noqa: PLC0415 (only for people)

    table = Table("Setting", "Value", "From", box=None, pad_edge=False)
    for row in shown:
        table.add_row(row.key, row.value, row.origin)
    console().print(table)
    for problem in loaded.problems:
        notices().print(f"Problem: {problem}", soft_wrap=True)


def _value(text: str) -> Any:  # noqa: ANN401 - a setting's value may be of any JSON type
    """Return a row's value as JSON: null where it is not set; what is masked stays masked."""
    try:
        return json.loads(text)
    except ValueError:
        return None if text == "not set" else text
