"""Findings as they are made, each once, with the strongest reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from coai_agents.analysis.dataflow.values import DOUBTED, EVERYTHING, UNSEEN, Kind
from coai_agents.analysis.findings.findings import Confidence, Finding, Severity, Step
from coai_agents.analysis.findings.places import Place as FilePlace
from coai_agents.analysis.findings.purposes import is_harmless
from coai_agents.analysis.findings.severities import WEAKER, weakened
from coai_agents.analysis.rules.matching import in_order
from coai_agents.analysis.rules.surroundings import Surroundings
from coai_agents.source import Encoding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tree_sitter import Node

    from coai_agents.analysis.dataflow.conditions import Occasion
    from coai_agents.analysis.dataflow.linking.outline import Reach
    from coai_agents.analysis.dataflow.values import Taint, Trail
    from coai_agents.analysis.rules.matching import RuleSet
    from coai_agents.analysis.rules.rules import CallbackRule, Clause, Concept, SourceRule
    from coai_agents.source import Span
    from coai_agents.syntax.tree import SyntaxTree

_LOOKS: Final = {
    "sql": re.compile(
        r"\s*\(?\s*(SELECT\s|(?i:select\s+(\*|.{1,400}\sfrom\b)|insert\s+(into|or|ignore)\s|update\s+\S{1,80}\s+set\s"
        r"|delete\s+from\s|replace\s+into\s|merge\s+into\s|with\s+\w{1,80}\s+as\s*\(|(create|drop|alter|truncate)\s+"
        r"(table|database|user|view|index|role|schema)\s|grant\s|exec(ute)?\s+\w|call\s+\w|match\s*\())",
        re.DOTALL,
    ),
    "html": re.compile(r"\s*<(?:!doctype|/?[a-z][a-z0-9-]{0,20}[\s/>])", re.IGNORECASE),
}
"""What text begins with that is what a category is about, where nothing else says that it is."""


@dataclass(slots=True)
class Place:
    """Where the interpreter is just now, as far as rules ask for it; a function begins anew."""

    loops: int = 0
    """So many loops' bodies are around it."""
    asynchronous: bool = False
    function: str = ""

    def suits(self, clause: Clause) -> bool:
        """Say whether a clause may show here."""
        if "loop" in clause.within and not self.loops:
            return False
        if "async" in clause.within and not self.asynchronous:
            return False
        return clause.function is None or re.search(clause.function, self.function) is not None


Key: TypeAlias = tuple[str, int, int]
"""A rule and a place."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is a finding."""

    severity: Severity
    message: str
    confidence: Confidence = Confidence.HIGH
    taint: Taint | None = None
    elsewhere: tuple[tuple[FilePlace, str], ...] = ()
    """Where the value comes through in another file before it does harm there."""


