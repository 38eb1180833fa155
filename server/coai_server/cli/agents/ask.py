"""`coai ask`: a question about code, answered with facts and with a model's words, marked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coai_server.cli.agents.models import asker
from coai_server.cli.console import notices, run, write_json
from coai_server.terminal import printable

if TYPE_CHECKING:
    from coai_agents.specialists.answering.agent import About
    from coai_agents.specialists.answers import Report


def ask(
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    what: Annotated[
        str | None,
        typer.Argument(metavar="[FILE[:LINES]]", help="What it is about; else this folder."),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Ask no model: say what the code itself says.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(metavar="ALIAS", help="Ask this model of `coai route models`.")
    ] = None,
) -> None:
    """Answer a question: facts from the code, and a model's words, marked.

    What it is about decides who answers: errors with a pasted trace, architecture, documentation,
    performance, security each have a specialist, and several answer side by side. Without a file,
    what the question names is looked for in this folder. Exit code 0 if something
    could be said, 2 if not.
    """
    if not question.strip():
        raise typer.BadParameter("ask something", param_hint="QUESTION")
    report = run(_ask(question, what, alias=model, wanted=not no_model))
    if as_json:
        write_json({"ok": bool(report.statements), **report.as_json()})
    else:
        text = report.as_text()
        sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    if not report.statements:
        raise typer.Exit(2)


async def _ask(question: str, what: str | None, *, alias: str | None, wanted: bool) -> Report:
    from coai_agents.application.specialists.remember import facts_about, folder_of  # noqa: PLC0415 (not for `--help`)
    from coai_agents.application.specialists.standing import past  # noqa: PLC0415 (as above)
    from coai_agents.application.specialists.team import (  # noqa: PLC0415 (as above)
        Asked,
        ask_whoever_knows,
        defined_in,
        files_named,
    )
    from coai_agents.specialists.targets import parse_target  # noqa: PLC0415 (as above)
    from coai_server.cli.settings import load_settings  # noqa: PLC0415 (as above)

    here = Path.cwd()
    if what is None:
        about = [_about(name) for name in files_named(question, here)]
        about = about or defined_in(here, question)
    else:
        about = [_about(what)]
    path = Path() if what is None else Path(parse_target(what).file)
    folder = folder_of(path, here)
    settings = load_settings(folder).settings
    remembered = facts_about(folder, question, settings)
    async with asker(path, agent="ask", wanted=wanted, alias=alias) as someone:
        known = tuple(remembered)
        asked = Asked(question, tuple(about), here, someone, known, past(settings))
        return await ask_whoever_knows(asked)


def _about(what: str) -> About:
    from coai_agents.application.ask import about  # noqa: PLC0415 (as above)
    from coai_agents.application.sources import source_of  # noqa: PLC0415 (as above)
    from coai_agents.specialists.targets import TargetError, parse_target  # noqa: PLC0415 (as above)

    target = parse_target(what)
    source = source_of(Path(target.file))
    try:
        return about(source, target)
    except TargetError as error:
        notices().print(f"{error}")
        raise typer.Exit(2) from error
