"""Fixes for documentation that no longer fits its code: made without a model, and verified.

A name that has changed is changed, and not a character besides. Where an entry has to come or go
the comment is written anew, which is only offered if every word that is not about that entry is
still there. Like all fixes these pass `verify`, and no token outside of comments may change.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.documentation import RULE
from coai_agents.fixes.fix import Fix
from coai_agents.fixes.verifier import applied, verify
from coai_agents.source import Edit, Span
from coai_agents.specialists.documentation.agent import file_convention
from coai_agents.specialists.documentation.checking import Misfit
from coai_agents.specialists.documentation.reading import read
from coai_agents.specialists.documentation.stale import (
    mended,
    places_of_name,
    stale_documentation,
)
from coai_agents.specialists.edits import code_tokens
from coai_agents.syntax.definitions import outline
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from coai_agents.analysis.findings.findings import Analysis, Finding
    from coai_agents.source import Source
    from coai_agents.specialists.documentation.convention import Convention
    from coai_agents.specialists.documentation.stale import Stale
    from coai_agents.syntax.tree import SyntaxTree

_WORD: Final = re.compile(r"\w+")

MOST_MISSING: Final = 12
"""Parameters that are added to one comment at once."""

_MARKS: Final = frozenset(
    {"param", "parameters", "args", "arguments", "type", "raise", "raises", "throw", "throws"}
    | {"exception", "exceptions"}
)
"""What begins an entry, and the headings of entries of which none may be left."""


def documentation_fixes_for(
    source: Source, findings: Iterable[Finding], before: Analysis
) -> list[Fix]:
    """Return the verified fixes of findings about documentation; the first that holds of each."""
    wanted = {each.span: each for each in findings if each.rule == RULE}
    tree = parse(source) if wanted else None
    if tree is None:
        return []
    fixes: list[Fix] = []
    for stale in stale_documentation(tree):
        finding = wanted.get(stale.where)
        # Two problems may share a place, such as two parameters that are missing.
        if finding is None or stale.problem.sentence() not in finding.message:
            continue
        held = (
            edits
            for edits in _proposals(tree, stale)
            if verify(source, finding, edits, before)
            and code_tokens(source) == code_tokens(applied(source, edits))
        )
        if (edits := next(held, None)) is not None:
            renamed = bool(stale.problem.instead)
            fixes.append(Fix(_title(stale), RULE, finding.span, edits, renamed))
    return fixes


def _proposals(tree: SyntaxTree, stale: Stale) -> Iterator[tuple[Edit, ...]]:
    documentation = stale.definition.documentation
    if documentation is None:
        return
    text = tree.source.slice(documentation)
    problem = stale.problem
    if problem.instead:
        yield tuple(
            Edit(Span(documentation.start + first, documentation.start + last), problem.instead)
            for first, last in places_of_name(text, problem.name)
        )
    convention = file_convention(tree)
    if convention is None:
        return
    for edit in (mended(tree, stale, convention), _all_mended(tree, stale, convention)):
        if edit is not None and _keeps_words(text, edit.text, stale):
            yield (edit,)


def _all_mended(tree: SyntaxTree, stale: Stale, convention: Convention) -> Edit | None:
    """Return the edit that solves all that is missing in one comment, since they share a place."""
    if stale.problem.kind is not Misfit.MISSING_PARAMETER or stale.definition.documentation is None:
        return None
    name = stale.definition.qualified_name
    now: SyntaxTree | None = tree
    for _ in range(MOST_MISSING):
        if now is None:
            return None
        left = (
            each for each in stale_documentation(now) if each.problem.kind is stale.problem.kind
        )
        following = next((each for each in left if each.definition.qualified_name == name), None)
        if following is None:
            break
        edit = mended(now, following, convention)
        now = None if edit is None else parse(now.source.apply(edit))
    done = () if now is None else outline(now)
    comments = (each.documentation for each in done if each.qualified_name == name)
    where = next(comments, None)
    if now is None or where is None:
        return None
    return Edit(stale.definition.documentation, now.source.slice(where))


def _keeps_words(before: str, after: str, stale: Stale) -> bool:
    """Say whether no word was lost but those of the entry that goes."""
    problem, comment = stale.problem, read(before)
    gone = [
        f"{each.name} {each.type} {each.text}"
        for each in (*comment.parameters, *comment.raises)
        if each.name.endswith(problem.name)
    ]
    may_go = Counter(_WORD.findall(" ".join(gone)))
    lost = Counter(_WORD.findall(before)) - Counter(_WORD.findall(after))
    return not {word for word in lost - may_go if word.lower() not in _MARKS}


def _title(stale: Stale) -> str:
    problem = stale.problem
    if problem.instead:
        return f"Document `{problem.instead}` instead of `{problem.name}`"
    if problem.kind in (Misfit.MISSING_PARAMETER, Misfit.MISSING_EXCEPTION):
        return f"Document `{problem.name}`"
    return f"Take `{problem.name}` out of the documentation"
