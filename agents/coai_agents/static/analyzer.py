"""One file, from its tree to its findings."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Final

from coai_agents.static.direction import turned_text
from coai_agents.static.findings import Analysis, Severity
from coai_agents.static.interpreter import Interpreter
from coai_agents.static.ir import OutOfTimeError
from coai_agents.static.lowering import lower
from coai_agents.static.matching import rule_set
from coai_agents.static.queries import compiled, search
from coai_agents.static.report import Reporter
from coai_agents.static.ruff import RuffError, complementing, ruff_findings
from coai_agents.static.secrets import RULE as SECRET
from coai_agents.static.secrets import secrets_in
from coai_agents.static.suppression import unsuppressed
from coai_agents.static.user_rules import findings as findings_of_user_rules
from coai_agents.syntax.grammars import grammar_for
from coai_agents.syntax.language import GRAMMARS
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from coai_agents.source import Source
    from coai_agents.static.findings import Finding
    from coai_agents.static.matching import RuleSet
    from coai_agents.syntax.tree import SyntaxTree

BUDGET: Final = 1.0
"""Seconds for one file; what was found by then is given, with a note."""

PARSE_BUDGET: Final = 0.5

HARDCODED: Final = "hardcoded-secret"

MAX_LINES: Final = 20_000
"""Longer files are searched for patterns, but no values are followed in them."""


def analyse(source: Source, tree: SyntaxTree | None = None, *, budget: float = BUDGET) -> Analysis:
    """Return what is wrong in a document, as far as its text alone tells.

    `tree` is that of this snapshot if there is one already. Nothing is raised for what a text is
    like: what could not be looked at is named in the notes.
    """
    notes: list[str] = []
    findings: list[Finding] = []
    if (grammar := grammar_for(source.language)) is not None:
        # Read once for each language; a file's time begins when they are there.
        rules = rule_set(GRAMMARS[source.language])
        compiled(grammar, rules)
        deadline = perf_counter() + budget
        if tree is None:
            tree = parse(source, budget=min(budget, PARSE_BUDGET))
        if tree is None:
            notes.append(
                "The file is too large or too tangled to be parsed; only secrets were looked for."
            )
        else:
            findings += _in_tree(tree, rules, deadline, notes)
    findings += secrets_in(source)
    if source.language == "python":
        findings += _of_ruff(source, findings, notes)
    findings += findings_of_user_rules(source, notes, perf_counter() + budget)
    findings += turned_text(source)
    kept = _ordered(unsuppressed(source, _without_doubles(findings)))
    suppressed = len(findings) - len(kept)
    return Analysis(source.uri, source.version, tuple(kept), tuple(notes), suppressed)


def _of_ruff(source: Source, ours: list[Finding], notes: list[str]) -> list[Finding]:
    try:
        return complementing(ours, ruff_findings(source))
    except RuffError as error:
        notes.append(f"{error.message} Its security rules were left out.")
        return []


def _ordered(findings: list[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda each: (each.span.start, each.span.end, each.rule))


def _without_doubles(findings: list[Finding]) -> list[Finding]:
    """Leave out what another finding says better.

    A guess at a secret where the detector is sure, the detector's guess where a rule knows, and a
    pattern where the flow of a value is known to be as bad.
    """
    return [
        finding
        for finding in findings
        if not any(_says_better(other, finding) for other in findings if other is not finding)
    ]


def _says_better(one: Finding, other: Finding) -> bool:
    if one.rule == SECRET and other.rule == HARDCODED:
        return one.severity is Severity.ERROR and other.span.covers(one.span)
    if one.rule == HARDCODED and other.rule == SECRET:
        return other.severity is not Severity.ERROR and one.span.covers(other.span)
    if one.span != other.span or not one.path:
        return False
    return one.severity.rank < other.severity.rank and not set(one.cwe).isdisjoint(other.cwe)


def _in_tree(tree: SyntaxTree, rules: RuleSet, deadline: float, notes: list[str]) -> list[Finding]:
    report = Reporter(tree, rules)
    if not search(tree, rules, report, deadline):
        notes.append("The time for one file was over: not all patterns were looked for.")
    if tree.source.line_count > MAX_LINES:
        notes.append(f"The file has more than {MAX_LINES:,} lines: values were not followed.")
        return list(report.findings)
    try:
        module = lower(tree, deadline)
        if module is not None:
            Interpreter(rules, report, deadline=deadline).read(module)
    except OutOfTimeError:
        notes.append("The time for one file was over: not all values were followed.")
    except RecursionError:
        notes.append("The code is nested too deeply: not all values were followed.")
    return list(report.findings)
