"""Files that are too large for values to be followed in them: patterns are looked for, no more.

As much of the text's beginning is parsed as there is time for. The queries go over all of it. Of
the statements, those are read that name what a rule names, each function by itself, and constants
near them: a file so large is generated, and most of it is nothing that any rule is about.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import cache
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow import ir
from coai_agents.analysis.dataflow.interpreter import Interpreter
from coai_agents.analysis.dataflow.lowering import lower
from coai_agents.analysis.dataflow.values import Scope
from coai_agents.analysis.findings.report import Reporter
from coai_agents.analysis.rules.matching import rule_set
from coai_agents.analysis.rules.queries import search_piecemeal
from coai_agents.syntax.language import GRAMMARS
from coai_agents.syntax.tree import MAX_BYTES, parse_beginning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

    from coai_agents.analysis.findings.findings import Finding, Notes
    from coai_agents.analysis.rules.matching import RuleSet
    from coai_agents.source import Source
    from coai_agents.syntax.tree import SyntaxTree

MAX_LINES: Final = 20_000

MOST_BYTES: Final = 2_500_000
"""What comes after so many is not searched: the tree of these takes some 80 MB."""

PARSE_SECONDS: Final = 0.5
PARSER_PATIENCE: Final = 0.25
"""What the parser may take beyond them to put its tree together, a third of what it took."""

QUERIES: Final = 0.5
"""The queries' part of the time that is left after the parse."""

PIECE: Final = 65_536
"""Bytes of statements that are read at a time; what was found in them is kept."""

SHORT: Final = 400
NEAR: Final = 4_000
"""Bytes: a statement so short is read, too, that comes so shortly before such a name, since it may
be a constant that is used there."""

MANY: Final = 20_000
"""Up to so many statements of the file's own, the short ones are all read for that."""

_IMPORTING: Final = ("import", "require", "use", "using")
"""What binds the names of what rules name."""

_WORD: Final = re.compile(rb"[A-Za-z_]\w*")


def excess(source: Source) -> str | None:
    """Return what a file has more of than values are followed in; None if it is small enough."""
    if len(source.text) > MAX_BYTES or source.byte_offset(len(source.text)) > MAX_BYTES:
        return "is larger than 1 MB"
    if source.line_count > MAX_LINES:
        return f"has more than {MAX_LINES:,} lines"
    return None


def patterns_in(source: Source, more: str, notes: Notes, deadline: float) -> list[Finding]:
    """Return what needs no flow; `more` is what there is too much of, see `excess`.

    The deadline is in seconds of `time.perf_counter`.
    """
    rules = rule_set(GRAMMARS[source.language])
    started = perf_counter()
    seconds = min(PARSE_SECONDS, deadline - started - PARSER_PATIENCE)
    parsed = parse_beginning(source, most=MOST_BYTES, budget=seconds, patience=PARSER_PATIENCE)
    if parsed is None:
        notes.hurry(
            f"The file {more} and is too tangled to be parsed; only secrets were looked for."
        )
        return []
    tree, end = parsed
    report = Reporter(tree, rules, flows=False)
    now = perf_counter()
    reached = search_piecemeal(tree, rules, report, now + QUERIES * (deadline - now))
    reached = min(reached, _read(tree, rules, report, deadline), end)
    notes.append(f"The file {more}: patterns were looked for, but values were not followed.")
    if reached < min(end, tree.root.end_byte) or end < source.byte_offset(len(source.text)):
        characters = source.offset_of_byte(reached)
        line = source.line_at(characters) + 1
        cut = (
            f"Only its first {characters:,} characters, to line {line:,}, were searched for"
            " patterns."
        )
        if characters == 0:
            cut = "It is too long or too broken: not all patterns were looked for."
        if end == MOST_BYTES == reached:
            notes.append(cut)
        else:
            notes.hurry(cut)
    return list(report.findings)


def _read(tree: SyntaxTree, rules: RuleSet, report: Reporter, deadline: float) -> int:
    """Report what calls, assignments and uses show by themselves; return the bytes looked at."""
    if perf_counter() > deadline:
        return 0
    end = tree.root.end_byte
    interpreter = Interpreter(rules, report, deadline=deadline, follow=False)
    scope = Scope()
    reached = 0
    statements = tree.root.named_children
    named = _Named(tree, rules, statements)
    try:
        for nodes in _pieces(statements):
            module = lower(tree, deadline, ir.Part(nodes, named.wanted))
            if module is None:
                return end
            interpreter.read(module, scope)
            reached = nodes[-1].end_byte
    except (ir.OutOfTimeError, RecursionError):
        return reached
    return end


def _pieces(nodes: Sequence[Node]) -> Iterator[Sequence[Node]]:
    """Yield the statements of a file, some at a time."""
    first = 0
    for at, node in enumerate(nodes):
        if node.end_byte - nodes[first].start_byte >= PIECE:
            yield nodes[first : at + 1]
            first = at + 1
    if first < len(nodes):
        yield nodes[first:]


class _Named:
    """Where a file names what rules are about."""

    def __init__(self, tree: SyntaxTree, rules: RuleSet, statements: Sequence[Node]) -> None:
        words = _words(rules)
        text = tree.source.text[: tree.source.offset_of_byte(tree.root.end_byte)].encode()
        self._places = [match.start() for match in _WORD.finditer(text) if match[0] in words]
        few = statements if len(statements) <= MANY else ()
        self._constants = {each.start_byte for each in few}

    def wanted(self, node: Node) -> bool:
        """Say whether a statement is read."""
        start, end = node.start_byte, node.end_byte
        at = bisect_left(self._places, start)
        after = self._places[at] if at < len(self._places) else inf
        if after < end:
            return True
        return end - start <= SHORT and (after < end + NEAR or start in self._constants)


@cache
def _words(rules: RuleSet) -> frozenset[bytes]:
    """Return the names by which rules that need no flow are found."""
    words = set(_IMPORTING)
    for clause in rules.rules.find:
        if clause.tainted:
            continue
        for path in (*clause.call, *clause.assign, *clause.use):
            names = re.findall(r"\w+", path)
            # What is found by any call is found by an argument of its.
            words.update(names[-1:] or re.findall(r"\w+", " ".join(c.arg for c in clause.when)))
    return frozenset(word.encode() for word in words)
