"""`coai doctor`: what was found, which model serves completions and why, and what is missing."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coai_server.cli.console import console, notices, run, write_json
from coai_server.cli.settings import load_settings
from coai_server.daemon.status import describe_editor as editor_document

if TYPE_CHECKING:
    from rich.console import Console

    from coai_routing.policy.deployment import Deployment
    from coai_server.cli.diagnosis import Cloud, Diagnosis


def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
) -> None:
    """Say which model serves completions, why, how fast, and what is missing.

    Exit code 1 if no model can serve.
    """
    from coai_server.cli.diagnosis import diagnose  # noqa: PLC0415 (not for `--help`)

    loaded = load_settings(Path.cwd())
    to = notices()
    if as_json or not to.is_terminal:
        diagnosis = run(diagnose(loaded))
    else:
        with to.status("Looking around.") as status:
            diagnosis = run(diagnose(loaded, watch=status.update))
    if as_json:
        write_json(document(diagnosis))
    else:
        show(diagnosis, console())
    if diagnosis.serving is None:
        raise typer.Exit(1)


def show(diagnosis: Diagnosis, to: Console) -> None:
    """Write the diagnosis for a person."""
    to.print(
        f"COAI {version('coai')}, Python {platform.python_version()},"
        f" {platform.system()} {platform.machine()}\n"
    )
    _show_serving(diagnosis, to)
    if (editor := diagnosis.editor) is not None:
        to.print(
            f"The next edit is predicted by {editor.model} ({editor.name}): {editor.family.title}.",
            soft_wrap=True,
        )
    _show_found(diagnosis, to)
    _show_order(diagnosis, to)
    _show_cloud(diagnosis.cloud, to)
    if diagnosis.keys:
        to.print("\nKeys of model servers", style="bold")
    for name, is_set in diagnosis.keys.items():
        to.print(f"  {name}: {'set' if is_set else 'not set'}")
    if diagnosis.fixes:
        needed = diagnosis.serving is None
        to.print("\nMissing" if needed else "\nNot there, and not needed", style="bold")
        for fix in diagnosis.fixes:
            to.print(f"  {fix.missing}", soft_wrap=True)
            if fix.remedy:
                to.print(f"    {fix.remedy}", style="green", soft_wrap=True)
    if diagnosis.loaded.problems:
        to.print("\nProblems in the settings", style="bold")
        for problem in diagnosis.loaded.problems:
            to.print(f"  {problem}", soft_wrap=True)


def _show_serving(diagnosis: Diagnosis, to: Console) -> None:
    serving, latency = diagnosis.serving, diagnosis.latency
    if serving is None:
        to.print("No model can serve completions.", style="bold red")
    else:
        to.print(f"Completions come from {serving.model} ({serving.name}).", style="bold green")
        to.print(f"  Why: {_why(diagnosis, serving.name, serving.model)}", soft_wrap=True)
        to.print(
            "  Not measured: that would send something, and cost money."
            if latency is None
            else f"  Measured: {latency.warm_ms:,.0f} ms for a dozen tokens while typing,"
            f" {latency.first_ms:,.0f} ms for the first time"
        )
    for failure in diagnosis.failures:
        to.print(f"  {failure.model} ({failure.backend}) failed: {failure.message}", soft_wrap=True)
        if failure.remedy:
            to.print(f"    {failure.remedy}", style="green", soft_wrap=True)


def _why(diagnosis: Diagnosis, backend: str, model: str) -> str:
    return next(
        candidate.why
        for candidate in diagnosis.plan.candidates
        if (candidate.deployment.endpoint, candidate.deployment.model) == (backend, model)
    )


def _show_found(diagnosis: Diagnosis, to: Console) -> None:
    from rich.table import Table  # noqa: PLC0415 (only for people)

    to.print("\nFound", style="bold")
    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    embedded = diagnosis.embedded
    table.add_row("  embedded", embedded.phase, embedded.model, _speed(embedded))
    for server in diagnosis.found:
        if server.ok:
            names = ", ".join(model.name for model in server.models) or "no model"
            table.add_row(f"  {server.name}", "ready", names, server.base_url)
        else:
            state = "not used" if server.strangers else "not there"
            table.add_row(f"  {server.name}", state, "", server.base_url)
    to.print(table)


def _speed(deployment: Deployment) -> str:
    if deployment.speed is None:
        return ""
    reads, writes = (
        deployment.speed.prompt_tokens_per_second,
        deployment.speed.output_tokens_per_second,
    )
    return f"reads {reads:,.0f} and writes {writes:,.0f} tokens a second"


def _show_order(diagnosis: Diagnosis, to: Console) -> None:
    plan = diagnosis.plan
    others = [each for each in plan.rejected if each.deployment.model]
    if len(plan.candidates) + len(others) > 0:
        to.print("\nWho is asked, in this order", style="bold")
    for number, candidate in enumerate(plan.candidates, 1):
        deployment = candidate.deployment
        to.print(
            f"  {number}. {deployment.model} ({deployment.endpoint}): {candidate.why}",
            soft_wrap=True,
        )
    for refused in others:
        deployment = refused.deployment
        to.print(f"  not {deployment.model} ({deployment.endpoint}): {refused.why}", soft_wrap=True)


def _show_cloud(cloud: Cloud, to: Console) -> None:
    to.print("\nCloud models", style="bold")
    for vendor in cloud.vendors:
        if not vendor.enabled:
            state = f"switched off (`cloud.{vendor.name}.enabled`)"
        elif vendor.key:
            state = f"key in the {vendor.key}"
        else:
            state = f"no key ({vendor.variable})"
        to.print(f"  {vendor.name}: {state}")
    to.print(f"  {cloud.why}", soft_wrap=True)


def document(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return the diagnosis as JSON has it."""
    serving, latency, embedded = diagnosis.serving, diagnosis.latency, diagnosis.embedded
    return {
        "ok": serving is not None,
        "version": version("coai"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "serving": serving
        and {
            "backend": serving.name,
            "model": serving.model,
            "why": _why(diagnosis, serving.name, serving.model),
        },
        "nextEdit": diagnosis.editor and editor_document(diagnosis.editor),
        "latency": latency and {"firstMs": latency.first_ms, "warmMs": latency.warm_ms},
        "failures": [
            {
                "backend": failure.backend,
                "model": failure.model,
                "message": failure.message,
                "remedy": failure.remedy,
            }
            for failure in diagnosis.failures
        ],
        "embedded": {
            "phase": embedded.phase,
            "model": embedded.model,
            "detail": embedded.detail,
            "speed": embedded.speed
            and {
                "prompt": embedded.speed.prompt_tokens_per_second,
                "output": embedded.speed.output_tokens_per_second,
            },
        },
        "found": [server.model_dump(mode="json") for server in diagnosis.found],
        "candidates": [
            {"backend": each.deployment.endpoint, "model": each.deployment.model, "why": each.why}
            for each in diagnosis.plan.candidates
        ],
        "rejected": [
            {
                "backend": each.deployment.endpoint,
                "model": each.deployment.model,
                "why": each.why,
                "remedy": each.remedy,
            }
            for each in diagnosis.plan.rejected
        ],
        "cloud": asdict(diagnosis.cloud),
        "keys": dict(diagnosis.keys),
        "missing": [{"what": fix.missing, "fix": fix.remedy} for fix in diagnosis.fixes],
        "problems": [str(problem) for problem in diagnosis.loaded.problems],
    }
