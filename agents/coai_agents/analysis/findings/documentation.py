"""Documentation that no longer fits its code, as findings beside all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.findings import Finding
from coai_agents.analysis.rules.rules import catalogue
from coai_agents.specialists.documentation.stale import stale_documentation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.syntax.tree import SyntaxTree

RULE: Final = "stale-documentation"


def documentation_findings(tree: SyntaxTree) -> Iterator[Finding]:
    """Yield where a file's documentation and its code have parted, function by function."""
    concept = catalogue()[RULE]
    for stale in stale_documentation(tree):
        yield Finding(
            rule=RULE,
            span=stale.where,
            message=f"The documentation of `{stale.definition.name}` does not fit its code. "
            f"{stale.problem.sentence()}",
            severity=concept.severity,
            uri=tree.source.uri,
            version=tree.source.version,
            cwe=concept.cwe,
        )
