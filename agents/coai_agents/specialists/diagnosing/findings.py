"""Explains findings of the static analysis at a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.analysis.rules.rules import catalogue
from coai_agents.fixes.fixers import fixes_for
from coai_agents.specialists.answers import Origin, Section, Statement
from coai_agents.specialists.explaining.facts import place_of
from coai_agents.specialists.untrusted import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.analysis.findings.findings import Analysis, Finding
    from coai_agents.source import Source, Span


def findings_at(source: Source, span: Span, analysis: Analysis, path: str) -> Iterator[Section]:
    """Yield what is known of each finding on the lines of a span."""
    first, last = source.line_at(span.start), source.line_at(span.end)
    for finding in analysis.findings:
        if source.line_at(finding.span.start) <= last and source.line_at(finding.span.end) >= first:
            yield explained_finding(source, finding, analysis, path)


def explained_finding(
    source: Source, finding: Finding, analysis: Analysis | None, path: str
) -> Section:
    """Return why a finding is one, on what way a value got there, and what can be done.

    With the `analysis` of the file a fix is looked for too, which analyses the file again.
    """
    where = place_of(source, finding.span, path)
    said = [Statement(finding.message, Origin.FACT, finding.rule, (where,))]
    concept = catalogue().get(finding.rule)
    if concept is not None:
        said.append(Statement(concept.why, Origin.FACT, finding.rule))
    said += [
        Statement(
            f"{step.words}: `{one_line(source.slice(step.span), 80)}`",
            Origin.FACT,
            finding.rule,
            (place_of(source, step.span, path),),
        )
        for step in finding.path
    ]
    if concept is not None:
        said.append(Statement(f"Instead: {concept.advice}", Origin.FACT, finding.rule))
    fixes = [] if analysis is None else fixes_for(source, [finding], analysis)
    said += [
        Statement(f"`coai fix {where}` can do this: {fix.title}.", Origin.CHECKED, "the fixers")
        for fix in fixes[:1]
    ]
    return Section(f"{finding.severity.value.capitalize()} {finding.rule}", tuple(said))
