"""Explains diagnostics at a line: the static analysis's own, and those of other servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.analysis.rules.rules import catalogue
from coai_agents.fixes.fixers import fixes_for
from coai_agents.specialists.answers import Origin, Place, Section, Statement
from coai_agents.specialists.diagnosing.knowledge import known
from coai_agents.specialists.diagnosing.problems import Frame, Problem
from coai_agents.specialists.explaining.facts import place_of
from coai_agents.specialists.untrusted import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.analysis.findings.findings import Analysis, Finding
    from coai_agents.source import Source, Span

_MESSAGE_CHARACTERS = 400


def findings_at(source: Source, span: Span, analysis: Analysis, path: str) -> Iterator[Section]:
    """Yield what is known of each finding on the lines of a span."""
    first, last = source.line_at(span.start), source.line_at(span.end)
    for finding in analysis.findings:
        if source.line_at(finding.span.start) <= last and source.line_at(finding.span.end) >= first:
            yield explained_finding(source, finding, analysis, path)


def explained_finding(source: Source, finding: Finding, analysis: Analysis, path: str) -> Section:
    """Return why a finding is one, on what way a value got there, and what can be done."""
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
    fixes = fixes_for(source, [finding], analysis)
    said += [
        Statement(f"`coai fix {where}` can do this: {fix.title}.", Origin.CHECKED, "the fixers")
        for fix in fixes[:1]
    ]
    return Section(f"{finding.severity.value.capitalize()} {finding.rule}", tuple(said))


def explained_diagnostic(language: str, code: str, message: str, place: Place) -> Section:
    """Return what is known of another server's diagnostic, as its client hands it over."""
    problem = Problem(language, code, message, (Frame(place.path, place.line),))
    said = [Statement(one_line(message, _MESSAGE_CHARACTERS), Origin.FACT, code, (place,))]
    fact = known(problem)
    if fact is not None:
        by = f"known error {fact.pattern.id}"
        texts = (fact.cause, f"Look at {fact.look}.", fact.remedy)
        said += [Statement(text, Origin.FACT, by) for text in texts]
    return Section(code or "Diagnostic", tuple(said))
