"""`coai route`: which model would answer, why, and why the others would not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coai_agents.application.sources import read_text
from coai_routing.registry.capabilities import Objective
from coai_routing.request import Capability
from coai_server.cli.console import console, run, write_json
from coai_server.cli.settings import load_settings

if TYPE_CHECKING:
    from rich.console import Console

    from coai_routing.policy.deployment import Deployment
    from coai_routing.policy.question import RoutePlan
    from coai_routing.wiring.explaining import Explanation

commands = typer.Typer(no_args_is_help=True, help="See which model answers what, and why.")


@commands.command()
def explain(
    question: Annotated[
        str, typer.Argument(metavar="[QUESTION]", help="What would be asked.")
    ] = "",
    *,
    capability: Annotated[
        Capability, typer.Option("--for", help="What it would be asked for.")
    ] = Capability.CODE_ANALYSIS,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="A file that the request would show.", exists=True),
    ] = None,
    objective: Annotated[
        Objective | None, typer.Option(help="What to prefer; the capability's own unless given.")
    ] = None,
    complexity: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="How complex it is; estimated unless given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
) -> None:
    """Show the plan for a request without sending anything to a model.

    Model servers are looked for, as `coai doctor` does. Exit code 1 if no model may answer.
    """
    from coai_routing.privacy.file_names import roots_of  # noqa: PLC0415 (as above)
    from coai_routing.privacy.shown_files import own_rules  # noqa: PLC0415 (as above)
    from coai_routing.wiring.explaining import explain_route  # noqa: PLC0415 (not for `--help`)

    loaded = load_settings(Path.cwd())
    shown, files = None, ()
    if file is not None:
        shown = read_text(file)
        files = own_rules(str(file.absolute()), roots_of([Path.cwd()]), loaded.for_names).files
    explanation = run(
        explain_route(
            loaded.settings,
            question=question,
            capability=capability,
            shown=shown,
            files=files,
            objective=objective,
            complexity=complexity,
        )
    )
    if as_json:
        write_json(_document(explanation))
    else:
        _show(explanation, console())
    if not explanation.plan.candidates:
        raise typer.Exit(1)


@commands.command()
def models(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
) -> None:
    """List the models that requests can be routed to, by their aliases."""
    from coai_routing.wiring.configured_routing import registry  # noqa: PLC0415 (as above)

    listed = registry().models
    if as_json:
        write_json([model.model_dump(mode="json") for model in listed])
        return
    from rich.table import Table  # noqa: PLC0415 (only for people)

    table = Table("Alias", "Tier", "Quality", "Endpoints", box=None, pad_edge=False)
    for model in listed:
        places = ", ".join(
            f"{place.endpoint} ({place.model})" if place.model else place.endpoint
            for place in model.deployments
        )
        table.add_row(model.alias, model.tier.value, f"{model.quality:.2f}", places)
    console().print(table)


def _show(explanation: Explanation, to: Console) -> None:
    plan = explanation.plan
    to.print(f"{explanation.title}, preferring {_preference(plan)}", style="bold")
    to.print(f"Complexity {explanation.complexity:.2f} ({explanation.level})", soft_wrap=True)
    for name, weight in explanation.contributions[:5]:
        to.print(f"  {weight:+.2f}  {name}")
    to.print(f"Sensitive: {explanation.sensitivity}", soft_wrap=True)
    to.print("\nAsked, in this order", style="bold")
    for number, one in enumerate(plan.candidates, start=1):
        to.print(f"  {number}. {_name(one.deployment)}: {one.why}", soft_wrap=True)
    if not plan.candidates:
        to.print("  No model may answer this.")
    if plan.rejected:
        to.print("\nNot asked", style="bold")
    for refused in plan.rejected:
        why = f"{refused.why} {refused.remedy}".rstrip()
        to.print(f"  {_name(refused.deployment)}: {why}", soft_wrap=True)


def _preference(plan: RoutePlan) -> str:
    if plan.objective is Objective.BALANCED:
        return "a balance of quality, time and cost"
    return {"latency": "the quickest", "quality": "the best", "cost": "the cheapest"}[
        plan.objective
    ]


def _name(deployment: Deployment) -> str:
    model = f" ({deployment.model})" if deployment.model else ""
    return f"{deployment.alias} at {deployment.endpoint}{model}"


def _document(explanation: Explanation) -> dict[str, Any]:
    plan = explanation.plan
    return {
        "capability": explanation.capability.value,
        "objective": plan.objective.value,
        "complexity": {
            "score": explanation.complexity,
            "level": explanation.level,
            "contributions": dict(explanation.contributions),
        },
        "sensitive": [str(reason) for reason in explanation.sensitivity.reasons],
        "candidates": [
            {
                "alias": one.deployment.alias,
                "endpoint": one.deployment.endpoint,
                "model": one.deployment.model or None,
                "local": one.deployment.local,
                "costUsdAtMost": one.cost,
                "fallsShort": one.falls_short,
                "why": one.why,
            }
            for one in plan.candidates
        ],
        "rejected": [
            {
                "alias": one.deployment.alias,
                "endpoint": one.deployment.endpoint,
                "why": one.why,
                "remedy": one.remedy,
            }
            for one in plan.rejected
        ],
    }
