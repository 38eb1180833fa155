"""Findings by the form of the code alone: queries over the tree."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from coai_agents.static.rules import RuleFileError

if TYPE_CHECKING:
    from tree_sitter import Query

    from coai_agents.static.matching import RuleSet
    from coai_agents.static.report import Reporter
    from coai_agents.static.rules import Clause
    from coai_agents.syntax.grammars import Grammar
    from coai_agents.syntax.tree import SyntaxTree


@cache
def compiled(grammar: Grammar, clauses: tuple[Clause, ...]) -> tuple[Query, tuple[Clause, ...]]:
    """Return one query of all clauses, and the clause of each of its patterns.

    One query, so that the tree is walked through once. Raises `RuleFileError`.
    """
    from tree_sitter import Query, QueryError  # noqa: PLC0415 - native code, loaded on first use

    owners: list[Clause] = []
    for clause in clauses:
        try:
            single = Query(grammar.language, clause.query)
        except QueryError as error:
            raise RuleFileError(grammar.spec.file, clause.rule, f"query: {error}") from error
        owners += [clause] * single.pattern_count
    whole = Query(grammar.language, "\n".join(clause.query for clause in clauses))
    return whole, tuple(owners)


def search(tree: SyntaxTree, rules: RuleSet, report: Reporter) -> None:
    """Report what the queries find."""
    from tree_sitter import QueryCursor  # noqa: PLC0415 - native code, loaded on first use

    clauses = tuple(clause for clause in rules.queries if report.counts(clause))
    if not clauses:
        return
    query, owners = compiled(tree.grammar, clauses)
    for pattern, captures in QueryCursor(query, match_limit=4096).matches(tree.root):
        clause = owners[pattern]
        if clause.text is not None:
            texts = captures.get("text", [])
            if not any(re.search(clause.text, tree.text(node)) for node in texts):
                continue
        for node in captures.get("finding", []):
            report.add(rules.concepts[clause.rule], clause, node)
