"""Comments by which a line's findings are taken away.

`coai: ignore[rule, ...] reason` takes the rules named away, `coai: ignore` all; on a line of its
own it speaks of the next line. What other tools' users have written is respected: `nosec`,
`nosemgrep`, and `noqa`, which with codes speaks of security only where one of them begins with S.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.rules.rules import concept_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.source import Source

_WORDS: Final = ("coai:", "nosec", "noqa", "nosemgrep", "NOSONAR")

LONGEST_LINE: Final = 2_000
"""In longer lines, which are generated, no comment is looked for: it takes the square of a line's
length to look for one where there are many marks that may begin one."""

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
    lines: dict[int, tuple[re.Match[str], ...]] = {}
    return [finding for finding in kept if not _suppressed(source, finding, lines)]


def _suppressed(
    source: Source, finding: Finding, known: dict[int, tuple[re.Match[str], ...]]
) -> bool:
    first = source.line_at(finding.span.start)
    last = source.line_at(finding.span.end)
    lines = {first, last}
    if first > 0 and _is_comment(source.line_text(first - 1)):
        lines.add(first - 1)
    for line in lines:
        if line not in known:
            known[line] = _comments(source, line)
    return any(_speaks_of(known[line], finding) for line in lines)


def _comments(source: Source, line: int) -> tuple[re.Match[str], ...]:
    """Return what a line's comments say, of one that nobody has written by hand nothing."""
    if source.line_end(line) - source.line_start(line) > LONGEST_LINE:
        return ()
    text = source.line_text(line)
    return tuple(_COMMENT.finditer(text)) if any(word in text for word in _WORDS) else ()


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith(("#", "//", "/*", "--", "<!--"))


def _speaks_of(comments: Iterable[re.Match[str]], finding: Finding) -> bool:
    for match in comments:
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
