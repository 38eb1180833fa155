"""Findings as LSP's diagnostics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lsprotocol import types

from coai_agents.analysis.findings.findings import Severity
from coai_agents.analysis.rules.page_addresses import page_of
from coai_agents.analysis.rules.rules import concept_of

if TYPE_CHECKING:
    from coai_agents.analysis.findings.findings import Analysis, Finding, Step
    from coai_agents.source import Encoding, Source, Span

SOURCE: Final = "coai"

INCOMPLETE: Final = "incomplete"
"""The code of what says that something was left out."""

MOST: Final = 1_000
"""Diagnostics of a document that are sent. VS Code keeps as many of a file, and to write those of a
generated file, which has tens of thousands, would keep the daemon busy for seconds."""

_SEVERITIES: Final = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
    Severity.INFORMATION: types.DiagnosticSeverity.Information,
    Severity.HINT: types.DiagnosticSeverity.Hint,
}

_TAGS: Final = {
    "deprecated": types.DiagnosticTag.Deprecated,
    "unnecessary": types.DiagnosticTag.Unnecessary,
}


def diagnostics(source: Source, analysis: Analysis, encoding: Encoding) -> list[types.Diagnostic]:
    """Return findings as LSP has them; where something was left out, a last one says so."""
    findings, notes = analysis.findings, analysis.notes
    if len(findings) > MOST:
        worst = sorted(findings, key=lambda each: (each.severity.rank, each.span.start))[:MOST]
        notes = (*notes, f"The {MOST:,} most severe of {len(findings):,} findings are shown.")
        findings = tuple(sorted(worst, key=lambda each: each.span.start))
    shown = [_diagnostic(source, finding, encoding) for finding in findings]
    start = types.Position(0, 0)
    shown += [
        types.Diagnostic(
            range=types.Range(start, start),
            message=note,
            severity=types.DiagnosticSeverity.Information,
            source=SOURCE,
            code=INCOMPLETE,
        )
        for note in notes
    ]
    return shown


def severity_of(severity: Severity) -> types.DiagnosticSeverity:
    """Return a severity as LSP has it."""
    return _SEVERITIES[severity]


def _diagnostic(source: Source, finding: Finding, encoding: Encoding) -> types.Diagnostic:
    concept = concept_of(finding.rule)
    related = [
        types.DiagnosticRelatedInformation(
            location=_location(source, step, encoding),
            message=step.words,
        )
        for step in finding.path
    ]
    return types.Diagnostic(
        range=range_of(source, finding.span, encoding),
        message=finding.message,
        severity=_SEVERITIES[finding.severity],
        code=finding.rule,
        code_description=types.CodeDescription(href=page_of(finding.rule)),
        source=SOURCE,
        tags=[_TAGS[tag] for tag in concept.tags] or None,
        related_information=related or None,
    )


def _location(source: Source, step: Step, encoding: Encoding) -> types.Location:
    there = step.elsewhere
    if there is None:
        return types.Location(source.uri, range_of(source, step.span, encoding))
    start = types.Position(there.line, there.start)
    return types.Location(there.uri, types.Range(start, types.Position(there.end_line, there.end)))


def range_of(source: Source, span: Span, encoding: Encoding) -> types.Range:
    """Return a span as LSP has it."""
    start, end = source.position_at(span.start, encoding), source.position_at(span.end, encoding)
    return types.Range(
        types.Position(start.line, start.character), types.Position(end.line, end.character)
    )
