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
    from coai_agents.specialists.answering.agent import About
    from coai_agents.specialists.answers import Report

MOST_FILES: Final = 2_000
"""Files of the folder that are looked through for what a question names."""

MOST_ABOUT: Final = 3
"""Files that define what a question names, and are part of its answer."""


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
    from coai_agents.specialists.answering.agent import answer  # noqa: PLC0415 (not for `--help`)
    from coai_agents.specialists.targets import parse_target  # noqa: PLC0415 (as above)

    about = _named(question) if what is None else [_about(what)]
    path = Path() if what is None else Path(parse_target(what).file)
    from coai_server.cli.agents.memory import facts_about  # noqa: PLC0415 (as above)

    async with asker(path, wanted=wanted, alias=alias) as asked:
        return await answer(question, about, asked, facts_about(path, question))


def _about(what: str) -> About:
    from coai_agents.analysis.run.analyzer import analyse  # noqa: PLC0415 (as above)
    from coai_agents.source import Span  # noqa: PLC0415 (as above)
    from coai_agents.specialists.answering.agent import About  # noqa: PLC0415 (as above)
    from coai_agents.specialists.targets import (  # noqa: PLC0415 (as above)
        TargetError,
        locate,
        parse_target,
    )
    from coai_agents.syntax.tree import parse  # noqa: PLC0415 (as above)
    from coai_server.cli.agents.showing import source_of  # noqa: PLC0415 (as above)

    target = parse_target(what)
    source = source_of(Path(target.file))
    if parse(source) is None:
        # A file of any other kind can be asked about; only facts are wanting then.
        return About(source, Span(0, len(source.text)), target.file)
    try:
        located = locate(source, target)
    except TargetError as error:
        notices().print(f"{error}")
        raise typer.Exit(2) from error
    return About(source, located.span, target.file, located, analyse(source).findings)


def _named(question: str) -> list[About]:
    """Return the places in this folder that define what a question names."""
    from coai_agents.analysis.run.survey import files_in  # noqa: PLC0415 (as above)
    from coai_agents.specialists.answering.agent import (  # noqa: PLC0415 (as above)
        About,
        definitions_named,
        names_asked,
    )
    from coai_agents.specialists.targets import Target, locate  # noqa: PLC0415 (as above)
    from coai_agents.syntax.tree import parse  # noqa: PLC0415 (as above)
    from coai_server.cli.agents.showing import source_of  # noqa: PLC0415 (as above)
    from coai_server.cli.files import SourceFileError  # noqa: PLC0415 (as above)

    names = names_asked(question)
    found: list[About] = []
    for path in sorted(files_in([Path.cwd()]))[:MOST_FILES] if names else ():
        name = path.relative_to(Path.cwd()).as_posix()
        try:
            source = source_of(path)
        except SourceFileError:
            continue
        if not any(each in source.text for each in names) or parse(source) is None:
            continue
        about = About(source, locate(source, Target(name)).span, name, locate(source, Target(name)))
        if defined := definitions_named(about, names):
            found.append(About(source, defined[0].full_span, name, about.located))
        if len(found) == MOST_ABOUT:
            break
    return found
