"""Characters that turn the direction of text, so that code is shown other than it runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.findings import Finding
from coai_agents.analysis.rules.rules import catalogue
from coai_agents.source import Span

if TYPE_CHECKING:
    from coai_agents.source import Source

RULE: Final = "bidirectional-text"

_TURNING: Final = re.compile("[\u202a-\u202e\u2066-\u2069]+")
"""Embeddings, overrides and isolates: "Trojan Source" (CVE-2021-42574), section V."""


def turned_text(source: Source) -> list[Finding]:
    """Return the places where text changes its direction, in a file of any kind."""
    if source.text.isascii():
        return []
    concept = catalogue()[RULE]
    return [
        Finding(
            rule=RULE,
            span=Span(match.start(), match.end()),
            message=concept.message,
            severity=concept.severity,
            uri=source.uri,
            version=source.version,
            cwe=concept.cwe,
        )
        for match in _TURNING.finditer(source.text)
    ]
