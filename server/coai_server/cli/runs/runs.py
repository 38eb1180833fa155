"""`coai runs`: what became of runs, and going on with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from coai_server.cli.console import console, notices, run, say, write_json
from coai_server.cli.runs.opening import (
    Wanted,
    choose_cluster,
    engine_for,
    forget,
    opened,
    own_tests,
    plugins,
)
from coai_server.cli.runs.run import Cluster, answered, report, show
from coai_server.terminal import printable

if TYPE_CHECKING:
    from coai_agents.workflows.engine.engine import Outcome
    from coai_agents.workflows.reports.report import Report
    from coai_agents.workflows.workers.proposals import Change

commands = typer.Typer(help="What became of runs, and going on with them.", no_args_is_help=True)


@commands.callback()
def where(*, cluster: Cluster = None) -> None:
    """See what became of runs, and go on with them."""
    choose_cluster(cluster)


Name = Annotated[str, typer.Argument(metavar="RUN", help="The run, or how its name begins.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")]


@commands.command("list")
def list_runs(
    *,
    most: Annotated[int, typer.Option("--most", min=1, help="At most so many, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List runs, the newest first."""

    async def listed() -> list[Any]:
        async with opened() as journal:
            return await journal.runs(most)

    rows = run(listed())
    if as_json:
        keys = ("id", "name", "state", "created", "changed", "parent")
        write_json([{key: getattr(row, key) for key in keys} for row in rows])
        return
    for row in rows:
        say(f"{row.id}  {row.state:<9}  {row.created[:19]}  {row.name}\n")


@commands.command("show")
def show_run(
    name: Name,
    *,
    as_json: AsJson = False,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="NAME", help="The formatter of an installed package."),
    ] = None,
) -> None:
    """Show what a run came to: its steps, their cost, what left the machine."""

    async def told() -> Report:
        async with opened() as journal:
            return await report(journal, name)

    found = run(told())
    if form is not None:
        from coai_agents.plugins.working import formatted  # noqa: PLC0415 (not for `--help`)

        say(formatted(found, plugins(), form))
    elif as_json:
        write_json(found.as_json())
    else:
        say(found.as_markdown())


@commands.command("resume")
def resume(
    name: Name,
    *,
    node: Annotated[
        str | None, typer.Option("--from", metavar="NODE", help="Do this and what follows again.")
    ] = None,
    answers: Annotated[
        list[str] | None, typer.Option("--answer", metavar="NODE=TEXT", help="Answer a question.")
    ] = None,
    as_json: AsJson = False,
    as_text: Annotated[bool, typer.Option("--text", help="Write the result alone.")] = False,
) -> None:
    """Go on with a run; what is finished is not done again. Exit codes as of `coai run`."""
    outcome, found = run(_resumed(name, node, answers or [], quiet=as_json))
    show(outcome, found, as_json=as_json, as_text=as_text)


async def _resumed(
    name: str, node: str | None, answers: list[str], *, quiet: bool
) -> tuple[Outcome, Report]:
    from coai_agents.workflows.engine.again import reset  # noqa: PLC0415 (not for `--help`)
    from coai_server.cli.runs.live import shown  # noqa: PLC0415 (as above)

    async with opened() as journal:
        story = await journal.story(name)
        facts = story.row.facts
        if node is not None:
            await reset(journal, story.row.id, node)
        wanted = Wanted(bool(facts.get("models", True)), facts.get("alias"))
        workspace = Path(str(facts.get("workspace", Path.cwd())))
        async with engine_for(journal, workspace, wanted) as engine:
            for each in answers:
                step, _, text = each.partition("=")
                await engine.answer(story.row.id, step, text)
            with shown(story.row.name, quiet=quiet) as tell:
                outcome = await engine.resume(story.row.id, tell=tell)
            outcome = await answered(journal, engine, outcome)
        return outcome, await report(journal, outcome.run)


def _stopped(name: str, wish: Literal["pause", "cancel"]) -> None:
    async def stop() -> str:
        from coai_agents.workflows.engine.engine import stop_run  # noqa: PLC0415 (as above)

        async with opened() as journal:
            return await stop_run(journal, name, wish)

    say(f"{run(stop())}\n")


@commands.command("pause")
def pause(name: Name) -> None:
    """Pause a run, also one that another process carries out."""
    _stopped(name, "pause")


@commands.command("cancel")
def cancel(name: Name) -> None:
    """Cancel a run for good, also one that another process carries out."""
    _stopped(name, "cancel")


@commands.command("fork")
def fork_run(
    name: Name,
    *,
    node: Annotated[
        str | None, typer.Option("--from", metavar="NODE", help="What was before it counts.")
    ] = None,
    given: Annotated[str | None, typer.Option("--input", help="Another input.")] = None,
) -> None:
    """Make a run of the same plan from a point of this one on; `coai runs resume` begins it."""

    async def forked() -> str:
        from coai_agents.workflows.engine.again import fork  # noqa: PLC0415 (as above)

        async with opened() as journal:
            story = await journal.story(name)
            value: Any = given
            if given is not None and not isinstance(story.input, str):
                value = json.loads(given)
            return await fork(journal, story.row.id, node=node, given=value)

    say(f"{run(forked())}\n")


