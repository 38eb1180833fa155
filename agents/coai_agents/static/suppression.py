"""Comments by which a line's findings are taken away.

`coai: ignore[rule, ...] reason` takes the rules named away, `coai: ignore` all; on a line of its
own it speaks of the next line. What other tools' users have written is respected: `nosec`,
`nosemgrep`, and `noqa`, which with codes speaks of security only where one of them begins with S.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.static.rules import concept_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coai_agents.source import Source
    from coai_agents.static.findings import Finding

_WORDS: Final = ("coai:", "nosec", "noqa", "nosemgrep", "NOSONAR")

_COMMENT: Final = re.compile(
    r"(?:#|//|/\*|--|<!--)[^\n]*?"
    r"(?:coai:\s*ignore(?:\[(?P<rules>[^\]\n]*)\])?"
    r"|(?P<all>\bnosec\b|\bnosemgrep\b|\bNOSONAR\b)"
    r"|(?P<noqa>\bnoqa\b)(?::\s*(?P<codes>[A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*))?)",
    re.IGNORECASE,
)


def unsuppressed(source: Source, findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that no comment takes away."""
    text = source.text
    kept = list(findings)
    if not kept or not any(word in text for word in _WORDS):
        return kept
    return [finding for finding in kept if not _suppressed(source, finding)]


def _suppressed(source: Source, finding: Finding) -> bool:
    first = source.line_at(finding.span.start)
    last = source.line_at(finding.span.end)
    lines = {first, last}
    if first > 0 and _is_comment(source.line_text(first - 1)):
        lines.add(first - 1)
    return any(_speaks_of(source.line_text(line), finding) for line in lines)


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith(("#", "//", "/*", "--", "<!--"))


def _speaks_of(line: str, finding: Finding) -> bool:
    if not any(word in line for word in _WORDS):
        return False
    for match in _COMMENT.finditer(line):
        if match["all"]:
            return True
        if match["noqa"]:
            codes = match["codes"]
            security = concept_of(finding.rule).topic == "security"
            if not codes or not security or re.search(r"\bS\d", codes):
                return True
        else:
            named = match["rules"]
            rules = None if named is None else {rule.strip() for rule in named.split(",")}
            if rules is None or finding.rule in rules:
                return True
    return False
