"""`coai document`: documentation comments for functions, as a diff or written into the files.

With `--api` and `--as`, documents about a file or a folder instead.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coai_server.cli.agents.api import Form, Wish, write_api
from coai_server.cli.agents.models import asker
from coai_server.cli.agents.pages import Page, write_page
from coai_server.cli.agents.showing import Change, Outcome, finish
from coai_server.cli.console import run

if TYPE_CHECKING:
    from coai_agents.application.document import Documented, Undocumented
    from coai_agents.source import Source
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.targets import Target


def document(
    what: Annotated[
        str,
        typer.Argument(metavar="FILE|DIR[:SYMBOL]", help="What to document; a symbol once more."),
    ],
    *,
    write: Annotated[bool, typer.Option("--write", help="Write into the files.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Ask no model: what the signature says, no more.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(metavar="ALIAS", help="Ask this model of `coai route models`.")
    ] = None,
    api: Annotated[
        bool,
        typer.Option("--api", help="Write a document about a file or folder; no model is asked."),
    ] = False,
    page: Annotated[
        Page | None,
        typer.Option("--as", help="Write a page about a project: facts, and a model's words."),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="CMD",
            help="With --as tutorial: run each example by this command, {} is its file; no shell.",
        ),
    ] = None,
    form: Annotated[
        Form, typer.Option("--format", help="With --api: a reference, or the routes.")
    ] = Form.MARKDOWN,
    template: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --api, --as: your parts of the document."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --api, --as: where it is written.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write --output anew.")] = False,
) -> None:
    """Document functions that have no documentation, in the file's own convention.

    Prints a diff unless --write is given. Exit code 0 if all is documented, 1 if something was
    proposed or written, 2 if something could not be done.

    With --api: a reference of the public symbols (--format markdown), or an OpenAPI 3.1 skeleton
    from the routes of web frameworks (openapi, openapi-json). With --as: a user guide, a tutorial
    or the architecture of a project. Exit code 0 if it is whole, 2 if it is not.
    """
    if api and page:
        raise typer.BadParameter("--api and --as are two documents: ask for one")
    if command is not None and page is not Page.TUTORIAL:
        raise typer.BadParameter("--run needs --as tutorial: nothing else has examples")
    if page is not None:
        if write or form is not Form.MARKDOWN:
            raise typer.BadParameter("--as writes Markdown and no code; name a file with --output")
        wish = Wish(form, template, output, force, as_json)
        run(write_page(Path(what), page, wish, command, alias=model, wanted=not no_model))
    if api:
        if write:
            raise typer.BadParameter("--api writes no code; name a file with --output")
        write_api(Path(what), Wish(form, template, output, force, as_json))
    if template or output or force or form is not Form.MARKDOWN:
        raise typer.BadParameter("--format, --template, --output and --force need --api or --as")
    outcome = run(_document(what, alias=model, wanted=not no_model))
    finish(outcome, write=write, as_json=as_json)


async def _document(what: str, *, alias: str | None, wanted: bool) -> Outcome:
    from coai_agents.application.sources import files_of  # noqa: PLC0415 (not for `--help`)
    from coai_agents.specialists.targets import parse_target  # noqa: PLC0415 (as above)

    target = parse_target(what)
    path = Path(target.file)
    files = files_of(path)
    outcome = Outcome()
    async with asker(path, agent="document", wanted=wanted, alias=alias) as asked:
        found = [await _document_file(file, target, asked, outcome) for file in files]
    if target.symbol or target.first:
        # Of a folder's files one has to have what is named.
        outcome.failed = outcome.failed or not any(found)
    return outcome


async def _document_file(path: Path, target: Target, asked: Asker, outcome: Outcome) -> bool:
    """Document one file; return whether it has what the target names."""
    from coai_agents.application.document import Documented, document  # noqa: PLC0415 (as above)
    from coai_agents.application.sources import SourceFileError, source_of  # noqa: PLC0415 (as above)
    from coai_agents.specialists.targets import TargetError  # noqa: PLC0415 (as above)

    alone = path == Path(target.file)
    try:
        source = source_of(path)
    except SourceFileError as error:
        if alone:
            raise
        # The folder's other files are documented all the same.
        outcome.notes.append(str(error))
        outcome.failed = True
        return False
    try:
        answers = await document(source, replace(target, file=str(path)), asked)
    except TargetError as error:
        outcome.notes.append(str(error))
        # Of a folder's files those count that can be documented.
        outcome.failed = outcome.failed or alone
        return False
    if answers is None:
        outcome.notes.append(f"{path}: no convention is known for {source.language}.")
        outcome.failed = outcome.failed or alone
        return False
    if not answers and alone:
        outcome.notes.append(f"{path} has no public function without documentation.")
    outcome.items += [_described(path, each) for each in answers]
    outcome.notes += [
        f"{path}: {each.name}: {each.why}" for each in answers if not isinstance(each, Documented)
    ]
    _change(path, source, [each for each in answers if isinstance(each, Documented)], outcome)
    return True


def _change(path: Path, source: Source, documented: list[Documented], outcome: Outcome) -> None:
    from coai_agents.specialists.edits import change  # noqa: PLC0415 (as above)

    if documented:
        outcome.changes.append(Change(path, change(source, [each.edit for each in documented])))
    outcome.notes += sorted({each.by for each in documented if each.origin == "fact" and each.by})


def _described(path: Path, answer: Documented | Undocumented) -> dict[str, Any]:
    from coai_agents.application.document import Documented  # noqa: PLC0415 (as above)

    if not isinstance(answer, Documented):
        return {"path": str(path), "name": answer.name, "why": answer.why}
    return {
        "path": str(path),
        "name": answer.name,
        "origin": answer.origin.value,
        "by": answer.by,
        "convention": answer.convention.value,
        "text": answer.edit.text,
    }
