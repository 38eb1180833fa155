"""Fixes of one document that are made together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.fixes.fix import Fix
    from coai_agents.source import Edit, Span


def together(fixes: Sequence[Fix]) -> tuple[list[Edit], list[Edit]]:
    """Return the edits of the preferred fixes, and those of the first one alone.

    Of each finding one fix, without those that collide: fixes in one place can be meant for each
    other's text, so the first one wins, and the others are offered again when it is done. Fixes
    that hold one by one may not hold together, so the edits have still to be tried
    (`verifier.harmless`); where they do harm, those of the first fix, which holds, are what can be
    done at once.
    """
    chosen: list[Edit] = []
    solved: set[tuple[str, Span]] = set()
    first: list[Edit] = []
    for fix in fixes:
        key = (fix.rule, fix.span)
        if not fix.preferred or key in solved:
            continue
        first = first or list(fix.edits)
        fresh = [edit for edit in fix.edits if edit not in chosen]
        if any(_collide(edit, other) for edit in fresh for other in chosen):
            continue
        solved.add(key)
        chosen += fresh
    return chosen, first


def _collide(one: Edit, other: Edit) -> bool:
    if one.span is None or other.span is None:
        return True
    return one.span.start <= other.span.end and other.span.start <= one.span.end
