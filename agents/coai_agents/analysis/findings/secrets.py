"""Secrets in a text of any kind: the router's own detector, so that both see the same."""

from __future__ import annotations

import re
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
    from coai_routing.privacy.secrets import Secret

RULE: Final = "secret-found"


_TESTS: Final = re.compile(
    r"/(?:_?tests?|specs?|__tests__|testdata|fixtures|testing)/[^\0]{1,400}$"
    r"|/(?:test_[^/]{1,200}|conftest\.py|[^/]{1,200}[._-](?:tests?|spec)\.\w{1,5})$",
    re.IGNORECASE,
)
"""Files whose secrets are most often made up for a test."""

_COMMENT: Final = re.compile(r"[ \t]{0,200}(?:/\*|\*|//)")
"""How a line begins that is a comment, also one within a block. Not `#`, with which settings that
were in use are switched off; but see `_HASH`."""

_HASH: Final = re.compile(r"[ \t]{0,200}#")
_HASH_LANGUAGES: Final = frozenset({"python", "ruby"})
"""Languages that document code in lines that begin with `#`."""

_UNQUOTED: Final = "unquoted-secret"
_QUOTING: Final = frozenset(
    {"c", "cpp", "csharp", "go", "java", "kotlin", "php", "python", "ruby", "rust", "scala"}
    | {"javascript", "javascriptreact", "typescript", "typescriptreact"}
)
"""Languages in which a text has quotes, so that what has none is most often an expression."""

_BUILT: Final = re.compile(
    r"[#$]\{|\{\$|\[\w{1,20}(?:\]|\[)|\w\]+\Z|\|"
    r"|(?:sha|md|aes|rsa|utf|blake|base|crc|pbkdf|oauth|urllib|http|latin|rfc|iso)[-_]?\d{1,4}\w{0,2}\Z"
)
"""What is no secret itself: text that names what will be put there, and names of algorithms."""

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
                        severity=_severity(source, span, concept.severity, secret),
                        uri=source.uri,
                        version=source.version,
                        cwe=concept.cwe,
                    )
                )
        start = end
    return found, min(start, len(text))


def _severity(source: Source, span: Span, known: Severity, secret: Secret) -> Severity:
    """Say how much a secret matters: less for each thing that speaks for an example."""
    by_form = secret.confidence is Confidence.FORM
    rank = known.rank if by_form else Severity.WARNING.rank
    of_tests = source.path is not None and _TESTS.search(source.path.as_posix()) is not None
    if (
        of_tests
        or secret.confidence is Confidence.GUESS
        or (not by_form and _BUILT.search(source.text[span.start : span.end]))
        or (secret.kind == _UNQUOTED and source.language in _QUOTING)
        or (not by_form and _in_comment(source, span.start))
    ):
        rank += 1
    return list(Severity)[min(rank, Severity.INFORMATION.rank) - 1]


def _in_comment(source: Source, offset: int) -> bool:
    """Say whether the line of a place is a comment, as far as the line itself tells."""
    line = source.text.rfind("\n", 0, offset) + 1
    return _COMMENT.match(source.text, line, offset) is not None or (
        source.language in _HASH_LANGUAGES and _HASH.match(source.text, line, offset) is not None
    )


def masking(finding: Finding) -> Finding:
    """Return a finding whose words hold no secret: rules may quote what they have found."""
    message = redact(finding.message)
    path = tuple(replace(step, words=redact(step.words)) for step in finding.path)
    if message == finding.message and path == finding.path:
        return finding
    return replace(finding, message=message, path=path)
