"""What the flow engine knows of the places that a finding may be about, harmful or not.

An analysis tells only where a dangerous value arrives. For a finding that somebody else reports, a
linter's or a user's own rule, it matters as well where the engine looked and nothing arrived.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow import ir
from coai_agents.analysis.dataflow.interpreter import Interpreter
from coai_agents.analysis.dataflow.ir import OutOfTimeError
from coai_agents.analysis.dataflow.lowering import lower
from coai_agents.analysis.dataflow.values import Kind
from coai_agents.analysis.findings.report import Reporter
from coai_agents.analysis.rules.matching import rule_set
from coai_agents.source import Span
from coai_agents.syntax.definitions import enclosing_function
from coai_agents.syntax.language import GRAMMARS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

    from coai_agents.analysis.dataflow.conditions import Occasion
    from coai_agents.analysis.dataflow.values import Scope, Value
    from coai_agents.analysis.findings.findings import Finding, Severity
    from coai_agents.analysis.rules.matching import RuleSet
    from coai_agents.analysis.rules.rules import Clause
    from coai_agents.source import Source
    from coai_agents.syntax.tree import SyntaxTree

MOST_ARRIVALS: Final = 50
"""At one sink, which may be come by many times."""

_OUTSIDE: Final = frozenset({Kind.REMOTE, Kind.LOCAL})

SECONDS: Final = 2.0
"""For one file; one that takes longer is not judged by its flow."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A value from outside that arrives at a sink."""

    kind: str
    """Who decides it: remote, local, stored or parameter."""
    label: str
    span: Span
    """Where it comes in."""
    cleared: bool
    """Whether something on its way makes it harmless there."""


@dataclass(frozen=True, slots=True)
class Sink:
    """A place where a value from outside would do harm."""

    rule: str
    cwe: tuple[int, ...]
    span: Span
    severity: Severity
    message: str
    open: bool
    """Whether a value may arrive there of which nothing is known."""
    arrivals: tuple[Arrival, ...] = ()


@dataclass(frozen=True, slots=True)
class Followed:
    """What following a file's values tells."""

    sinks: tuple[Sink, ...]
    findings: Sequence[Finding]
    dropped: tuple[Span, ...] = ()
    """Functions that read a value from outside into a variable and never use it from there."""

    def clears(self, finding: Finding, source: Source) -> bool:
        """Say whether every value is known that arrives at a finding's place, and none does harm.

        That is so where the engine knows the place, looked at all that arrives there, and reports
        nothing of the same weakness: constants, values that were made harmless, branches that are
        never taken. It is not so where the function reads a value from outside and drops it: then a
        line is missing or too many, and nobody can tell whether the constant is what is meant.
        """
        if any(each.covers(finding.span) for each in self.dropped):
            return False
        line = source.line_at(finding.span.start)
        here = [each for each in self.sinks if _same(each, finding, source, line)]
        if not here or any(each.open for each in here):
            return False
        return not any(_same(each, finding, source, line) for each in self.findings)


def _same(one: Sink | Finding, other: Finding, source: Source, line: int) -> bool:
    if set(one.cwe).isdisjoint(other.cwe):
        return False
    lines = range(source.line_at(one.span.start), source.line_at(one.span.end) + 1)
    last = source.line_at(other.span.end)
    return line in lines or lines.start in range(line, last + 1)


class _Watching(Reporter):
    """Notes every sink that the engine comes by."""

    def __init__(self, tree: SyntaxTree, rules: RuleSet) -> None:
        super().__init__(tree, rules)
        self.sinks: dict[tuple[str, int, int], Sink] = {}

    def check(self, clause: Clause, occasion: Occasion) -> None:
        """Take note of a sink, and go on as always."""
        shows = clause.tainted and self.place.suits(clause) and occasion.fits(clause)
        if shows and self.counts(clause) and not self.is_excused(clause, occasion.node):
            self._note(clause, occasion)
        super().check(clause, occasion)

    def _note(self, clause: Clause, occasion: Occasion) -> None:
        concept, span = self._rules.concepts[clause.rule], self._tree.span(occasion.node)
        values = [value for each in clause.tainted for value in occasion.select(each)]
        if not values:
            return
        key = (concept.id, span.start, span.end)
        before = self.sinks.get(key)
        loose = any(value.loose for value in values) or occasion.open_ended
        taints = [taint for value in values for taint in value.all_taints()]
        arrivals = [
            Arrival(
                each.kind.value,
                each.label,
                self._tree.span(each.origin),
                not each.threatens(concept.category),
            )
            for each in taints[:MOST_ARRIVALS]
        ]
        self.sinks[key] = Sink(
            concept.id,
            concept.cwe,
            span,
            clause.severity or concept.severity,
            clause.message or concept.message,
            loose or (before is not None and before.open),
            (*(() if before is None else before.arrivals), *arrivals)[:MOST_ARRIVALS],
        )


class _Noting(Interpreter):
    """Notes where names are given values, and which of them come from outside."""

    def __init__(self, rules: RuleSet, report: Reporter, *, deadline: float) -> None:
        super().__init__(rules, report, deadline=deadline)
        self.outside: dict[str, list[Node]] = {}
        self.last: dict[tuple[str, int], Node] = {}
        """The statements that give a name a value, by where they begin."""

    def assign(self, target: ir.Expr, value: Value, scope: Scope, node: Node) -> None:
        """Take note of an assignment, and go on as always."""
        if isinstance(target, ir.Name):
            self.last[target.name, node.start_byte] = node
            if any(each.kind in _OUTSIDE for each in value.all_taints()):
                self.outside.setdefault(target.name, []).append(node)
        super().assign(target, value, scope, node)


def _dropped(tree: SyntaxTree, noted: _Noting) -> Iterator[Span]:
    """Yield the functions in which nothing reads a name after its last value, one from outside."""
    for name, nodes in noted.outside.items():
        for node in nodes:
            function = enclosing_function(tree, tree.start(node))
            if function is None or function.body is None:
                continue
            begin = tree.source.byte_offset(function.body.start)
            end = tree.source.byte_offset(function.body.end)
            given = [at for known, at in noted.last if known == name and begin <= at < end]
            last = noted.last[name, max(given)]
            after = tree.source.slice(Span(tree.end(last), function.body.end))
            if not re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", after):
                yield function.span


def follow(tree: SyntaxTree) -> Followed | None:
    """Follow the values of a file; None where not all of them could be followed in time."""
    language = GRAMMARS.get(tree.source.language)
    if language is None or tree.has_error:
        return None
    rules = rule_set(language)
    watching = _Watching(tree, rules)
    deadline = perf_counter() + SECONDS
    try:
        module = lower(tree, deadline)
        if module is None:
            return None
        interpreter = _Noting(rules, watching, deadline=deadline)
        interpreter.read(module)
    except (OutOfTimeError, RecursionError):
        return None
    dropped = tuple(_dropped(tree, interpreter))
    return Followed(tuple(watching.sinks.values()), watching.findings, dropped)
