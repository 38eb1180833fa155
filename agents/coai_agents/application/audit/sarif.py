"""Findings as SARIF 2.1.0, with the way of values as code flows."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from coai_agents.analysis.findings.findings import Confidence, Severity
from coai_agents.analysis.rules.rules import concept_of
from coai_agents.fixes.proposals import verified_fixes
from coai_agents.source import Encoding
from coai_routing.privacy.secrets import redact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.analysis.findings.places import Place
    from coai_agents.analysis.run.survey import Audited
    from coai_agents.application.audit.selection import Row
    from coai_agents.fixes.fix import Fix
    from coai_agents.source import Source, Span

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"

_LEVELS: Final = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.INFORMATION: "note",
    Severity.HINT: "note",
}


_RANKS: Final = {Confidence.HIGH: 90.0, Confidence.MEDIUM: 60.0, Confidence.LOW: 30.0}
"""SARIF's priority of a result among those of its level, from 0 to 100 (3.27.25)."""


def document(rows: Sequence[Row], audited: Sequence[Audited]) -> dict[str, Any]:
    """Return one run: findings with their ways, the fixes that were verified, and what was missed.

    A fix is one that has passed the verifier; a file that was not looked at wholly is a
    notification of the run.
    """
    texts = {each.path: each for each in audited}
    fixes: dict[Path, list[Fix]] = {}
    for row in rows:
        path = row.source.path
        if path is not None and path not in fixes and path in texts:
            some = [each.finding for each in rows if each.source is row.source]
            before = texts[path].analysis
            fixes[path] = verified_fixes(row.source, some, before)
    named = sorted({row.finding.rule for row in rows})
    places = {rule: number for number, rule in enumerate(named)}
    results = [
        _result(row, places, fixes.get(row.source.path, []) if row.source.path else [])
        for row in rows
    ]
    notices = [
        {
            "level": "warning",
            "message": {"text": note},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": each.path.as_uri()}}}],
        }
        for each in audited
        for note in each.analysis.notes
    ]
    driver = {
        "name": "coai",
        "version": version("coai"),
        "semanticVersion": version("coai"),
        "rules": [_rule(rule) for rule in named],
    }
    invocation: dict[str, Any] = {"executionSuccessful": True}
    if notices:
        invocation["toolExecutionNotifications"] = notices
    run = {
        "tool": {"driver": driver},
        "columnKind": "utf16CodeUnits",
        "invocations": [invocation],
        "results": results,
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(row: Row, places: Mapping[str, int], fixes: Sequence[Fix]) -> dict[str, Any]:
    source, finding = row.source, row.finding
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": places[finding.rule],
        "level": _LEVELS[finding.severity],
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": _location(source, finding.span)}],
        "partialFingerprints": {"coai/v1": row.fingerprint},
        "rank": _RANKS[finding.confidence],
        "properties": {"confidence": finding.confidence.value},
    }
    if row.triage is not None:
        result["properties"]["triage"] = dict(row.triage)
    if finding.path:
        result["codeFlows"] = [_flow(source, finding)]
    own = [fix for fix in fixes if (fix.rule, fix.span) == (finding.rule, finding.span)]
    # A fix that would put a secret into the report is left to `--fix`: masked, it would be wrong.
    told = [fix for fix in own if all(redact(edit.text) == edit.text for edit in fix.edits)]
    if told:
        result["fixes"] = [_fix(source, fix) for fix in told]
    return result


def _fix(source: Source, fix: Fix) -> dict[str, Any]:
    replacements = [
        {
            "deletedRegion": _location(source, edit.span)["region"],
            "insertedContent": {"text": edit.text},
        }
        for edit in fix.edits
        if edit.span is not None
    ]
    change = {"artifactLocation": {"uri": source.uri}, "replacements": replacements}
    return {"description": {"text": fix.title}, "artifactChanges": [change]}


def _rule(rule: str) -> dict[str, Any]:
    concept = concept_of(rule)
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


def _elsewhere(place: Place) -> dict[str, Any]:
    return {
        "artifactLocation": {"uri": place.uri},
        "region": {
            "startLine": place.line + 1,
            "startColumn": place.start + 1,
            "endLine": place.end_line + 1,
            "endColumn": place.end + 1,
        },
    }


def _flow(source: Source, finding: Finding) -> dict[str, Any]:
    steps = [
        {
            "location": {
                "physicalLocation": _location(source, step.span)
                if step.elsewhere is None
                else _elsewhere(step.elsewhere),
                "message": {"text": step.words},
            }
        }
        for step in finding.path
    ]
    return {"threadFlows": [{"locations": steps}]}
