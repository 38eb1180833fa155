"""Secrets in a text of any kind: the router's own detector, so that both see the same."""

from __future__ import annotations

from math import inf
from time import perf_counter
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


WINDOW: Final = 250_000
"""Characters that are searched between two looks at the clock."""

AROUND: Final = 8_192
"""Characters on either side that a window's secrets may need to be recognised: a key is so long."""


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
                            Severity.WARNING if secret.kind in _SHAPELESS else concept.severity
                        ),
                        uri=source.uri,
                        version=source.version,
                        cwe=concept.cwe,
                    )
                )
        start = end
    return found, min(start, len(text))
