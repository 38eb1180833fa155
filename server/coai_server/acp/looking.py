"""Agents that say what is there: each takes a turn and returns a report. Nothing is written."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_agents.application.analyse import analyse
from coai_agents.application.ask import about, ask, defining
from coai_agents.application.audit.auditing import audit
from coai_agents.application.audit.request import AuditRequest
from coai_agents.application.explain import architecture as architecture_of
from coai_agents.application.explain import diagnose
from coai_agents.application.explain import explain as explained
from coai_agents.application.review import changed_since
from coai_agents.application.specialists.perf import slow
from coai_agents.application.specialists.team import ANSWER, members_of
from coai_agents.specialists.answers import Origin, Place, Report, Section, Statement
from coai_agents.specialists.choosing.team import ask_team
from coai_agents.specialists.choosing.tree import Aspect, choose
from coai_agents.specialists.diagnosing.findings import findings_at
from coai_agents.specialists.diagnosing.reading import read_output
from coai_agents.specialists.reviewing import agent as reviewing
from coai_agents.specialists.reviewing.comments import report_of
from coai_agents.specialists.targets import Target, located
from coai_routing.errors import CoaiError
from coai_server.acp.turn import Plan, told

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from coai_agents.source import Source
    from coai_agents.specialists.answering.agent import About
    from coai_server.acp.turn import Turn

    Specialist = Callable[[Turn], Awaitable[Report]]

MOST_FINDINGS: Final = 50
"""Findings that one answer tells of a folder."""

NAME_A_FILE: Final = "Name a file, or link to one."

_SINCE: Final = re.compile(r"\bsince\s+(?P<revision>[\w./~^@{}-]+)")


async def answer(turn: Turn) -> Report:
    """Answer a question by the facts of what is named, and a model's words, marked."""
    question = turn.asked.words
    if turn.asked.targets:
        sources, notes = await turn.sources()
        places, more = await asyncio.to_thread(_places, sources)
        notes += more
    else:
        found = await asyncio.to_thread(lambda: defining(question, turn.files.every()))
        meant = tuple(dict.fromkeys(Target(each.path) for each in found))
        sources, notes = await replace(turn, asked=replace(turn.asked, targets=meant)).sources()
        # Once more, because what the editor has may differ from what is on the disk.
        named = [(target.file, source) for target, source in sources]
        places = await asyncio.to_thread(lambda: defining(question, named))
    report = await ask(question, places, turn.asker)
    return replace(report, notes=tuple(dict.fromkeys((*report.notes, *notes))))


def _places(sources: list[tuple[Target, Source]]) -> tuple[list[About], list[str]]:
    places: list[About] = []
    notes: list[str] = []
    for target, source in sources:
        try:
            places.append(about(source, target))
        except CoaiError as error:
            notes.append(str(error))
    return places, notes


async def ask_everybody(turn: Turn) -> Report:
    """Have whoever knows about it answer, side by side."""
    choice = choose(turn.asked.words)
    known = {**_ASPECTS, Aspect.ERROR: explain}
    wanted: dict[str, Specialist] = {
        name: answer if name == ANSWER else known[Aspect(name)]
        for name in members_of(turn.asked.words, choice.aspects, _ASPECTS)
    }
    plan = Plan(turn.editor, [f"Ask: {name}" for name in wanted])

    async def asked(name: str, specialist: Specialist) -> AsyncGenerator[Report]:
        await plan.mark(f"Ask: {name}", "in_progress")
        try:
            yield await specialist(turn)
        finally:
            await plan.mark(f"Ask: {name}", "completed")

    return await ask_team(choice, {name: partial(asked, name, who) for name, who in wanted.items()})


async def explain(turn: Turn) -> Report:
    """Explain places, or a program's failure where its trace was pasted."""
    if not turn.asked.targets or read_output(turn.asked.words):
        async with turn.editor.tool("Read the failure", "think"):
            report = await diagnose(turn.asked.words, turn.files.folder, turn.asker)
        if report is not None:
            return report
    return await turn.of_each(
        lambda source, target: explained(source, target, turn.asker), NAME_A_FILE
    )


async def review(turn: Turn) -> Report:
    """Comment on what changed in the working tree since a revision, `HEAD` unless one is named."""
    since = _SINCE.search(turn.asked.words)
    revision = since["revision"] if since else "HEAD"
    named = [turn.files.folder / each.file for each in turn.asked.targets] or [turn.files.folder]
    reports: list[Report] = []
    for path in named:
        async with turn.editor.tool(f"Review the changes since {revision}", "read", [path]):
            diff = await asyncio.to_thread(changed_since, path, revision)
            found = (
                await reviewing.review(diff, turn.asker) if diff.files else reviewing.facts(diff)
            )
        reports.append(report_of(found.comments, found.notes))
    sections = tuple(section for each in reports for section in each.sections)
    notes = [note for each in reports for note in each.notes]
    return Report("", sections, tuple(notes)) if sections else told("No comments.", notes=notes)


async def security(turn: Turn) -> Report:
    """Tell what static analysis finds in the files that are meant, or in the folder."""
    if turn.asked.targets:
        report = await turn.of_each(_findings, NAME_A_FILE)
        return report if report.sections else told("Nothing is found.", notes=report.notes)
    folder = turn.files.folder
    async with turn.editor.tool("Look for vulnerabilities", "search", [folder]):
        found = await asyncio.to_thread(lambda: audit(AuditRequest(paths=(folder,))))
    said = tuple(
        Statement(
            row.finding.message,
            Origin.FACT,
            row.finding.rule,
            (Place(_relative(row.source, folder), row.line, row.line),),
        )
        for row in found.rows[:MOST_FINDINGS]
    )
    notes = list(found.problems)
    if more := len(found.rows) - len(said):
        notes.append(f"{more} more findings; name a file to be told all of it.")
    counted = f"{len(found.rows)} findings in {len(found.audited)} files"
    return (
        Report("", (Section(counted, said),), tuple(notes))
        if said
        else told(f"{counted}.", notes=notes)
    )


async def _findings(source: Source, target: Target) -> Report:
    place = await located(source, target)
    analysis = await asyncio.to_thread(analyse, source)
    found = tuple(findings_at(source, place.span, analysis, target.file))
    return Report("", found[:MOST_FINDINGS], tuple(analysis.notes))


async def performance(turn: Turn) -> Report:
    """Tell what is slow by its shape in the files that are meant."""

    async def told_of(source: Source, target: Target) -> Report:
        return await asyncio.to_thread(slow, source, target.file)

    report = await turn.of_each(told_of, NAME_A_FILE)
    return (
        report
        if report.sections or not turn.asked.targets
        else told("Nothing slow is seen.", notes=report.notes)
    )


async def architecture(turn: Turn) -> Report:
    """Show how the files of the folder hang together."""
    folder = turn.files.folder
    async with turn.editor.tool("Read the modules", "search", [folder]):

        def seen() -> Report:
            return architecture_of(folder, [source for _, source in turn.files.every()]).report()

        return await asyncio.to_thread(seen)


def _relative(source: Source, folder: Path) -> str:
    path = source.path or Path()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


_ASPECTS: Final[dict[Aspect, Specialist]] = {
    Aspect.ARCHITECTURE: architecture,
    Aspect.PERFORMANCE: performance,
    Aspect.SECURITY: security,
    Aspect.REVIEW: security,
}
