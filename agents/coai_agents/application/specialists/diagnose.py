"""Diagnostics of any language server: one in, what is known of it and what a model says out."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from coai_agents.application.explain import reasons_of
from coai_agents.specialists.diagnosing.agent import diagnosing
from coai_agents.specialists.diagnosing.diagnostics import own_of, problem_of
from coai_agents.specialists.diagnosing.findings import explained_finding

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from coai_agents.analysis.findings.findings import Analysis
    from coai_agents.source import Source
    from coai_agents.specialists.answers import Report
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.diagnosing.diagnostics import Diagnostic


async def explain_diagnostic(
    source: Source,
    diagnostic: Diagnostic,
    path: str,
    asker: Asker,
    *,
    analysis: Analysis | None = None,
) -> AsyncGenerator[Report]:
    """Yield what is known of a diagnostic at once, then more and more of what a model says.

    With the `analysis` of the snapshot a finding of our own is told with its way and its advice.
    `path` is the document's within its folder.
    """
    problem = problem_of(source, diagnostic, path)
    known = [
        each
        for each in (() if analysis is None else analysis.findings)
        if (each.rule, each.span) == (diagnostic.code, diagnostic.span)
    ]
    finding = tuple(explained_finding(source, each, None, path) for each in known)
    report: Report | None = None
    own = [own_of(source, diagnostic, path)]
    async with aclosing(diagnosing(problem, own, asker)) as reports:
        async for report in reports:
            yield replace(report, sections=(*report.sections, *finding))
    reasons, notes = await reasons_of(source, known, path, asker)
    if report is not None and (reasons or notes):
        sections = (*reasons, *report.sections, *finding)
        yield replace(report, sections=sections, notes=(*report.notes, *notes))
