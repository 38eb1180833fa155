"""Explanations of a place, of a failure, of a folder's architecture: sources in, reports out."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from coai_agents.application.analyse import analyse
from coai_agents.application.sources import SourceFileError, files_of, readable
from coai_agents.specialists.targets import located

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.source import Source
    from coai_agents.specialists.answers import Report, Section
    from coai_agents.specialists.architecture.report import Architecture
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.targets import Target

MOST_REASONS: Final = 2
"""Findings of one place of which a model says how they would be exploited."""

MOST_COMMITS: Final = 2_000
"""How far the history is read: older commits say little of the code as it is."""


async def explain(source: Source, target: Target, asker: Asker) -> Report:
    """Return what code does and what was found in it; lines are asked about for their findings.

    Raises `TargetError` where nothing is there.
    """
    from coai_agents.specialists.diagnosing.findings import findings_at  # noqa: PLC0415 - as below
    from coai_agents.specialists.explaining import agent  # noqa: PLC0415 - for one function each

    found_at = await located(source, target)
    # A door that serves several at once goes on meanwhile.
    analysis = await asyncio.to_thread(analyse, source)
    report = await agent.explain(found_at, asker, findings=analysis.findings, path=target.file)
    if not found_at.definitions:
        note = f"{target.file or 'It'} defines no function and no class there."
        report = replace(report, notes=(note, *report.notes))
    if not target.first:
        return report
    found = tuple(findings_at(source, found_at.span, analysis, target.file))
    first, last = (source.line_at(each) for each in (found_at.span.start, found_at.span.end))
    here = [e for e in analysis.findings if first <= source.line_at(e.span.start) <= last]
    reasons, notes = await reasons_of(source, here, target.file, asker)
    sections = (*found, *reasons, *report.sections)
    return replace(report, sections=sections, notes=(*report.notes, *notes))


async def reasons_of(
    source: Source, findings: Iterable[Finding], path: str, asker: Asker
) -> tuple[list[Section], list[str]]:
    """Return how weaknesses would be exploited, in a model's words that were checked; and notes.

    Without a model there is nothing, and no note: the facts of a finding say what is certain.
    """
    from coai_agents.specialists.security.reasons import reasoned  # noqa: PLC0415 - as below
    from coai_agents.syntax.tree import parse  # noqa: PLC0415 - as below

    weak = [each for each in findings if each.cwe][:MOST_REASONS]
    tree = parse(source) if weak and asker.absent is None else None
    told = [] if tree is None else [await reasoned(tree, each, path, asker) for each in weak]
    sections = [section for section, _ in told if section.statements]
    return sections, list(dict.fromkeys(why for _, why in told if why))


async def diagnose(text: str, folder: Path, asker: Asker) -> Report | None:
    """Return why a program failed, by what it wrote; None where nothing in it is known.

    The files that it names are looked for in `folder`.
    """
    from coai_agents.specialists.diagnosing import agent  # noqa: PLC0415 - as above
    from coai_agents.specialists.diagnosing.resolving import Workspace  # noqa: PLC0415 - as above

    return await agent.diagnose(text, Workspace(folder), asker)


def architecture_of(folder: Path) -> Architecture:
    """Return how the files below a folder hang together; a note names what cannot be read.

    `folder` is absolute.
    """
    if not folder.is_dir():
        raise SourceFileError(f"{folder} is no folder.", remedy="Name a folder that is there.")
    notes: list[str] = []
    found = architecture(folder, list(readable(files_of(folder), notes)))
    return replace(found, notes=(*notes, *found.notes))


async def design_of(request: str, folder: Path, asker: Asker) -> Report:
    """Return the options for what a request wants, held against the files below a folder.

    `folder` is absolute.
    """
    from coai_agents.specialists.architecture.designing import design  # noqa: PLC0415 - as above

    known = await asyncio.to_thread(architecture_of, folder)
    return await design(request, known, asker)


def architecture(folder: Path, sources: Iterable[Source]) -> Architecture:
    """Return how the files of a folder hang together, from their imports and their history.

    `folder` is absolute. Where git tells no history, a note says why.
    """
    from coai_agents.git import commits_of  # noqa: PLC0415 - as above
    from coai_agents.git_repository import GitError  # noqa: PLC0415 - as above
    from coai_agents.specialists.architecture import report  # noqa: PLC0415 - as above
    from coai_agents.specialists.architecture.graph import module_graph  # noqa: PLC0415 - as above

    known = list(sources)
    named = {
        source.path.relative_to(folder).as_posix(): source
        for source in known
        if source.path is not None
    }
    notes: tuple[str, ...] = ()
    try:
        commits = commits_of(folder, MOST_COMMITS)
    except GitError as error:
        commits = []
        notes = (f"There is no history: {error}",)
    return replace(report.architecture(module_graph(folder, known), named, commits), notes=notes)
