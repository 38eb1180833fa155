"""What every change has to pass before it is tried or shown, whoever proposes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.fixes.verifier import harmless
from coai_agents.specialists.diagnosing.problems import Frame, Problem
from coai_agents.specialists.edits import change, code_tokens
from coai_agents.syntax.definitions import outline
from coai_agents.syntax.python_flaws import flaws
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.analysis.findings.findings import Analysis
    from coai_agents.source import Edit, Source
    from coai_agents.specialists.edits import Change


def sound(source: Source, edits: Sequence[Edit], before: Analysis) -> Change | None:
    """Return a change that does no harm that can be seen, or None.

    It parses no worse, means something else than before, and neither adds a finding nor silences
    one nor reads a name that is not there.
    """
    changed = sensible(source, edits)
    if changed is None or harmless(source, edits, before) is None:
        return None
    return changed


def sensible(source: Source, edits: Sequence[Edit]) -> Change | None:
    """Return what of `sound` needs no analysis: it means something else, and names what is there.

    Whoever may not analyse has `harmless` asked elsewhere.
    """
    try:
        changed = change(source, edits)
    except ValueError:
        return None
    if changed.is_empty or code_tokens(source) == code_tokens(changed.after):
        return None
    if _new(problems_in(source), problems_in(changed.after)):
        return None
    return changed


def same_functions(before: Source, after: Source) -> bool:
    """Say whether a file has the functions that it had: no body has broken out of its own."""
    trees = [parse(one) for one in (before, after)]
    names = [
        None if tree is None else [each.qualified_name for each in outline(tree) if not each.depth]
        for tree in trees
    ]
    return names[0] == names[1]


def _new(before: Sequence[Problem], after: Sequence[Problem]) -> bool:
    return bool({each.title for each in after} - {each.title for each in before})


def problems_in(source: Source) -> tuple[Problem, ...]:
    """Return what would fail in a file for sure, without running it; Python's only.

    It does not compile, or reads names that nothing in the file binds in any scope.
    """
    if source.language != "python":
        return ()
    return tuple(
        Problem("python", each.kind, each.message, (Frame(source.uri, each.line, each.column),))
        for each in flaws(source.text)
    )
