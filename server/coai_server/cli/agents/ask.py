"""`coai ask`: a question about code, answered with facts and with a model's words, marked."""

from __future__ import annotations

import sys
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

    Without a file, what the question names is looked for in this folder. Exit code 0 if something
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
    from coai_agents.application.ask import ask, defining  # noqa: PLC0415 (not for `--help`)
    from coai_agents.specialists.targets import parse_target  # noqa: PLC0415 (as above)
    from coai_server.cli.agents.memory import facts_about  # noqa: PLC0415 (as above)

    about = defining(question, _sources()) if what is None else [_about(what)]
    path = Path() if what is None else Path(parse_target(what).file)
    async with asker(path, wanted=wanted, alias=alias) as asked:
        return await ask(question, about, asked, facts_about(path, question))


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
