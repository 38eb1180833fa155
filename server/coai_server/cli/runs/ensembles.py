"""`coai ensembles`: the plans that there are, and what is wrong with one. `coai profiles`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coai_server.cli.console import say, write_json
from coai_server.cli.runs.opening import library, places

commands = typer.Typer(help="Ensembles: plans of several agents.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")]


@commands.command("list")
def list_ensembles(*, as_json: AsJson = False) -> None:
    """List the ensembles that count in this folder, and what each is for."""
    from coai_agents.workflows.errors import WorkflowError  # noqa: PLC0415 (not for `--help`)

    plans = library()
    rows: list[dict[str, str]] = []
    for name, entry in plans.entries().items():
        try:
            about = plans.plan(name).description
        except WorkflowError as error:
            about = f"does not load: {error.message.splitlines()[0]}"
        rows.append({"name": name, "origin": entry.origin, "about": about})
    if as_json:
        write_json(rows)
        return
    for row in rows:
        say(f"{row['name']:<22}{row['origin']:<10}{row['about']}\n")


@commands.command("show")
def show_ensemble(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE")], *, as_json: AsJson = False
) -> None:
    """Show an ensemble: its nodes, what they wait for, what they give."""
    from coai_agents.workflows.definition.graph import edges  # noqa: PLC0415 (as above)

    plans = library()
    path = Path(name)
    plan = plans.file(path) if name not in plans.entries() and path.is_file() else plans.plan(name)
    if as_json:
        write_json(plan.model_dump(mode="json", exclude_unset=True))
        return
    say(f"{plan.name}\n{plan.description}\n\n")
    waits = edges(plan.nodes)
    for node in plan.nodes:
        after = f"  after {', '.join(waits[node.name])}" if waits[node.name] else ""
        say(f"  {node.name} ({node.kind}){after}\n")


@commands.command("check")
def check(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)], *, as_json: AsJson = False
) -> None:
    """Say what does not hold in an ensemble's file: file, line, and what was expected.

    Exit code 0 if it would run, 2 if not.
    """
    from coai_agents.workflows.errors import PlanError  # noqa: PLC0415 (as above)

    try:
        plan = library().file(file)
    except PlanError as error:
        if as_json:
            told = [{"file": p.file, "line": p.line, "message": p.message} for p in error.problems]
            write_json({"ok": False, "problems": told})
        else:
            for problem in error.problems:
                say(f"{problem}\n")
        raise typer.Exit(2) from error
    if as_json:
        write_json({"ok": True, "problems": []})
    else:
        say(f"{file}: {plan.name}, {len(plan.nodes)} nodes, would run.\n")


def profiles(*, as_json: AsJson = False) -> None:
    """List the model profiles that ensembles may name, the user's own among them."""
    from coai_agents.workflows.workers.profiles import load_profiles  # noqa: PLC0415 (as above)

    found = load_profiles(places().profiles)
    if as_json:
        write_json({name: each.model_dump(mode="json") for name, each in found.items()})
        return
    for name, each in found.items():
        model = each.alias or each.tier or "chosen by the router"
        say(f"{name:<12}{each.capability:<22}{model:<22}{each.max_tokens} tokens\n")
