"""`coai ask`: a question about code, answered with facts and with a model's words, marked."""

from __future__ import annotations

import re
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from coai_server.cli.agents.models import asker
from coai_server.cli.console import notices, run, write_json
from coai_server.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.source import Source
    from coai_agents.specialists.answering.agent import About
    from coai_agents.specialists.answers import Report

MOST_FILES: Final = 2_000
"""Files of the folder that are looked through for what a question names."""

_FILE: Final = re.compile(r"[\w./\\-]*\w\.\w+")


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
    report = run(_ask(question, what, alias=model, wanted=not no_model))
    if as_json:
        write_json({"ok": bool(report.statements), **report.as_json()})
    else:
        text = report.as_text()
        sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    if not report.statements:
        raise typer.Exit(2)


async def _ask(question: str, what: str | None, *, alias: str | None, wanted: bool) -> Report:
    from coai_agents.application.ask import defining  # noqa: PLC0415 (not for `--help`)
    from coai_agents.specialists.choosing.team import ask_team  # noqa: PLC0415 (as above)
    from coai_agents.specialists.choosing.tree import choose  # noqa: PLC0415 (as above)
    from coai_agents.specialists.targets import parse_target  # noqa: PLC0415 (as above)
    from coai_server.cli.agents.memory import facts_about  # noqa: PLC0415 (as above)
    from coai_server.cli.agents.team import Asked, team_of  # noqa: PLC0415 (as above)

    if what is None:
        about = [_about(name) for name in _files_named(question)]
        about = about or defining(question, _sources())
    else:
        about = [_about(what)]
    path = Path() if what is None else Path(parse_target(what).file)
    choice = choose(question)
    async with asker(path, wanted=wanted, alias=alias) as someone:
        asked = Asked(question, tuple(about), someone, tuple(facts_about(path, question)))
        return await ask_team(choice, team_of(choice, asked))


def _files_named(question: str) -> list[str]:
    """Return the files of this folder that a question names, by their names or their paths."""
    from coai_agents.analysis.run.survey import files_in  # noqa: PLC0415 (as above)
    from coai_agents.application.ask import MOST_ABOUT  # noqa: PLC0415 (as above)

    said = {each.replace("\\", "/").removeprefix("./") for each in _FILE.findall(question)}
    if not said:
        return []
    here = Path.cwd()
    known = sorted(path.relative_to(here).as_posix() for path in files_in([here]))
    named = (name for name in known if any(f"/{name}".endswith(f"/{each}") for each in said))
    return list(islice(named, MOST_ABOUT))


def _about(what: str) -> About:
    from coai_agents.application.ask import about  # noqa: PLC0415 (as above)
    from coai_agents.specialists.targets import TargetError, parse_target  # noqa: PLC0415 (as above)
    from coai_server.cli.agents.showing import source_of  # noqa: PLC0415 (as above)

    target = parse_target(what)
    source = source_of(Path(target.file))
    try:
        return about(source, target)
    except TargetError as error:
        notices().print(f"{error}")
        raise typer.Exit(2) from error


def _sources() -> Iterator[tuple[str, Source]]:
    """Yield the files of this folder that can be read, and their names."""
    from coai_agents.analysis.run.survey import files_in  # noqa: PLC0415 (as above)
    from coai_server.cli.agents.showing import source_of  # noqa: PLC0415 (as above)
    from coai_server.cli.files import SourceFileError  # noqa: PLC0415 (as above)

    for path in sorted(files_in([Path.cwd()]))[:MOST_FILES]:
        try:
            yield path.relative_to(Path.cwd()).as_posix(), source_of(path)
        except SourceFileError:
            continue
