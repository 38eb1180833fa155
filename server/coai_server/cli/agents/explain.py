"""`coai explain`: what code does, what was found in it, and why a program failed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from coai_server.cli.agents.models import asker
from coai_server.cli.console import notices, run, write_json
from coai_server.terminal import printable

if TYPE_CHECKING:
    from coai_agents.specialists.answers import Report

MOST_BYTES: Final = 20_000_000
"""Of what comes by a pipe; of more than that nobody reads the beginning."""


def explain(
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE[:LINE|:SYMBOL]|-",
            help="What to explain; - for a trace or a tool's output from a pipe.",
        ),
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Ask no model: say what the code itself says.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(metavar="ALIAS", help="Ask this model of `coai route models`.")
    ] = None,
) -> None:
    """Explain code, or why a program failed: facts, and a model's words, marked.

    `pytest 2>&1 | coai explain -` says the root cause, the lines of this folder's files that matter
    and what to do. Exit code 0 if something could be said, 2 if nothing is there to explain.
    """
    explained = _diagnose if what == "-" else _explain
    report = run(explained(what, alias=model, wanted=not no_model))
    there = bool(report.statements)
    if as_json:
        write_json({"ok": there, **report.as_json()})
    else:
        text = report.as_text()
        sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    if not there:
        raise typer.Exit(2)


async def _explain(what: str, *, alias: str | None, wanted: bool) -> Report:
    from coai_agents.application.explain import explain  # noqa: PLC0415 (not for `--help`)
    from coai_agents.application.sources import source_of  # noqa: PLC0415 (as above)
    from coai_agents.specialists.targets import (  # noqa: PLC0415 (as above)
        TargetError,
        locate,
        parse_target,
    )

    target = parse_target(what)
    path = Path(target.file)
    source = source_of(path)
    try:
        # A model is not loaded for nothing.
        locate(source, target)
    except TargetError as error:
        notices().print(f"{error}")
        raise typer.Exit(2) from error
    async with asker(path, agent="explain", wanted=wanted, alias=alias) as asked:
        return await explain(source, target, asked)


async def _diagnose(_: str, *, alias: str | None, wanted: bool) -> Report:
    from coai_agents.application.explain import diagnose  # noqa: PLC0415 (as above)

    text = sys.stdin.buffer.read(MOST_BYTES).decode("utf-8", "replace")
    here = Path.cwd()
    async with asker(here, agent="explain", wanted=wanted, alias=alias) as asked:
        report = await diagnose(text, here, asked)
    if report is None:
        notices().print("Nothing in it is a trace or a diagnostic that is known here.")
        raise typer.Exit(2)
    return report
