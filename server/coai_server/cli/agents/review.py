"""`coai review`: a diff looked at, with comments that rest on something, none of them twice."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from coai_server.cli.agents.models import asker
from coai_server.cli.console import notices, run, write_json
from coai_server.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.specialists.reviewing.agent import Review
    from coai_agents.specialists.reviewing.comments import Comment
    from coai_agents.specialists.reviewing.diffs import Diff

MOST_BYTES: Final = 20_000_000
"""Of a diff from a pipe."""
FAILED: Final = 2


def review(
    what: Annotated[
        str, typer.Argument(metavar="[PATH|-]", help="A file or folder; - for a diff from a pipe.")
    ] = ".",
    *,
    diff: Annotated[
        str, typer.Option(metavar="REV", help="Compare with this revision, as `git diff` does.")
    ] = "HEAD",
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
    as_sarif: Annotated[bool, typer.Option("--sarif", help="Write SARIF 2.1.0.")] = False,
    as_github: Annotated[
        bool, typer.Option("--github", help="Write the payload of a review on GitHub.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Show comments that were made before, too.")
    ] = False,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Ask no model: what the diff itself shows.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(metavar="ALIAS", help="Ask this model of `coai route models`.")
    ] = None,
) -> None:
    """Review a change: the working tree's since HEAD, since a revision, or a diff from a pipe.

    A comment rests on a finding on a changed line, a contract that the diff breaks, or on two
    passes of a model that agree; without any it says nothing. What was said once is not said again.
    Exit code 0 if there is nothing, 1 if there are comments, 2 if it could not be reviewed.
    """
    from coai_agents.application.review import unsaid  # noqa: PLC0415 (not for `--help`)
    from coai_routing.errors import CoaiError  # noqa: PLC0415 (as above)
    from coai_server.cli.console import report  # noqa: PLC0415 (as above)

    try:
        found, root = run(_review(what, diff, alias=model, wanted=not no_model))
        if again:
            comments, notes = list(found.comments), list(found.notes)
        else:
            comments, notes = unsaid(found, root)
    except CoaiError as error:
        report(error)
        raise typer.Exit(FAILED) from error
    _write(comments, notes, as_json=as_json, as_sarif=as_sarif, as_github=as_github)
    raise typer.Exit(1 if comments else 0)


async def _review(
    what: str, revision: str, *, alias: str | None, wanted: bool
) -> tuple[Review, Path]:
    from coai_agents.application.review import changed_since, root_of  # noqa: PLC0415 (not for `--help`)
    from coai_agents.application.review import review as reviewed  # noqa: PLC0415 (as above)

    path = Path.cwd() if what == "-" else Path(what)
    found = await asyncio.to_thread(
        partial(_piped, path) if what == "-" else partial(changed_since, path, revision)
    )
    changes = replace(found, folder=_named(root_of(path)))
    async with asker(
        path, agent="review", wanted=wanted and bool(changes.files), alias=alias
    ) as asked:
        return await reviewed(changes, asked if wanted else None), root_of(path)


def _named(root: Path) -> str:
    """Return a folder as a command names it: relative to where it is run, if it is below."""
    here = Path(os.path.realpath(Path.cwd()))
    return root.relative_to(here).as_posix() if root.is_relative_to(here) else str(root)


def _piped(path: Path) -> Diff:
    """Return the diff that comes by the pipe, with the folder's files where they fit it."""
    from coai_agents.application.review import root_of, written  # noqa: PLC0415 (as above)

    text = sys.stdin.buffer.read(MOST_BYTES).decode("utf-8", "replace")
    if not text.strip():
        notices().print("Note: The diff is empty.")
    return written(text, root_of(path))


def _write(
    comments: Sequence[Comment],
    notes: Sequence[str],
    *,
    as_json: bool,
    as_sarif: bool,
    as_github: bool,
) -> None:
    from coai_agents.application import review as forms  # noqa: PLC0415 (as above)

    if as_sarif:
        write_json(forms.as_sarif(comments, notes))
    elif as_github:
        write_json(forms.as_github(comments, notes))
    elif as_json:
        write_json({"ok": True, "comments": [e.as_json() for e in comments], "notes": list(notes)})
    else:
        # Where there is nothing to say nothing is said; what was not looked at is no comment.
        text = forms.report(comments).as_text() if comments else ""
        sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
        for note in notes:
            notices().print(f"Note: {printable(note)}")
