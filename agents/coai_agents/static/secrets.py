"""Secrets in a text of any kind: the router's own detector, so that both see the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.source import Span
from coai_agents.static.findings import Finding, Severity
from coai_agents.static.rules import catalogue
from coai_routing.secrets import find_secrets

if TYPE_CHECKING:
    from coai_agents.source import Source

RULE: Final = "secret-found"


_SHAPELESS: Final = frozenset({"password", "url-password", "generic-secret", "connection-string"})
"""Kinds that are known by their place and not by their form, so that a guess may be wrong."""


def secrets_in(source: Source) -> list[Finding]:
    """Return the secrets in a document."""
    concept = catalogue()[RULE]
    return [
        Finding(
            rule=RULE,
            span=Span(secret.start, secret.end),
            message=f"{concept.message} ({secret.kind})",
            severity=Severity.WARNING if secret.kind in _SHAPELESS else concept.severity,
            uri=source.uri,
            version=source.version,
            cwe=concept.cwe,
        )
        for secret in find_secrets(source.text)
    ]
