"""What the flow engine knows of the places that a finding may be about, harmful or not.

An analysis tells only where a dangerous value arrives. For a finding that somebody else reports, a
linter's or a user's own rule, it matters as well where the engine looked and nothing arrived.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow.interpreter import Interpreter
from coai_agents.analysis.dataflow.ir import OutOfTimeError
from coai_agents.analysis.dataflow.lowering import lower
from coai_agents.analysis.findings.report import Reporter
from coai_agents.analysis.rules.matching import rule_set
from coai_agents.syntax.language import GRAMMARS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.analysis.dataflow.conditions import Occasion
    from coai_agents.analysis.findings.findings import Finding, Severity
    from coai_agents.analysis.rules.matching import RuleSet
    from coai_agents.analysis.rules.rules import Clause
    from coai_agents.source import Source, Span
    from coai_agents.syntax.tree import SyntaxTree

MOST_ARRIVALS: Final = 50
"""At one sink, which may be come by many times."""

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

    def clears(self, finding: Finding, source: Source) -> bool:
        """Say whether every value is known that arrives at a finding's place, and none does harm.

        That is so where the engine knows the place, looked at all that arrives there, and reports
        nothing of the same weakness: constants, values that were made harmless, branches that are
        never taken.
        """
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
        Interpreter(rules, watching, deadline=deadline).read(module)
    except (OutOfTimeError, RecursionError):
        return None
    return Followed(tuple(watching.sinks.values()), watching.findings)
