"""Every fix that is known for findings, whoever makes it; each one has passed the verifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.fixes.fixers import fixes_for
from coai_agents.fixes.user_fixes import user_fixes_for
from coai_agents.specialists.documentation.mending import documentation_fixes_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.analysis.findings.findings import Analysis, Finding
    from coai_agents.fixes.fix import Fix
    from coai_agents.source import Source, Span


def verified_fixes(source: Source, findings: Sequence[Finding], before: Analysis) -> list[Fix]:
    """Return the verified fixes of findings, the best of each first.

    `before` is the analysis of the same snapshot, which the findings are of. They are made by the
    rules that come with the program, by rules of the user's own, and by what knows documentation.
    """
    return [
        *fixes_for(source, findings, before),
        *user_fixes_for(source, findings, before),
        *documentation_fixes_for(source, findings, before),
    ]


def fixes_touching(source: Source, span: Span, analysis: Analysis) -> list[Fix]:
    """Return the verified fixes of the findings that touch a span; a cursor has an empty one.

    `analysis` is of the same snapshot, as it was made: without what settings hide, what is hidden
    would be taken for new.
    """
    touched = [
        each
        for each in analysis.findings
        if each.span.start <= span.end and span.start <= each.span.end
    ]
    return verified_fixes(source, touched, analysis)
