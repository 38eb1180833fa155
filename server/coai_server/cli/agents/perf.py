"""`coai perf`: where a file's time goes, and changes that were measured to be faster."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coai_server.cli.agents.fix import ENDED, restoring
from coai_server.cli.agents.models import asker
from coai_server.cli.agents.showing import Change, Outcome, finish
from coai_server.cli.console import run, write_json
from coai_server.terminal import printable

if TYPE_CHECKING:
    from coai_agents.specialists.performance.agent import Tuning
    from coai_agents.specialists.performance.profiles.profile import Profile


def perf(
    what: Annotated[
        str, typer.Argument(metavar="FILE[:SYMBOL]", help="What is slow.", show_default=False)
    ],
    *,
    profile: Annotated[
        Path | None,
        typer.Option(
            metavar="P", help="A profile: pstats, pyinstrument, speedscope, .cpuprofile, pprof."
        ),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option("--run", metavar="CMD", help="A command that is to run faster; no shell."),
    ] = None,
    run_seconds: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="How long one run of it may take.")
    ] = 60.0,
    pairs: Annotated[
        int, typer.Option(min=3, max=100, help="How often each version is run at most.")
    ] = 7,
    write: Annotated[bool, typer.Option("--write", help="Write into the file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Ask no model: profile and rules alone.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(metavar="ALIAS", help="Ask this model of `coai route models`.")
    ] = None,
) -> None:
    """Show where a file's time goes and what costs more than it has to.

    With --run changes are tried, by rules and by a model: the command runs with and without each in
    turns, and what stays is only what is faster for sure and says the same. While it runs the file
    has the change in it, and afterwards is as before, unless --write is given. Exit code 0 if
    nothing is slow or faster, 1 if something is, 2 if it could not be told.
    """
    read = None if profile is None else _profile(profile)
    if command is None:
        _show(what, read, as_json=as_json)
        return
    try:
        outcome = run(
            _tune(what, read, command, run_seconds, pairs, alias=model, wanted=not no_model)
        )
    except asyncio.CancelledError as error:
        raise typer.Exit(ENDED) from error
    outcome.done = outcome.done or write
    finish(outcome, write=write, as_json=as_json)


def _profile(path: Path) -> Profile:
    from coai_agents.application.sources import read_bytes  # noqa: PLC0415 (as above)
    from coai_agents.application.specialists.perf import MOST_BYTES, read_profile  # noqa: PLC0415 (not for `--help`)

    return read_profile(read_bytes(path.absolute(), MOST_BYTES))


def _show(what: str, profile: Profile | None, *, as_json: bool) -> None:
    from coai_agents.application.sources import source_of  # noqa: PLC0415 (as above)
    from coai_agents.application.specialists.perf import slow  # noqa: PLC0415 (not for `--help`)
    from coai_agents.specialists.targets import locate, parse_target  # noqa: PLC0415 (as above)

    target = parse_target(what)
    source = source_of(Path(target.file))
    locate(source, target)
    told = slow(source, target.file, profile)
    if as_json:
        write_json({"ok": True, **told.as_json()})
    else:
        text = told.as_text() if told.sections else f"Nothing slow is seen in {target.file}.\n"
        sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    raise typer.Exit(1 if told.sections else 0)


async def _tune(
    what: str,
    profile: Profile | None,
    command: str,
    seconds: float,
    pairs: int,
    *,
    alias: str | None,
    wanted: bool,
) -> Outcome:
    from coai_agents.application.sources import source_of  # noqa: PLC0415 (as above)
    from coai_agents.application.specialists.perf import tune  # noqa: PLC0415 (not for `--help`)
    from coai_agents.specialists.targets import locate, parse_target  # noqa: PLC0415 (as above)
    from coai_server.cli.agents.trying import Trial  # noqa: PLC0415 (as above)

    target = parse_target(what)
    path = Path(target.file)
    source = source_of(path)
    locate(source, target)
    trial = Trial(path, command, seconds=seconds, directory=Path.cwd())
    with restoring():
        async with asker(path, agent="perf", wanted=wanted, alias=alias) as asked:
            state = await tune(source, target, asked, trial, profile=profile, pairs=pairs)
    return _outcome(path, state, trial.runs)


def _outcome(path: Path, state: Tuning, runs: int) -> Outcome:
    from coai_agents.application.specialists.mend import change_to  # noqa: PLC0415 (as above)

    outcome = Outcome(notes=list(dict.fromkeys(state.notes)))
    for each in state.steps:
        before, after = each.measured.shown.medians
        outcome.items.append(
            {
                "path": str(path),
                "title": each.candidate.title,
                "by": each.candidate.by,
                "origin": "checked" if each.candidate.from_model else "fact",
                "secondsBefore": before,
                "secondsAfter": after,
                "ratio": list(each.measured.shown.interval),
                "of": "computing" if each.measured.by_computing else "clock",
            }
        )
        outcome.notes.append(f"{each.candidate.title} ({each.candidate.by}): {each.measured}.")
    if whole := change_to(state.before, state.after):
        outcome.changes.append(Change(path, whole))
    else:
        outcome.notes.append(
            f"Nothing was found that is faster: {state.tried} changes in {runs} runs."
        )
    return outcome
