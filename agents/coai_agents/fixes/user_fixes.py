"""Fixes that users' own rules bring: the same door as for all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.analysis.rules.user_rules import proposals
from coai_agents.fixes.fix import Fix
from coai_agents.fixes.fixers import verify

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coai_agents.analysis.findings.findings import Analysis, Finding
    from coai_agents.source import Source


def user_fixes_for(source: Source, findings: Iterable[Finding], before: Analysis) -> list[Fix]:
    """Return the fixes of users' own rules that pass `verify`."""
    return [
        Fix(f"Fix as the rule {finding.rule} says", finding.rule, finding.span, edits, True)  # noqa: FBT003 - preferred, the last field
        for finding in findings
        for edits in proposals(source, finding)
        if verify(source, finding, edits, before)
    ]
