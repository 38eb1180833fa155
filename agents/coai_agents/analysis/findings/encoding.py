"""Analyses as JSON: between processes, and in the cache of `coai audit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coai_agents.analysis.findings.findings import Analysis, Confidence, Finding, Severity, Step
from coai_agents.source import Span

if TYPE_CHECKING:
    from collections.abc import Mapping


def to_document(analysis: Analysis) -> dict[str, Any]:
    """Return an analysis as JSON; what is the same for all of its findings is left out of them."""
    return {
        "uri": analysis.uri,
        "version": analysis.version,
        "notes": list(analysis.notes),
        "suppressed": analysis.suppressed,
        "hurried": analysis.hurried,
        "findings": [
            {
                "rule": finding.rule,
                "span": [finding.span.start, finding.span.end],
                "message": finding.message,
                "severity": finding.severity.value,
                "cwe": list(finding.cwe),
                "path": [[step.span.start, step.span.end, step.words] for step in finding.path],
                "origin": finding.origin,
                "confidence": finding.confidence.value,
            }
            for finding in analysis.findings
        ],
    }


def from_document(document: Mapping[str, Any]) -> Analysis:
    """Return the analysis; raises KeyError, TypeError or ValueError if it is none."""
    uri, version = str(document["uri"]), int(document["version"])
    return Analysis(
        uri=uri,
        version=version,
        findings=tuple(
            Finding(
                rule=each["rule"],
                span=Span(*each["span"]),
                message=each["message"],
                severity=Severity(each["severity"]),
                uri=uri,
                version=version,
                cwe=tuple(each["cwe"]),
                path=tuple(Step(Span(start, end), words) for start, end, words in each["path"]),
                origin=each["origin"],
                confidence=Confidence(each["confidence"]),
            )
            for each in document["findings"]
        ),
        notes=tuple(document["notes"]),
        suppressed=int(document["suppressed"]),
        hurried=bool(document["hurried"]),
    )
