"""`coai explain`: what a function, a class or some lines do, and what was found in them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coai_server.cli.agents.models import asker
from coai_server.cli.console import notices, run, without_controls, write_json

if TYPE_CHECKING:
    from coai_agents.specialists.answers import Report


def explain(
    what: Annotated[
        str,
        typer.Argument(metavar="FILE[:LINE|:SYMBOL]", help="What to explain."),
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
    """Explain code: facts from the syntax tree and the findings, and a model's words, marked.

    Exit code 0 if something could be said, 2 if nothing is there to explain.
    """
    report = run(_explain(what, alias=model, wanted=not no_model))
    if as_json:
        write_json({"ok": True, **report.as_json()})
        return
    text = report.as_text()
    sys.stdout.write(without_controls(text) if sys.stdout.isatty() else text)


async def _explain(what: str, *, alias: str | None, wanted: bool) -> Report:
    from coai_agents.analysis.run.analyzer import analyse  # noqa: PLC0415 (not for `--help`)
    from coai_agents.specialists.explaining.agent import explain  # noqa: PLC0415 (as above)
    from coai_agents.specialists.targets import (  # noqa: PLC0415 (as above)
        TargetError,
        locate,
        parse_target,
    )
    from coai_server.cli.agents.showing import source_of  # noqa: PLC0415 (as above)

    target = parse_target(what)
    path = Path(target.file)
    source = source_of(path)
    try:
        located = locate(source, target)
    except TargetError as error:
        notices().print(f"{error}")
        raise typer.Exit(2) from error
    findings = analyse(source).findings
    async with asker(path, wanted=wanted, alias=alias) as asked:
        return await explain(located, asked, findings=findings, path=target.file)