@commands.command("diff")
def diff(name: Name, other: Name, *, as_json: AsJson = False) -> None:
    """Show what differs between two runs. Exit code 1 if anything does."""

    async def compared() -> dict[str, Any]:
        from coai_agents.workflows.reports.differing import difference  # noqa: PLC0415 (as above)

        async with opened() as journal:
            return difference(await journal.story(name), await journal.story(other))

    found = run(compared())
    if as_json:
        write_json(found)
    else:
        if found["input"]:
            say(f"input\n{found['input']}\n\n")
        for each in found["steps"]:
            before, after = (state or "not there" for state in each["states"])
            say(f"{each['step']}: {before} -> {after}\n{each['diff']}\n\n")
    raise typer.Exit(int(bool(found["steps"] or found["input"])))


@commands.command("apply")
def apply_run(
    name: Name,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing; write.")] = False,
    test: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="Your tests: what is written stays only if they pass. Else `agents.test_command`.",
        ),
    ] = None,
) -> None:
    """Write the changes that a run proposes: all of them or none.

    Shows them first and asks. Exit code 0 if they were written, 1 if not, 2 if there are none.
    """

    async def told() -> Report:
        async with opened() as journal:
            return await report(journal, name)

    from coai_agents.workflows.workers.proposals import checked, write  # noqa: PLC0415 (as above)
    from coai_agents.workflows.workers.trying import recovered  # noqa: PLC0415 (as above)

    found = run(told())
    if not found.edits:
        notices().print("The run proposes no change.")
        raise typer.Exit(2)
    for each in found.edits:
        say(str(each["diff"]))
    if not yes and not typer.confirm("Write this?", err=True):
        raise typer.Exit(1)
    workspace = Path(str(found.story.row.facts.get("workspace", Path.cwd())))
    for each in recovered(workspace):
        notices().print(f"{each}: taken back, an earlier try was cut short", soft_wrap=True)
    changes = checked(found.edits, workspace)
    command = own_tests(test, workspace)
    if command is None:
        write(changes, workspace)
    else:
        _tested(changes, workspace, command)
    for change in changes:
        console().print(f"{change.path}: written", soft_wrap=True)


def _tested(changes: list[Change], workspace: Path, command: str) -> None:
    """Write changes that the user's tests pass with; ends the command where they do not."""
    from coai_agents.workflows.workers.trying import tried  # noqa: PLC0415 (as above)

    notices().print(printable(f"Running {command}"), markup=False, highlight=False)
    trial = run(tried(changes, workspace, command, keep=True))
    if not trial.passed:
        say(printable(trial.output))
    notices().print(printable(trial.sentence), soft_wrap=True, markup=False, highlight=False)
    if not trial.passed:
        raise typer.Exit(1)


@commands.command("prune")
def prune_runs(
    *,
    days: Annotated[float, typer.Option("--days", min=0, help="Keep what ended since.")] = 30,
) -> None:
    """Forget runs that ended long ago, and give their room back to the disk."""

    async def pruned() -> tuple[int, int | None]:
        async with opened() as journal:
            return await forget(journal, days)

    runs, size = run(pruned())
    back = "" if size is None else f", {size} bytes given back"
    say(f"{runs} runs forgotten{back}.\n")


Which = Annotated[
    Path | None,
    typer.Option("--journal", help="Another journal, such as that of a tenant of `coai http`."),
]


@commands.command("backup")
def back_up_runs(
    file: Annotated[Path, typer.Argument(help="The new file.")], *, journal: Which = None
) -> None:
    """Write all runs as they are now to a new file, also while some are under way."""
    from coai_agents.workflows.journal.backup import back_up  # noqa: PLC0415 (as above)
    from coai_agents.workflows.journal.tables import location  # noqa: PLC0415 (as above)

    say(f"{back_up(journal or location(), file)} runs are in {file}.\n")


@commands.command("restore")
def restore_runs(
    file: Annotated[Path, typer.Argument(help="A file of `coai runs backup`.")],
    *,
    journal: Which = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing; replace.")] = False,
) -> None:
    """Put a backup in the place of all runs; what was there is kept beside it.

    End what carries runs out before.
    """
    from coai_agents.workflows.journal.backup import BEFORE, restore  # noqa: PLC0415 (as above)
    from coai_agents.workflows.journal.tables import location  # noqa: PLC0415 (as above)

    place = journal or location()
    if place.exists() and not yes:
        typer.confirm(f"Replace {place}?", abort=True, err=True)
    say(f"{restore(file, place)} runs are in {place}; {place.name}{BEFORE} is what was there.\n")
