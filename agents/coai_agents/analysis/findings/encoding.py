"""Analyses as JSON: between processes, and in the cache of `coai audit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coai_agents.analysis.dataflow.linking.outline import outline_from_document, outline_to_document
from coai_agents.analysis.findings.findings import (
    Analysis,
    Confidence,
    Finding,
    Severity,
    Step,
)
from coai_agents.analysis.findings.places import Place
from coai_agents.source import Span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def to_document(analysis: Analysis, *, outlined: bool = False) -> dict[str, Any]:
    """Return an analysis as JSON; what is the same for all of its findings is left out of them.

    With `outlined`, what other files have to know of it is in it.
    """
    outline = analysis.outline if outlined else None
    return {
        "uri": analysis.uri,
        "version": analysis.version,
        "notes": list(analysis.notes),
        "suppressed": analysis.suppressed,
        "hurried": analysis.hurried,
        **({} if outline is None else {"outline": outline_to_document(outline)}),
        "findings": [
            {
                "rule": finding.rule,
                "span": [finding.span.start, finding.span.end],
                "message": finding.message,
                "severity": finding.severity.value,
                "cwe": list(finding.cwe),
                "path": [_step(step) for step in finding.path],
                "origin": finding.origin,
                "confidence": finding.confidence.value,
            }
            for finding in analysis.findings
        ],
    }


def _step(step: Step) -> list[object]:
    here: list[object] = [step.span.start, step.span.end, step.words]
    return here if step.elsewhere is None else [*here, step.elsewhere.as_list()]


def _stepped(document: Sequence[Any]) -> Step:
    start, end, words, *elsewhere = document
    return Step(Span(start, end), words, Place.of(elsewhere[0]) if elsewhere else None)


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
                path=tuple(map(_stepped, each["path"])),
                origin=each["origin"],
                confidence=Confidence(each["confidence"]),
            )
            for each in document["findings"]
        ),
        notes=tuple(document["notes"]),
        suppressed=int(document["suppressed"]),
        hurried=bool(document["hurried"]),
        outline=outline_from_document(document["outline"]) if "outline" in document else None,
    )
