"""Findings as SARIF 2.1.0, with the way of values as code flows."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from coai_agents.source import Encoding, Source
from coai_agents.static.findings import Severity
from coai_agents.static.rules import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coai_agents.source import Span
    from coai_agents.static.findings import Finding

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"

_LEVELS: Final = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.INFORMATION: "note",
    Severity.HINT: "note",
}


def sarif(found: Iterable[tuple[Source, Finding, str]]) -> dict[str, Any]:
    """Return one run of findings, each with its file and its fingerprint."""
    rows = list(found)
    named = sorted({finding.rule for _, finding, _ in rows})
    places = {rule: number for number, rule in enumerate(named)}
    driver = {
        "name": "coai",
        "version": version("coai"),
        "rules": [_rule(rule) for rule in named],
    }
    results = [
        {
            "ruleId": finding.rule,
            "ruleIndex": places[finding.rule],
            "level": _LEVELS[finding.severity],
            "message": {"text": finding.message},
            "locations": [{"physicalLocation": _location(source, finding.span)}],
            "partialFingerprints": {"coai/v1": fingerprint},
            **({"codeFlows": [_flow(source, finding)]} if finding.path else {}),
        }
        for source, finding, fingerprint in rows
    ]
    run = {
        "tool": {"driver": driver},
        "columnKind": "utf16CodeUnits",
        "results": results,
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: str) -> dict[str, Any]:
    concept = catalogue()[rule]
    tags = [concept.topic, *(f"external/cwe/cwe-{number}" for number in concept.cwe)]
    return {
        "id": concept.id,
        "name": concept.title,
        "shortDescription": {"text": concept.title},
        "fullDescription": {"text": f"{concept.message} {concept.why}"},
        "help": {"text": concept.advice},
        "defaultConfiguration": {"level": _LEVELS[concept.severity]},
        "properties": {"tags": [*tags, *concept.owasp]},
    }


def _location(source: Source, span: Span) -> dict[str, Any]:
    start = source.position_at(span.start, Encoding.UTF_16)
    end = source.position_at(span.end, Encoding.UTF_16)
    return {
        "artifactLocation": {"uri": source.uri},
        "region": {
            "startLine": start.line + 1,
            "startColumn": start.character + 1,
            "endLine": end.line + 1,
            "endColumn": end.character + 1,
        },
    }


def _flow(source: Source, finding: Finding) -> dict[str, Any]:
    steps = [
        {
            "location": {
                "physicalLocation": _location(source, step.span),
                "message": {"text": step.words},
            }
        }
        for step in finding.path
    ]
    return {"threadFlows": [{"locations": steps}]}
