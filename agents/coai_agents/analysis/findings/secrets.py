"""Secrets in a text of any kind: the router's own detector, so that both see the same."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.findings import Finding, Severity
from coai_agents.analysis.rules.rules import catalogue
from coai_agents.source import Span
from coai_routing.privacy.secret_judging import Confidence
from coai_routing.privacy.secrets import AROUND, find_secrets, redact

if TYPE_CHECKING:
    from coai_agents.source import Source

RULE: Final = "secret-found"


WINDOW: Final = 250_000
"""Characters that are searched between two looks at the clock."""


def secrets_in(source: Source, deadline: float = inf) -> tuple[list[Finding], int]:
    """Return the secrets in a document, and how many characters were searched by the deadline.

    The deadline is in seconds of `time.perf_counter`. The first window is searched in any case.
    """
    concept = catalogue()[RULE]
    found: list[Finding] = []
    text = source.text
    start = 0
    while start < len(text) and (start == 0 or perf_counter() < deadline):
        end = start + WINDOW
        first = max(0, start - AROUND)
        for secret in find_secrets(text[first : end + AROUND]):
            span = Span(first + secret.start, first + secret.end)
            if start <= span.start < end:
                found.append(
                    Finding(
                        rule=RULE,
                        span=span,
                        message=f"{concept.message} ({secret.kind})",
                        severity=(
                            concept.severity
                            if secret.confidence is Confidence.FORM
                            else Severity.WARNING
                        ),
                        uri=source.uri,
                        version=source.version,
                        cwe=concept.cwe,
                    )
                )
        start = end
    return found, min(start, len(text))


def masking(finding: Finding) -> Finding:
    """Return a finding whose words hold no secret: rules may quote what they have found."""
    message = redact(finding.message)
    path = tuple(replace(step, words=redact(step.words)) for step in finding.path)
    if message == finding.message and path == finding.path:
        return finding
    return replace(finding, message=message, path=path)
