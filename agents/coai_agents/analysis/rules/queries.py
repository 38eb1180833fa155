"""Findings by the form of the code alone: queries over the tree."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache, lru_cache
from itertools import accumulate
from time import perf_counter
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.rules.rules import MOST_SEARCHED, RuleFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tree_sitter import Node, Query

    from coai_agents.analysis.findings.report import Reporter
    from coai_agents.analysis.rules.matching import RuleSet
    from coai_agents.analysis.rules.rules import Clause
    from coai_agents.syntax.grammars import Grammar
    from coai_agents.syntax.tree import SyntaxTree


PIECE: Final = 32_768
"""Bytes that are searched between two looks at the clock."""

DEEPEST: Final = 500
"""Nodes in nodes; what is nested deeper is not searched."""

MATCHES: Final = 1_024
"""So many matches may be under way at the same time."""


MOST_IN_ERROR: Final = 20_000
"""Nodes in an error of the parser: the time a cursor takes grows with their square, 0.7 s for
30,000 opening brackets and 8 s for 100,000."""


@cache
def compiled(grammar: Grammar, rules: RuleSet) -> tuple[Query, tuple[Clause, ...]]:
    """Return one query of all clauses, and the clause of each of its patterns.

    One query, so that the tree is walked through once. Raises `RuleFileError`.
    """
    return _joined(grammar, rules.queries)


def _joined(grammar: Grammar, clauses: Sequence[Clause]) -> tuple[Query, tuple[Clause, ...]]:
    from tree_sitter import Query, QueryError  # noqa: PLC0415 - native code, loaded on first use

    sources = [f"{clause.query}\n" for clause in clauses]
    try:
        whole = Query(grammar.language, "".join(sources))
    except QueryError:
        for clause in clauses:
            try:
                Query(grammar.language, clause.query)
            except QueryError as error:
                problem = f"query: {error}"
                raise RuleFileError(grammar.spec.file, clause.rule, problem) from error
        raise
    starts = [0, *accumulate(len(source.encode()) for source in sources)]
    places = (whole.start_byte_for_pattern(number) for number in range(whole.pattern_count))
    return whole, tuple(clauses[bisect_right(starts, place) - 1] for place in places)


def search(tree: SyntaxTree, rules: RuleSet, report: Reporter, deadline: float) -> int:
    """Report what the queries find; return how many bytes were searched by the deadline.

    None of a text that is too broken to be searched.
    """
    from tree_sitter import QueryCursor  # noqa: PLC0415 - native code, loaded on first use

    end = tree.root.end_byte
    if not rules.queries:
        return end
    if _is_rubble(tree.root):
        return 0
    query, owners = compiled(tree.grammar, rules)
    # A cursor's progress callback crashes Python (tree-sitter 0.26), so the text is searched piece
    # by piece and the clock is looked at between them; the report takes each finding once.
    cursor = QueryCursor(query, match_limit=MATCHES)
    # A sum of 200,000 terms is as deep a tree, in which a cursor does not come to an end.
    cursor.set_max_start_depth(DEEPEST)
    for start in range(0, max(1, end), PIECE):
        if perf_counter() > deadline:
            return start
        cursor.set_byte_range(start, start + PIECE)
        for pattern, captures in cursor.matches(tree.root):
            _report(tree, rules, report, owners[pattern], captures)
    return end


def search_piecemeal(tree: SyntaxTree, rules: RuleSet, report: Reporter, deadline: float) -> int:
    """Report what the queries find in a large file; return as `search` does.

    A cursor that is put on a node goes over all of its children again for each piece of the text,
    which takes the square of their number, so here it is put on one small node after the other.
    """
    from tree_sitter import QueryCursor  # noqa: PLC0415 - native code, loaded on first use

    end = tree.root.end_byte
    chosen = tuple(at for at, clause in enumerate(rules.queries) if report.counts(clause))
    if not chosen:
        return end
    if _is_rubble(tree.root, MOST_IN_ERROR // 4):
        return 0
    query, owners = _some(tree.grammar, rules, chosen)
    whole, alone = (QueryCursor(query, match_limit=MATCHES) for _ in range(2))
    whole.set_max_start_depth(DEEPEST)
    alone.set_max_start_depth(0)
    for node, small in _nodes(tree.root):
        if perf_counter() > deadline:
            return node.start_byte
        for pattern, captures in (whole if small else alone).matches(node):
            _report(tree, rules, report, owners[pattern], captures)
    return end


def _nodes(root: Node) -> Iterator[tuple[Node, bool]]:
    """Yield small nodes that are all of a tree, and before them the large ones that they are in."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.end_byte - node.start_byte <= PIECE or node.child_count == 0:
            yield node, True
            continue
        # What the parser has not understood is no statement, and a cursor goes over its parts, of
        # which there may be 100,000, even from what it is in.
        if not any(each.type == "ERROR" for each in (node, *node.children)):
            yield node, False
        waiting.extend(reversed(node.children))


@lru_cache(maxsize=16)
def _some(
    grammar: Grammar, rules: RuleSet, chosen: tuple[int, ...]
) -> tuple[Query, tuple[Clause, ...]]:
    return _joined(grammar, tuple(rules.queries[at] for at in chosen))


def _is_rubble(root: Node, most: int = MOST_IN_ERROR) -> bool:
    """Say whether the parser made one error of so much that a cursor takes too long for it."""
    return any(node.type == "ERROR" and node.child_count > most for node in (root, *root.children))


def _report(
    tree: SyntaxTree,
    rules: RuleSet,
    report: Reporter,
    clause: Clause,
    captures: Mapping[str, Sequence[Node]],
) -> None:
    if not report.counts(clause):
        return
    if clause.text is not None:
        texts = captures.get("text", [])
        if not any(re.search(clause.text, tree.text(node)[:MOST_SEARCHED]) for node in texts):
            return
    for node in captures.get("finding", []):
        if not report.is_excused(clause, node):
            report.add(rules.concepts[clause.rule], clause, node)
