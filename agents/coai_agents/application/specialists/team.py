"""Requests of any kind: a question and what it is about in; whoever knows answers, merged.

What a request says decides who is asked (`specialists.choosing`); each specialist says what it
knows of the files that are asked about, and one speaks with a model.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

from coai_agents.application.analyse import analyse
from coai_agents.application.ask import MOST_ABOUT, defining
from coai_agents.application.explain import architecture_of, design_of, diagnose
from coai_agents.application.sources import files_of, readable
from coai_agents.application.specialists.graph import answering_request
from coai_agents.application.specialists.perf import slow
from coai_agents.specialists.answering.agent import NO_FACTS, answering
from coai_agents.specialists.answers import Origin, Report, Section, Statement
from coai_agents.specialists.architecture.designing import topics_of
from coai_agents.specialists.choosing.standings import left_out
from coai_agents.specialists.choosing.tree import Aspect, choose
from coai_agents.specialists.diagnosing.findings import findings_at
from coai_agents.specialists.diagnosing.reading import read_output
from coai_agents.specialists.documentation.agent import undocumented
from coai_agents.specialists.documentation.stale import stale_documentation
from coai_agents.specialists.explaining.facts import place_of
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Container, Iterator, Sequence
    from pathlib import Path

    from coai_agents.source import Source
    from coai_agents.specialists.answering.agent import About
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.choosing.standings import Given
    from coai_agents.specialists.choosing.team import Specialist


MOST_FILES: Final = 2_000
"""Files of a folder that are looked through for what a question names."""

MOST_FINDINGS: Final = 20
MOST_LISTED: Final = 20
"""What is said of one file before the rest is only counted."""

ANSWER: Final = "answer"
"""Who speaks with a model, and is always asked."""

NAME_A_FILE: Final = "Name a file, to be told what is found in it."

_FILE: Final = re.compile(r"[\w./\\-]*\w\.\w+")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asked, about what, and whom a specialist may ask in turn."""

    question: str
    about: tuple[About, ...]
    folder: Path
    """Where it is asked: whose architecture is meant, and where the files of traces are."""
    asker: Asker
    remembered: tuple[Statement, ...] = ()
    standing: tuple[Given, ...] = ()
    """Earlier answers, which decide whom not to ask."""


async def asking_whoever_knows(asked: Asked) -> AsyncGenerator[Report]:
    """Yield what the specialists that a request is for have said so far, by COAI's own graph.

    Who was of no help before is left out now and then: see `standings.left_out`.
    """
    choice = choose(asked.question)
    members = [*_team(choice.aspects, asked)]
    out = left_out(members, asked.standing) - {ANSWER}
    helped = asked.asker.meter.members

    def ask(name: str, found: Sequence[Statement]) -> AsyncGenerator[Report]:
        helped[name] = False
        told = replace(asked, remembered=(*asked.remembered, *found))
        return _team(choice.aspects, told)[name]()

    steps = answering_request(
        asked.question, asked.about, members, ask, choice=choice, left_out=frozenset(out)
    )
    async with aclosing(steps):
        async for worked in steps:
            for name in worked.helped:
                helped[name] = True
            notes = (*worked.report.notes, *map(_left_out, worked.route.left_out))
            yield replace(worked.report, notes=notes)


async def ask_whoever_knows(asked: Asked) -> Report:
    """Return what the specialists that a request is for say in the end."""
    whole = Report("", ())
    async with aclosing(asking_whoever_knows(asked)) as reports:
        async for report in reports:
            whole = report
    return whole


def _left_out(name: str) -> str:
    return f"{name} was not asked: it was of no help lately, see `coai stats --agents`."


def files_named(question: str, folder: Path) -> list[str]:
    """Return the files of a folder that a question names, by their names or their paths."""
    said = {each.replace("\\", "/").removeprefix("./") for each in _FILE.findall(question)}
    if not said:
        return []
    known = [path.relative_to(folder).as_posix() for path in files_of(folder)]
    named = (name for name in known if any(f"/{name}".endswith(f"/{each}") for each in said))
    return list(islice(named, MOST_ABOUT))


