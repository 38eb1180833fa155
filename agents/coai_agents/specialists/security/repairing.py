"""Fixes of findings that no deterministic fixer covers: a model rewrites the function as a whole.

What it wrote is taken if the file parses as well as before and has the same functions, the finding
is gone and nothing new is found. The model is told the rule's own advice, and sees the code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.analysis.rules.rules import catalogue
from coai_agents.specialists.fixing.accepting import accepted
from coai_agents.syntax.definitions import enclosing_function
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.source import Edit, Source
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.edits import Change
    from coai_agents.specialists.fixing.candidates import Candidate

    Solves = Callable[[Source, Sequence[Edit], str], Awaitable[bool]]
    """Says whether edits do no harm and leave fewer findings of a rule."""

TASK: Final = (
    "You repair code that a security analyser reported. Write the whole corrected function with "
    "the same name and the same parameters, doing the same for harmless values, without its "
    "documentation, in one fenced code block, and nothing else."
)


async def repaired(
    source: Source, finding: Finding, path: str, asker: Asker, solves: Solves
) -> Candidate:
    """Return the first of a model's versions of the function that passes the checks.

    Raises `NobodyError` where no model can be asked, `UnfixedError` where no version passes.
    """
    tree = parse(source)
    function = None if tree is None else enclosing_function(tree, finding.span.start)
    concept = catalogue().get(finding.rule)
    line = source.line_at(finding.span.start) + 1
    wrong = f"line {line}: {finding.message}"
    if concept is not None:
        wrong += f"\nInstead: {concept.advice}"

    async def holds(changed: Change) -> bool:
        return await solves(source, changed.edits, finding.rule)

    return await accepted(tree, function, wrong, asker, holds, path=path, task=TASK)