class Reporter:
    """Collects one file's findings; without `flows`, those only that need no flow of values."""

    def __init__(self, tree: SyntaxTree, rules: RuleSet, *, flows: bool = True) -> None:
        self._tree = tree
        self._flows = flows
        self._rules = rules
        self._findings: dict[Key, Finding] = {}
        self._counts: dict[int, bool] = {}
        self._early: dict[Key, tuple[Node, str]] = {}
        """Of findings that a later test may take back, where the value is from and the category."""
        self._surroundings = Surroundings(tree)
        self.place = Place()
        self.muted = False
        """Whether nothing is kept of what is found, since it was found before."""
        self.handed_on: Callable[[Taint, Clause, Concept, Node], None] | None = None
        """What takes note of parameters whose values come to where they do harm."""

    @property
    def language(self) -> str:
        """The language of the file, as LSP calls it."""
        return self._tree.source.language

    @property
    def findings(self) -> Sequence[Finding]:
        """What was found so far, in the order of the text."""
        return sorted(
            self._findings.values(), key=lambda each: (each.span.start, each.span.end, each.rule)
        )

    def counts(self, clause: Clause | SourceRule | CallbackRule) -> bool:
        """Say whether a clause counts in this file."""
        if not clause.file:
            return True
        known = self._counts.get(id(clause))
        if known is None:
            known = self._rules.counts(clause, self._tree.source.text)
            self._counts[id(clause)] = known
        return known

    def is_excused(self, clause: Clause, node: Node) -> bool:
        """Say whether what is around a place makes it harmless."""
        if not clause.not_around and clause.needs_around is None:
            return False
        code = self._surroundings.code(node, clause.around)
        if clause.needs_around is not None and not re.search(clause.needs_around, code):
            return True
        return bool(clause.not_around) and in_order(clause.not_around, code)

    def withdraw(self, origins: Sequence[Node], categories: frozenset[str]) -> None:
        """Take back what was reported early of values that have been shown to be harmless."""
        for key, (origin, category) in list(self._early.items()):
            proven = category in categories or EVERYTHING in categories
            if origin in origins and (proven or f"{category}:begins" in categories):
                self._findings.pop(key, None)
                del self._early[key]

    def check(self, clause: Clause, occasion: Occasion) -> None:
        """Report a finding if a clause holds at a place."""
        if clause.tainted and not self._flows:
            return
        if not self.place.suits(clause) or not occasion.fits(clause) or not self.counts(clause):
            return
        concept = self._rules.concepts[clause.rule]
        if self.is_excused(clause, occasion.node):
            return
        if not clause.tainted:
            self.add(concept, clause, occasion.node)
            return
        if self.handed_on is not None:
            for each in occasion.threats(clause, concept):
                if each.kind is Kind.PARAMETER:
                    self.handed_on(each, clause, concept, occasion.node)
        taint = occasion.threat(clause, concept)
        if taint is not None:
            self.add(concept, clause, occasion.node, taint)
        elif concept.strong and clause.open and _is_loose(clause, concept, occasion):
            self._add_loose(concept, clause, occasion.node)

    def _add_loose(self, concept: Concept, clause: Clause, node: Node) -> None:
        message = f"{clause.message or concept.message} A part of it comes from elsewhere."
        severity = max(
            clause.severity or concept.severity, Severity.INFORMATION, key=lambda each: each.rank
        )
        self._keep(concept, node, Reason(severity, message, Confidence.LOW))

    def add(self, concept: Concept, clause: Clause, node: Node, taint: Taint | None = None) -> None:
        """Report a finding."""
        severity = clause.severity or concept.severity
        if taint is not None:
            severity = weakened(severity, concept, taint)
            if WEAKER[taint.kind] is not None and DOUBTED in taint.cleared:
                # Those who may do more anyway, and a test that may keep even them from it.
                severity = max(severity, Severity.INFORMATION, key=lambda each: each.rank)
        elif is_harmless(concept.id, self._surroundings, node):
            severity = max(severity, Severity.INFORMATION, key=lambda each: each.rank)
        message = clause.message or concept.message
        if taint is not None:
            message = f"{message} The value comes from {taint.label}."
        confidence = clause.confidence or _confidence(taint, clause)
        key = self._keep(concept, node, Reason(severity, message, confidence, taint))
        if clause.early and key is not None and taint is not None:
            self._early[key] = taint.origin, concept.category

    def place_of(self, node: Node) -> FilePlace:
        """Return a node's place as other files refer to it."""
        source, span = self._tree.source, self._tree.span(node)
        start = source.position_at(span.start, Encoding.UTF_16)
        end = source.position_at(span.end, Encoding.UTF_16)
        return FilePlace(source.uri, start.line, start.character, end.line, end.character)

    def add_reach(self, reach: Reach, node: Node, taint: Taint) -> None:
        """Report that a value does harm in another file, which is passed to it here."""
        concept = self._rules.concepts[reach.rule]
        severity = weakened(Severity(reach.severity), concept, taint)
        doubted = not {DOUBTED, UNSEEN}.isdisjoint(taint.cleared | reach.cleared)
        confidence = Confidence.MEDIUM if doubted else Confidence.HIGH
        last, _ = reach.places[-1]
        message = f"{reach.message} The value comes from {taint.label}, and is used in {last.name}."
        self._keep(concept, node, Reason(severity, message, confidence, taint, reach.places))

    def add_of(self, rule: str, node: Node, message: str) -> None:
        """Report a finding of a rule that no clause describes."""
        concept = self._rules.concepts[rule]
        self._keep(concept, node, Reason(concept.severity, message or concept.message))

    def add_seen(
        self, rule: str, node: Node, message: str, sure: tuple[Severity, Confidence]
    ) -> None:
        """Report a finding of a rule that no clause describes, of this severity and confidence."""
        severity, confidence = sure
        self._keep(self._rules.concepts[rule], node, Reason(severity, message, confidence))

    def _keep(self, concept: Concept, node: Node, reason: Reason) -> Key | None:
        """Keep a finding, unless one at the same place says more; return what it is kept by."""
        if self.muted:
            return None
        span = self._tree.span(node)
        key = (concept.id, span.start, span.end)
        before = self._findings.get(key)
        if before is not None and (before.severity.rank, before.confidence.rank) <= (
            reason.severity.rank,
            reason.confidence.rank,
        ):
            return None
        source = self._tree.source
        self._findings[key] = Finding(
            rule=concept.id,
            span=span,
            message=reason.message,
            severity=reason.severity,
            uri=source.uri,
            version=source.version,
            cwe=concept.cwe,
            path=() if reason.taint is None else self._path(reason, span),
            confidence=reason.confidence,
        )
        return key

    def _path(self, reason: Reason, sink: Span) -> tuple[Step, ...]:
        taint = reason.taint
        assert taint is not None
        steps: list[Step] = []
        trail: Trail | None = taint.trail
        while trail is not None:
            span = self._tree.span(trail.node)
            steps.append(Step(span, trail.words))
            steps += _elsewhere(span, reversed(trail.elsewhere))
            trail = trail.before
        steps.append(Step(self._tree.span(taint.origin), f"comes from {taint.label}"))
        steps.reverse()
        if reason.elsewhere:
            return (*steps, Step(sink, "passed on here"), *_elsewhere(sink, reason.elsewhere))
        return (*steps, Step(sink, "used here"))


def _elsewhere(span: Span, places: Iterable[tuple[FilePlace, str]]) -> list[Step]:
    return [Step(span, f"{place.name}: {words}", place) for place, words in places]


def _confidence(taint: Taint | None, clause: Clause) -> Confidence:
    """Return how sure a finding is by what was seen of the value's way."""
    if taint is None:
        return Confidence.HIGH
    if taint.kind is Kind.PARAMETER:
        return Confidence.LOW if clause.open else Confidence.MEDIUM
    doubted = not {DOUBTED, UNSEEN}.isdisjoint(taint.cleared)
    return Confidence.MEDIUM if doubted else Confidence.HIGH


def _is_loose(clause: Clause, concept: Concept, occasion: Occasion) -> bool:
    """Say whether text is built in sight, for a place that it does harm in, of what is not known.

    Only where its beginning says what it is: text that begins with what is not known may be
    anything.
    """
    looks = _LOOKS.get(concept.category)
    for selector in clause.tainted:
        for value in occasion.select(selector):
            if value.built and value.loose and value.lead:
                return looks is None or looks.match(value.lead) is not None
    return False
