"""Findings as LSP's diagnostics."""

from __future__ import annotations

from coai_agents.analysis.findings.findings import Analysis, Finding, Severity
from coai_agents.source import Encoding, Source, Span
from coai_server.lsp.features.findings.diagnostic_items import INCOMPLETE, MOST, diagnostics

SOURCE = Source("untitled:x", "abcdefgh\n" * 500, "python", version=3)


def _finding(at: int, severity: Severity) -> Finding:
    return Finding("weak-hash", Span(at, at + 1), "weak", severity, SOURCE.uri, 3)


def test_of_more_findings_than_are_sent_the_most_severe_are_and_that_is_said() -> None:
    warnings = [_finding(at, Severity.WARNING) for at in range(MOST)]
    errors = [_finding(at, Severity.ERROR) for at in (MOST + 5, MOST + 6)]
    analysis = Analysis(SOURCE.uri, 3, (*warnings, *errors), ("A note.",))
    *shown, note, cut = diagnostics(SOURCE, analysis, Encoding.UTF_16)
    assert len(shown) == MOST
    assert [each.severity for each in shown[-3:]] == [2, 1, 1]
    assert shown == sorted(shown, key=lambda each: (each.range.start.line, each.range.start))
    assert (note.message, cut.code) == ("A note.", INCOMPLETE)
    assert cut.message == "The 1,000 most severe of 1,002 findings are shown."


def test_as_many_as_are_sent_are_all_shown() -> None:
    findings = tuple(_finding(at, Severity.WARNING) for at in range(MOST))
    assert len(diagnostics(SOURCE, Analysis(SOURCE.uri, 3, findings), Encoding.UTF_16)) == MOST
