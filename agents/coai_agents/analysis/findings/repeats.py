"""One finding for one fault: what is the same again in the same function is said more quietly.

Whoever mends one of ten calls of `md5` in a function sees the other nine, which are still there as
information. Errors that have a value's way stay what they are: each of them has to be mended.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.findings import Severity
from coai_agents.analysis.rules.surroundings import function_around

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.syntax.tree import SyntaxTree

MOST: Final = 2
"""So many findings of one choice are as loud as the rule says in one function."""

MOST_OF_A_VALUE: Final = 3
"""So many of one value: it is made a path, its folder is made, and it is opened."""

_DECISIONS: Final = frozenset(
    {
        "cleartext",
        "prototype-pollution",
        "tls-verification-off",
        "weak-cipher",
        "weak-hash",
        "weak-password-hash",
        "weak-random",
        "weak-tls",
        "xml-unsafe-parser",
    }
)
"""Rules about what is chosen once and used in many places; each secret is a fault of its own."""


def with_quiet_repeats(findings: Sequence[Finding], tree: SyntaxTree) -> list[Finding]:
    """Return findings in the order of the text, the repeated ones as information."""
    seen: Counter[tuple[object, ...]] = Counter()
    kept: list[Finding] = []
    for finding in findings:
        places = list(_places(finding, tree))
        again = any(seen[place] >= most for place, most in places)
        if not again:
            seen.update(place for place, _ in places)
        kept.append(replace(finding, severity=Severity.INFORMATION) if again else finding)
    return kept


def _places(finding: Finding, tree: SyntaxTree) -> Iterator[tuple[tuple[object, ...], int]]:
    """Yield where a finding is one of several of one fault, and how many of them are loud there."""
    loud = (Severity.WARNING,) if finding.path else (Severity.WARNING, Severity.ERROR)
    if finding.severity not in loud:
        return
    origin = finding.path[0].span if finding.path else None
    fault = (finding.rule, finding.message, origin)
    node = tree.leaf_after(finding.span.start)
    yield (*fault, "line", node.start_point.row), 1
    options = _options_around(node) if finding.rule in _DECISIONS else None
    if options is not None:
        yield (*fault, "options", options.id), 1
    function = function_around(node)
    if function is None:
        return
    if origin is not None:
        yield (*fault, "function", function.id), MOST_OF_A_VALUE
    elif finding.rule in _DECISIONS:
        yield (*fault, "function", function.id), MOST


_OPTIONS: Final = re.compile(
    r"^(?:array|array_creation_expression|object|dictionary|hash|literal_value)$"
)
_NEAR: Final = 3


def _options_around(node: Node) -> Node | None:
    """Return the options that a place is one of, which switch the same thing off together."""
    for _ in range(_NEAR):
        if node.parent is None:
            return None
        node = node.parent
        if _OPTIONS.search(node.type):
            return node
    return None