def defined_in(folder: Path, question: str) -> list[About]:
    """Return the places of a folder that define what a question names."""

    def named() -> Iterator[tuple[str, Source]]:
        for source in readable(files_of(folder)[:MOST_FILES]):
            if source.path is not None:
                yield source.path.relative_to(folder).as_posix(), source

    return defining(question, named())


def members_of(
    question: str, aspects: Sequence[Aspect], known: Container[Aspect]
) -> tuple[str, ...]:
    """Return the names of who answers: of each aspect that is known, and who speaks with a model.

    An error that was pasted is explained by its specialist alone, which asks a model about it.
    """
    pasted = bool(read_output(question))
    names = tuple(
        each.value for each in aspects if (pasted if each is Aspect.ERROR else each in known)
    )
    return names if names == (Aspect.ERROR.value,) else (*names, ANSWER)


def _team(aspects: Sequence[Aspect], asked: Asked) -> dict[str, Specialist]:
    """Return who answers, by name."""
    known: dict[Aspect, Callable[[Asked], Report]] = {
        Aspect.ARCHITECTURE: _architecture,
        Aspect.DOCUMENTATION: _documentation,
        Aspect.PERFORMANCE: _performance,
        Aspect.SECURITY: _security,
        Aspect.REVIEW: _review,
    }
    team: dict[str, Specialist] = {}
    for name in members_of(asked.question, aspects, known):
        if name == Aspect.ERROR.value:
            team[name] = lambda: _diagnosis(asked)
        elif name == ANSWER:
            team[name] = partial(_answer, asked, silent=bool(team))
        elif name == Aspect.ARCHITECTURE.value and topics_of(asked.question):
            team[name] = lambda: _design(asked)
        else:
            say = known[Aspect(name)]
            team[name] = lambda say=say: _in_a_thread(say, asked)
    return team


async def _in_a_thread(say: Callable[[Asked], Report], asked: Asked) -> AsyncGenerator[Report]:
    yield await asyncio.to_thread(say, asked)


async def _answer(asked: Asked, *, silent: bool) -> AsyncGenerator[Report]:
    """Answer by the facts of what is named; silent where others answer if there are none."""
    reports = answering(asked.question, asked.about, asked.asker, asked.remembered)
    async with aclosing(reports):
        async for report in reports:
            kept = (note for note in report.notes if not silent or note != NO_FACTS)
            yield replace(report, notes=tuple(kept))


async def _diagnosis(asked: Asked) -> AsyncGenerator[Report]:
    report = await diagnose(asked.question, asked.folder, asked.asker)
    yield report or Report("", (), ("Nothing in it is a trace that is known here.",))


async def _design(asked: Asked) -> AsyncGenerator[Report]:
    yield await design_of(asked.question, asked.folder, asked.asker)


def _architecture(asked: Asked) -> Report:
    # Of one file there is none: it is that of the folder.
    return replace(architecture_of(asked.folder).report(), title="")


def _performance(asked: Asked) -> Report:
    def told(about: About) -> tuple[Section, ...]:
        return slow(about.source, about.path).sections

    return _of_files(asked, told, "Nothing slow is seen in {}.")


def _documentation(asked: Asked) -> Report:
    return _of_files(asked, _documented, "The documentation of {} fits, and none is missing.")


def _documented(about: About) -> tuple[Section, ...]:
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
    analysis = analyse(about.source)
    return tuple(findings_at(about.source, about.span, analysis, about.path))[:MOST_FINDINGS]


def _of_files(asked: Asked, told: Callable[[About], Sequence[Section]], nothing: str) -> Report:
    """Return what is told of each file that is asked about; `nothing` has a place for its name."""
    sections: list[Section] = []
    notes = [] if asked.about else [NAME_A_FILE]
    for about in asked.about:
        found = [each for each in told(about) if each.statements]
        sections += found
        if not found:
            notes.append(nothing.format(about.path))
    return Report("", tuple(sections), tuple(notes))
