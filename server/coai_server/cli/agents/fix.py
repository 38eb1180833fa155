"""`coai fix`: a file's errors fixed, as a diff or written, with the user's own test as judge."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from coai_routing.errors import CoaiError
from coai_server.cli.agents.models import asker
from coai_server.cli.agents.showing import Change, Outcome, finish
from coai_server.cli.console import run

if TYPE_CHECKING:
    from collections.abc import Generator

    from coai_agents.source import Source
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.fixing.agent import Fixing
    from coai_agents.specialists.targets import Target

ENDED: Final = 128 + 15
"""The exit code of what was ended by a signal, as shells write it for SIGTERM."""


def fix(
    what: Annotated[
        str, typer.Argument(metavar="FILE[:LINE|:SYMBOL]", help="What to fix.", show_default=False)
    ],
    *,
    test: Annotated[
        str | None,
        typer.Option(metavar="CMD", help="A command that fails now and should pass; no shell."),
    ] = None,
    test_seconds: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="How long one run of it may take.")
    ] = 60.0,
    write: Annotated[bool, typer.Option("--write", help="Write into the file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Ask no model: rules and known errors alone.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(metavar="ALIAS", help="Ask this model of `coai route models`.")
    ] = None,
) -> None:
    """Fix a file: by rules, by what is known of errors, then by a model, each change checked.

    With --test only what makes that command go better is kept; while it runs the file has the
    change in it, and afterwards is as before. Prints a diff unless --write is given. Exit code 0 if
    nothing is left to do, 1 if a change is proposed or something is left, 2 if it could not be
    fixed.
    """
    try:
        outcome = run(_fix(what, test, test_seconds, alias=model, wanted=not no_model, write=write))
    except asyncio.CancelledError as error:
        raise typer.Exit(ENDED) from error
    finish(outcome, write=write, as_json=as_json)


async def _fix(
    what: str, test: str | None, seconds: float, *, alias: str | None, wanted: bool, write: bool
) -> Outcome:
    from coai_agents.application.sources import source_of  # noqa: PLC0415 (not for `--help`)
    from coai_agents.specialists.targets import locate, parse_target  # noqa: PLC0415 (as above)

    target = parse_target(what)
    path = Path(target.file)
    source = source_of(path)
    locate(source, target)
    with restoring():
        async with asker(path, agent="fix", wanted=wanted, alias=alias) as asked:
            state = await _state(source, target, asked, test, seconds)
    _remember(path, state, written=write)
    return _outcome(path, state, test=test, write=write)


def _remember(path: Path, state: Fixing, *, written: bool) -> None:
    """Remember what a test passed with, or what the user has written."""
    from coai_agents.application.specialists.remember import folder_of, keep_solution  # noqa: PLC0415 (as above)
    from coai_server.cli.settings import load_settings  # noqa: PLC0415 (as above)

    folder = folder_of(path, Path.cwd())
    try:
        keep_solution(path, folder, state, load_settings(folder).settings, written=written)
    except CoaiError as error:
        state.notes.append(f"It is not remembered: {error}")


async def _state(
    source: Source, target: Target, asked: Asker, test: str | None, seconds: float
) -> Fixing:
    from coai_agents.application.specialists.mend import mend  # noqa: PLC0415 (as above)
    from coai_agents.application.specialists.remember import folder_of, recall  # noqa: PLC0415 (as above)
    from coai_server.cli.settings import load_settings  # noqa: PLC0415 (as above)

    path = Path(target.file)
    folder = folder_of(path, Path.cwd())
    remembered = recall(folder, load_settings(folder).settings)
    if test is None:
        return await mend(source, target, asked, recall=remembered)
    from coai_server.cli.agents.trying import Trial  # noqa: PLC0415 (only with `--test`)

    trial = Trial(path, test, seconds=seconds, directory=Path.cwd())
    return await mend(source, target, asked, attempt=trial, recall=remembered)


@contextlib.contextmanager
def restoring() -> Generator[None]:
    """Let SIGTERM and SIGHUP end the command as Ctrl+C does, so that the file is put back."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    kinds = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    assert task is not None
    for kind in kinds:
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(kind, task.cancel)
    try:
        yield
    finally:
        for kind in kinds:
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(kind)


def _outcome(path: Path, state: Fixing, *, test: str | None, write: bool) -> Outcome:
    from coai_agents.application.specialists.mend import change_to  # noqa: PLC0415 (as above)

    outcome = Outcome(notes=list(dict.fromkeys(state.notes)))
    outcome.items = [
        {
            "path": str(path),
            "title": each.title,
            "by": each.by,
            "origin": "checked" if each.from_model else "fact",
        }
        for each in state.steps
    ]
    whole = change_to(state.before, state.after)
    changed = whole is not None
    if whole is not None:
        outcome.changes.append(Change(path, whole))
        outcome.notes += [f"{each.title} ({each.by})." for each in state.steps]
    passed = state.tried is not None and state.tried.passed
    if test is not None:
        outcome.notes.append(_said(state, passed=passed, changed=changed))
    elif state.left:
        outcome.notes += [f"Left: {each}" for each in state.left.splitlines()]
    elif not changed:
        outcome.notes.append("Nothing is found that can be fixed without a test to judge it.")
    outcome.failed = not changed and (not passed if test is not None else bool(state.left))
    outcome.done = not state.left and (write or not changed)
    return outcome


def _said(state: Fixing, *, passed: bool, changed: bool) -> str:
    if passed:
        return "The test passes with it." if changed else "The test passes: nothing is to be fixed."
    said = "It goes better with it, and still fails:" if changed else "The test fails:"
    last = state.left.strip().splitlines()[-6:]
    return "\n".join([said, *last])
