"""`coai audit PATH...` as typer knows it."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from coai_agents.analysis.findings.findings import Confidence, Severity
from coai_routing.errors import CoaiError
from coai_server.cli.audit import auditing
from coai_server.cli.audit.auditing import Format, Options
from coai_server.cli.console import report


def audit(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH]...", help="Files and folders; here unless given."),
    ] = None,
    *,
    form: Annotated[Format, typer.Option("--format", help="How findings are written.")] = (
        Format.TEXT
    ),
    level: Annotated[
        Severity, typer.Option("--level", help="The least severity that is shown and counts.")
    ] = Severity.WARNING,
    confidence: Annotated[
        Confidence,
        typer.Option("--confidence", help="How sure a finding is that counts, at least."),
    ] = Confidence.LOW,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Leave out what this file, written before, knows."),
    ] = None,
    write_baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what is found to a baseline, and exit with 0."),
    ] = None,
    diff: Annotated[
        str,
        typer.Option(metavar="REV", help="Only what is on lines changed since this git revision."),
    ] = "",
    fix: Annotated[
        bool, typer.Option("--fix", help="Apply the fixes that are safe; each was tried first.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --fix: show what would change, change nothing.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0 for all cores.")] = 0,
    cached: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Remember what unchanged files had.")
    ] = True,
) -> None:
    """Find what is wrong in files, without any model.

    Exit code 1 if anything is, otherwise 2 if something could not be looked at.
    """
    for path in paths or ():
        if not path.exists():
            raise typer.BadParameter(f"there is no {path}")
    if dry_run and not fix:
        raise typer.BadParameter("--dry-run is for --fix")
    options = Options(
        paths=tuple(paths or ()),
        form=form,
        level=level,
        confidence=confidence,
        baseline=baseline,
        write_baseline=write_baseline,
        diff=diff,
        jobs=jobs,
        cached=cached,
        fix=fix,
        dry_run=dry_run,
    )
    try:
        code = auditing.run(options)
    except CoaiError as error:
        report(error)
        code = auditing.INCOMPLETE
    if code:
        raise typer.Exit(code)
