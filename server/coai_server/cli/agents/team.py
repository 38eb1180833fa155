"""The specialists that `coai ask` has: each says what it knows of the place that is asked about."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from coai_agents.specialists.answering.agent import About
    from coai_agents.specialists.answers import Report, Section, Statement
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.choosing.tree import Choice

    Specialist = Callable[[], Awaitable[Report]]

MOST_FINDINGS: Final = 20
MOST_LISTED: Final = 20
"""What is said of one file before the rest is only counted."""

NAME_A_FILE: Final = "Name a file, to be told what is found in it."


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asked, about what, and whom a specialist may ask in turn."""

    question: str
    about: tuple[About, ...]
    asker: Asker
    remembered: tuple[Statement, ...] = ()


def team_of(choice: Choice, asked: Asked) -> dict[str, Specialist]:
    """Return who answers, by name: who has the facts of each aspect, and who speaks with a model.

    An error that was pasted is explained by its specialist alone, which asks a model about it.
    """
    from coai_agents.specialists.choosing.tree import Aspect  # noqa: PLC0415 (not for `--help`)
    from coai_agents.specialists.diagnosing.reading import read_output  # noqa: PLC0415 (as above)

    known: dict[Aspect, Callable[[Asked], Report]] = {
        Aspect.ARCHITECTURE: _architecture,
        Aspect.DOCUMENTATION: _documentation,
        Aspect.PERFORMANCE: _performance,
        Aspect.SECURITY: _security,
        Aspect.REVIEW: _review,
    }
    team: dict[str, Specialist] = {}
    for aspect in choice.aspects:
        if aspect is Aspect.ERROR and read_output(asked.question):
            team[aspect.value] = lambda: _diagnosis(asked)
        elif aspect in known:
            say = known[aspect]
            team[aspect.value] = lambda say=say: asyncio.to_thread(say, asked)
    if list(team) != [Aspect.ERROR.value]:
        silent = bool(team)
        team["answer"] = lambda: _answer(asked, silent=silent)
    return team


async def _answer(asked: Asked, *, silent: bool) -> Report:
    """Answer by the facts of what is named; silent where others answer if there are none."""
    from coai_agents.specialists.answering.agent import NO_FACTS, answer  # noqa: PLC0415 (as above)

    report = await answer(asked.question, asked.about, asked.asker, asked.remembered)
    if silent:
        report = replace(report, notes=tuple(note for note in report.notes if note != NO_FACTS))
    return report


async def _diagnosis(asked: Asked) -> Report:
    from coai_agents.specialists.answers import Report  # noqa: PLC0415 (as above)
    from coai_agents.specialists.diagnosing.agent import diagnose  # noqa: PLC0415 (as above)
    from coai_agents.specialists.diagnosing.resolving import Workspace  # noqa: PLC0415 (as above)

    report = await diagnose(asked.question, Workspace(Path.cwd()), asked.asker)
    return report or Report("", (), ("Nothing in it is a trace that is known here.",))


def _architecture(asked: Asked) -> Report:
    from coai_server.cli.agents.architecture import architecture_of  # noqa: PLC0415 (as above)

    del asked  # Of one file there is none: it is that of the folder.
    return replace(architecture_of(Path.cwd()).report(), title="")


def _performance(asked: Asked) -> Report:
    from coai_agents.specialists.performance.agent import report  # noqa: PLC0415 (as above)

    def told(about: About) -> tuple[Section, ...]:
        return report(about.source, about.path, None).sections

    return _of_files(asked, told, "Nothing slow is seen in {}.")


def _documentation(asked: Asked) -> Report:
    from coai_agents.specialists.answers import Origin, Section, Statement  # noqa: PLC0415 (as above)
    from coai_agents.specialists.documentation.agent import undocumented  # noqa: PLC0415 (as above)
    from coai_agents.specialists.documentation.stale import (  # noqa: PLC0415 (as above)
        stale_documentation,
    )
    from coai_agents.specialists.explaining.facts import place_of  # noqa: PLC0415 (as above)
    from coai_agents.syntax.tree import parse  # noqa: PLC0415 (as above)

    def told(about: About) -> tuple[Section, ...]:
        tree = parse(about.source)
        if tree is None:
            return ()
        stale = tuple(
            Statement(
                f"{each.definition.qualified_name}: {each.problem.sentence()}",
                Origin.FACT,
                each.problem.kind.value,
                (place_of(about.source, each.where, about.path),),
            )
            for each in stale_documentation(tree)
        )
        missing = tuple(
            Statement(
                f"{each.qualified_name} has no documentation.",
                Origin.FACT,
                "undocumented",
                (place_of(about.source, each.span, about.path),),
            )
            for each in undocumented(tree)
        )
        return (
            Section("Documentation that does not fit", stale[:MOST_LISTED]),
            Section("Not documented", missing[:MOST_LISTED]),
        )

    return _of_files(asked, told, "The documentation of {} fits, and none is missing.")


def _security(asked: Asked) -> Report:
    return _of_files(asked, _findings, "The static analysis finds nothing in {}.")


def _review(asked: Asked) -> Report:
    """Say what is known to be wrong: what a review begins with."""
    found = _security(asked)
    costs = _performance(asked)
    fits = _documentation(asked)
    sections = (*found.sections, *costs.sections, *fits.sections)
    notes = found.notes if not sections else ()
    return replace(found, sections=sections, notes=notes)


def _findings(about: About) -> tuple[Section, ...]:
    from coai_agents.analysis.run.analyzer import analyse  # noqa: PLC0415 (as above)
    from coai_agents.specialists.diagnosing.findings import findings_at  # noqa: PLC0415 (as above)

    analysis = analyse(about.source)
    return tuple(findings_at(about.source, about.span, analysis, about.path))[:MOST_FINDINGS]


def _of_files(asked: Asked, told: Callable[[About], Sequence[Section]], nothing: str) -> Report:
    """Return what is told of each file that is asked about; `nothing` has a place for its name."""
    from coai_agents.specialists.answers import Report  # noqa: PLC0415 (as above)

    sections: list[Section] = []
    notes = [] if asked.about else [NAME_A_FILE]
    for about in asked.about:
        found = [each for each in told(about) if each.statements]
        sections += found
        if not found:
            notes.append(nothing.format(about.path))
    return Report("", tuple(sections), tuple(notes))
