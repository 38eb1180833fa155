"""`coai run`: carry a plan out, with what happens shown as it happens."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from coai_server.cli.console import notices, run, say, write_json
from coai_server.cli.runs.opening import (
    Wanted,
    choose_cluster,
    engine_for,
    library,
    opened,
    own_tests,
    travelling,
)
from coai_server.terminal import printable

if TYPE_CHECKING:
    from coai_agents.workflows.cluster.following import Following
    from coai_agents.workflows.definition.schema import Plan
    from coai_agents.workflows.engine.engine import Engine, Outcome
    from coai_agents.workflows.journal.interface import RunJournal
    from coai_agents.workflows.reports.report import Report

MOST_BYTES: Final = 20_000_000
"""Of an input."""

Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The PostgreSQL of your machines, without a password; else `cluster.url`.",
    ),
]

EXIT: Final = {"done": 0, "failed": 1, "cancelled": 1, "waiting": 3, "paused": 3}
"""0 for a run that is done, 1 for one that is not and will not be, 3 for one that can go on."""


def run_plan(
    what: Annotated[
        str | None, typer.Argument(metavar="NAME|FILE|-", help="The ensemble; - reads it.")
    ] = None,
    *,
    given: Annotated[
        str | None, typer.Option("--input", help="What it is about; JSON where the plan says so.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", help="A file with the input.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
    as_text: Annotated[bool, typer.Option("--text", help="Write the result alone.")] = False,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Ask no model: steps that need one fail.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(metavar="ALIAS", help="Ask this model of `coai route models`.")
    ] = None,
    cluster: Cluster = None,
    test: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="Your tests, for the steps that run them. Else `agents.test_command`.",
        ),
    ] = None,
) -> None:
    """Carry an ensemble out: several agents on one thing.

    What happened is kept: a run that was stopped goes on with `coai runs resume`. Alone it asks for
    an ensemble and its input. Exit code 0 if it is done, 1 if it failed, 2 if it cannot begin, 3 if
    it waits for an answer or was paused.
    """
    choose_cluster(cluster)
    plan = _plan(what)
    value = _input(plan, given, file, from_pipe=what != "-")
    shows = [] if file is None else [str(file.resolve())]
    wanted = Wanted(not no_model, model, own_tests(test, Path.cwd()))
    outcome, report = run(_carried_out(plan, value, wanted, shows, quiet=as_json))
    show(outcome, report, as_json=as_json, as_text=as_text)


def show(outcome: Outcome, report: Report, *, as_json: bool, as_text: bool) -> None:
    """Write what a run came to, and end the command."""
    from coai_agents.workflows.reports.report import plain  # noqa: PLC0415 (not for `--help`)

    if as_json:
        write_json({"ok": outcome.state == "done", **report.as_json()})
    elif as_text:
        if said := plain(report.result):
            say(f"{said}\n")
        if why := report.error or report.unasked:
            notices().print(why, soft_wrap=True)
    else:
        say(report.as_markdown())
        if report.edits and outcome.state == "done":
            notices().print(f"Next: coai runs apply {outcome.run}")
        if outcome.state in ("paused", "waiting"):
            notices().print(f"Next: coai runs resume {outcome.run}")
    raise typer.Exit(EXIT.get(outcome.state, 1))


def _plan(what: str | None) -> Plan:
    from coai_agents.workflows.definition.loading import load_text  # noqa: PLC0415 (not for `--help`)
    from coai_agents.workflows.errors import WorkflowError  # noqa: PLC0415 (as above)
    from coai_server.cli.runs.opening import known  # noqa: PLC0415 (as above)

    plans = library()
    if what is None:
        what = _asked_for("Which ensemble?", list(plans.entries()))
    try:
        if what == "-":
            text = sys.stdin.buffer.read(MOST_BYTES).decode("utf-8", "replace")
            return load_text(text, known(), "-")
        if what in plans.entries():
            return plans.plan(what)
        if Path(what).is_file():
            return plans.file(Path(what))
        return plans.plan(what)
    except WorkflowError as error:
        notices().print(error.message)
        notices().print(error.remedy)
        raise typer.Exit(2) from error


def _asked_for(question: str, choices: list[str] | None = None) -> str:
    """Ask in the terminal; without one nobody can be asked."""
    if not sys.stdin.isatty():
        notices().print("Name an ensemble: `coai ensembles list` shows them.")
        raise typer.Exit(2)
    if choices:
        notices().print(", ".join(choices))
    return str(typer.prompt(question, err=True))


def _input(plan: Plan, given: str | None, file: Path | None, *, from_pipe: bool) -> Any:  # noqa: ANN401
    """Return the input, of the type that the plan takes."""
    from coai_agents.application.sources import read_text  # noqa: PLC0415 (as above)
    from coai_agents.workflows.definition.types import misfit, read_type  # noqa: PLC0415 (as above)

    if file is not None:
        given = read_text(file)
    elif given is None and from_pipe and not sys.stdin.isatty():
        given = sys.stdin.buffer.read(MOST_BYTES).decode("utf-8", "replace")
    elif given is None and sys.stdin.isatty():
        given = _asked_for("Input?")
    wanted = read_type(plan.input)
    value: Any = given or ""
    if wanted.kind not in ("text", "any"):
        try:
            value = json.loads(value)
        except ValueError as error:
            notices().print(f"The input of {plan.name} is {wanted}, so JSON was expected: {error}")
            raise typer.Exit(2) from error
    if wrong := misfit(value, wanted, "the input"):
        notices().print(f"{wrong}: {plan.name} takes {wanted}.")
        raise typer.Exit(2)
    return value


async def _carried_out(
    plan: Plan, value: object, wanted: Wanted, shows: list[str], *, quiet: bool
) -> tuple[Outcome, Report]:
    from coai_agents.workflows.journal.journal import Journal  # noqa: PLC0415 (as above)
    from coai_agents.workflows.journal.pruning import prune_sometimes  # noqa: PLC0415 (as above)
    from coai_server.cli.runs.live import shown  # noqa: PLC0415 (as above)

    here = Path.cwd()
    facts: dict[str, Any] = {"workspace": str(here), "models": wanted.models, "alias": wanted.alias}
    facts["paths"] = _relative(shows, here)
    facts["test"] = wanted.test
    async with opened() as journal:
        if isinstance(journal, Journal):
            await prune_sometimes(journal)
        else:
            facts["travelling"] = travelling()
        async with engine_for(journal, here, wanted) as engine:
            with shown(plan.name, quiet=quiet) as tell:
                outcome = await engine.start(plan, value, facts=facts, tell=tell)
            outcome = await answered(journal, engine, outcome)
        return outcome, await report(journal, outcome.run)


def _relative(paths: list[str], folder: Path) -> list[str]:
    """Return paths as the settings' patterns name them: relative to the folder where they are."""
    inside = [Path(each) for each in paths]
    return [
        each.relative_to(folder).as_posix() if each.is_relative_to(folder) else each.name
        for each in inside
    ]


async def answered(journal: RunJournal, engine: Engine | Following, outcome: Outcome) -> Outcome:
    """Ask who sits at the terminal what a run waits for, and go on; else it stays waiting."""
    from coai_server.cli.runs.live import shown  # noqa: PLC0415 (as above)

    while outcome.state == "waiting" and sys.stdin.isatty():
        questions = (await report(journal, outcome.run)).questions
        for step, asked in questions:
            choices: list[str] = asked["choices"]
            more = f" ({', '.join(choices)})" if choices else ""
            if messages := asked["about"].get("messages"):
                notices().print(printable(str(messages)), markup=False, highlight=False)
            answer = _asked_for(f"{asked['question']}{more}")
            await engine.answer(outcome.run, step, answer)
        with shown(outcome.run, quiet=False) as tell:
            outcome = await engine.resume(outcome.run, tell=tell)
    return outcome


async def report(journal: RunJournal, name: str) -> Report:
    """Return the report of a run; raises `RunNotFoundError`."""
    from coai_agents.workflows.reports.report import report_of  # noqa: PLC0415 (as above)

    return report_of(await journal.story(name))
