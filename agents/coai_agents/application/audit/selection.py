"""Which findings of an audit count, each with what recognises it again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from coai_agents.analysis.findings.findings import Confidence, Severity
from coai_agents.application.audit.wishes import Wishes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.analysis.run.survey import Audited
    from coai_agents.source import Source


@dataclass(frozen=True, slots=True)
class Row:
    """A finding, its file, and what recognises it again when lines have moved."""

    source: Source
    finding: Finding
    fingerprint: str
    triage: Mapping[str, Any] | None = None
    """What triage has to say of it, where it was asked for."""

    @property
    def line(self) -> int:
        """The line, from 1."""
        return self.source.line_at(self.finding.span.start) + 1

    def as_json(self) -> dict[str, Any]:
        """Return it with lines and columns from 1, columns in characters."""
        finding, source = self.finding, self.source
        start = source.line_start(self.line - 1)
        return {
            "rule": finding.rule,
            "severity": finding.severity.value,
            "confidence": finding.confidence.value,
            "message": finding.message,
            "path": str(source.path),
            "line": self.line,
            "column": finding.span.start - start + 1,
            "cwe": list(finding.cwe),
            "fingerprint": self.fingerprint,
            "flow": [
                {"line": source.line_at(step.span.start) + 1, "words": step.words}
                if step.elsewhere is None
                else {
                    "uri": step.elsewhere.uri,
                    "line": step.elsewhere.line + 1,
                    "words": step.words,
                }
                for step in finding.path
            ],
            **({} if self.triage is None else {"triage": self.triage}),
        }


@dataclass(frozen=True, slots=True)
class Selection:
    """Which findings count; all of them unless something is said."""

    level: Severity = Severity.HINT
    """The least severity that counts."""
    changed: dict[Path, list[range]] | None = None
    """The lines, from 1, that a finding has to touch; None for all."""
    known: frozenset[str] = frozenset()
    """Fingerprints of what does not count."""
    wishes: Wishes = field(default_factory=Wishes)
    confidence: Confidence = Confidence.LOW
    """The least confidence that counts."""

    def rows_of(self, audited: Audited) -> list[Row]:
        """Return a file's findings that count."""
        return [
            row
            for row in rows_of(self.wishes.shown(audited))
            if row.finding.severity.rank <= self.level.rank
            and row.finding.confidence.rank <= self.confidence.rank
            and row.fingerprint not in self.known
            and (self.changed is None or _touches(row, self.changed.get(audited.path, [])))
        ]


def rows_of(audited: Audited) -> list[Row]:
    """Return a file's findings with their fingerprints.

    A fingerprint is made of the rule, the file's name and the line's text, with a number where
    the same comes again, so that code above may change.
    """
    if not audited.analysis.findings:
        return []
    import hashlib  # noqa: PLC0415 (only where something was found)

    from coai_agents.source import Source  # noqa: PLC0415 (as above)

    source = Source(audited.path.as_uri(), audited.text)
    seen: Counter[str] = Counter()
    rows: list[Row] = []
    for finding in audited.analysis.findings:
        line = source.line_text(source.line_at(finding.span.start)).strip()
        base = f"{finding.rule}\0{audited.path.name}\0{line}"
        seen[base] += 1
        digest = hashlib.sha256(f"{base}\0{seen[base]}".encode("utf-8", "replace"))
        rows.append(Row(source, finding, digest.hexdigest()[:20]))
    return rows


def _touches(row: Row, changed: Sequence[range]) -> bool:
    last = row.source.line_at(row.finding.span.end) + 1
    return any(lines.start <= last and row.line < lines.stop for lines in changed)
