"""One file, from its tree to its findings."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.constructs.names import DECIDING, LIBRARY
from coai_agents.analysis.dataflow.interpreter import Interpreter
from coai_agents.analysis.dataflow.ir import OutOfTimeError
from coai_agents.analysis.dataflow.lowering import lower
from coai_agents.analysis.findings.direction import turned_text
from coai_agents.analysis.findings.documentation import documentation_findings
from coai_agents.analysis.findings.findings import Analysis, Notes, Severity
from coai_agents.analysis.findings.repeats import with_quiet_repeats
from coai_agents.analysis.findings.report import Reporter
from coai_agents.analysis.findings.secrets import RULE as SECRET
from coai_agents.analysis.findings.secrets import masking, secrets_in
from coai_agents.analysis.findings.suppression import unsuppressed
from coai_agents.analysis.rules.matching import rule_set
from coai_agents.analysis.rules.queries import compiled, search
from coai_agents.analysis.rules.user_rules import findings as findings_of_user_rules
from coai_agents.analysis.run.large import excess, patterns_in
from coai_agents.analysis.run.ruff import MAX_CHARACTERS, RuffError, complementing, ruff_findings
from coai_agents.analysis.shapes.go.checks import check_go
from coai_agents.analysis.shapes.native import check_native
from coai_agents.analysis.texts.embedded import embedded, with_language
from coai_agents.analysis.texts.reading import findings_of_texts
from coai_agents.syntax.grammars import grammar_for
from coai_agents.syntax.language import GRAMMARS
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from coai_agents.analysis.dataflow.linking.linked import Linked
    from coai_agents.analysis.dataflow.linking.outline import Outline
    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.analysis.rules.matching import RuleSet
    from coai_agents.source import Source, Span
    from coai_agents.syntax.tree import SyntaxTree

_SHAPES: Final = {"go": check_go, "c": check_native, "cpp": check_native}
"""What looks at the shape of functions, by language."""

BUDGET: Final = 1.0
"""Seconds for one file; what was found by then is given, with a note."""

LARGE_BUDGET: Final = 1.5
"""Seconds for a file that is too large for its values to be followed, secrets included."""

PARSE_BUDGET: Final = 0.5

HARDCODED: Final = "hardcoded-secret"
UNESCAPED: Final = "template-unescaped"
SCRIPTING: Final = "xss"

SECRETS_BUDGET: Final = 0.5
"""Seconds after which no further part of a text is searched for secrets: some 3 million characters,
or some 6,000 secrets."""


def analyse(
    source: Source,
    tree: SyntaxTree | None = None,
    *,
    budget: float = BUDGET,
    linked: Linked | None = None,
) -> Analysis:
    """Return what is wrong in a document, as far as its text tells, and `linked` of other files.

    `tree` is that of this snapshot if there is one already. Nothing is raised for what a text is
    like: what could not be looked at is named in the notes, a fault of ours included.
    """
    source = with_language(source)
    notes = Notes()
    try:
        return _analysed(source, tree, notes, Reading(budget, linked))
    except Exception as error:  # noqa: BLE001 - one document's fault must not be another one's
        notes.fail("The analysis", error)
        return Analysis(source.uri, source.version, (), tuple(notes), hurried=True, failed=True)


@dataclass(slots=True)
class Reading:
    """How a document is read, and what is learnt of it besides findings."""

    budget: float
    """Seconds for one file."""
    linked: Linked | None = None
    outline: Outline | None = None


def _analysed(source: Source, tree: SyntaxTree | None, notes: Notes, reading: Reading) -> Analysis:
    started = perf_counter()
    budget = reading.budget
    findings: list[Finding] = []
    searched = len(source.text)
    try:
        findings, searched = secrets_in(source, started + SECRETS_BUDGET)
    except Exception as error:  # noqa: BLE001 - what the other parts find is still worth having
        notes.fail("Looking for secrets", error)
    findings += _in_code(source, tree, notes, reading)
    for part in embedded(source, notes):
        inside = _in_code(part.source, None, notes, Reading(budget))
        findings += map(part.placed, unsuppressed(part.source, inside))
    if searched < len(source.text):
        notes.hurry(f"Only the first {searched:,} characters were searched for secrets.")
    if source.language == "python":
        findings += _of_ruff(source, findings, notes)
    findings += findings_of_user_rules(source, notes, perf_counter() + budget)
    findings += findings_of_texts(source, notes, perf_counter() + budget)
    findings += turned_text(source)
    kept = _ordered(unsuppressed(source, without_doubles(findings)))
    suppressed = len(findings) - len(kept)
    return Analysis(
        source.uri,
        source.version,
        tuple(map(masking, kept)),
        tuple(notes),
        suppressed,
        hurried=notes.hurried,
        failed=notes.failed,
        outline=reading.outline,
    )


def _in_code(
    source: Source, tree: SyntaxTree | None, notes: Notes, reading: Reading
) -> list[Finding]:
    """Return what the rules of a language find in code."""
    grammar = grammar_for(source.language)
    if grammar is None:
        return []
    if (more := excess(source)) is not None:
        return patterns_in(source, more, notes, perf_counter() + LARGE_BUDGET)
    rules = rule_set(GRAMMARS[source.language])
    # Read once for each language; a file's time begins when they are there.
    compiled(grammar, rules)
    return _in_small(source, tree, rules, notes, reading)


def _of_ruff(source: Source, ours: list[Finding], notes: Notes) -> list[Finding]:
    try:
        return complementing(ours, ruff_findings(source))
    except RuffError as error:
        left_out = f"{error.message} Its security rules were left out."
        if len(source.text) > MAX_CHARACTERS:
            notes.append(left_out)
        else:
            notes.hurry(left_out)
        return []


def _ordered(findings: list[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda each: (each.span.start, each.span.end, each.rule))


def without_doubles(findings: list[Finding]) -> list[Finding]:
    """Leave out what another finding says better.

    A guess at a secret where the detector is sure, the detector's guess where a rule knows, what a
    template puts in unescaped where it is known what that is, and all but one of several that name
    the same weakness of the same place. Takes time in proportion to the number of findings, of
    which a generated file may have tens of thousands.
    """
    places: dict[Span, list[Finding]] = {}
    for finding in findings:
        places.setdefault(finding.span, []).append(finding)
    sure = [each for each in findings if each.rule == SECRET and each.severity is Severity.ERROR]
    known = [each for each in findings if each.rule == HARDCODED]
    guessed = [
        each for each in findings if each.rule == SECRET and each.severity is not Severity.ERROR
    ]
    doubles = _covering(known, sure) | _covered(guessed, by=known) | _unescaped_twice(findings)
    return [
        finding
        for finding in findings
        if id(finding) not in doubles
        and not any(_says_better(other, finding) for other in places[finding.span])
    ]


def _unescaped_twice(findings: list[Finding]) -> set[int]:
    """Return the identities of findings about what a template puts in, where another says more."""
    shown = [each for each in findings if each.rule == UNESCAPED]
    if not shown:
        return set()
    followed = [each for each in findings if each.rule == SCRIPTING]
    sure = [each for each in followed if each.severity.rank <= Severity.WARNING.rank]
    weak = [each for each in followed if each.severity.rank > Severity.WARNING.rank]
    return _covering(shown, sure) | _covered(weak, by=shown)


def _says_better(one: Finding, other: Finding) -> bool:
    """Say whether one finding of a place makes another one of the same weakness needless."""
    if one is other or set(one.cwe).isdisjoint(other.cwe):
        return False
    return _weight(one) < _weight(other)


def _weight(finding: Finding) -> tuple[int, int, int, bool, str]:
    """Return what orders findings of one fault: the one that says most comes first."""
    severity, confidence = finding.severity.rank, finding.confidence.rank
    # What names fewer weaknesses says more of this one.
    return severity, confidence, len(finding.cwe), not finding.path, finding.rule


def _covered(some: list[Finding], *, by: list[Finding]) -> set[int]:
    """Return the identities of those findings that lie within one of the others."""
    covered: set[int] = set()
    waiting = sorted(by, key=lambda each: each.span.start, reverse=True)
    reach = -1
    for finding in sorted(some, key=lambda each: each.span.start):
        while waiting and waiting[-1].span.start <= finding.span.start:
            reach = max(reach, waiting.pop().span.end)
        if finding.span.end <= reach:
            covered.add(id(finding))
    return covered


def _covering(some: list[Finding], others: list[Finding]) -> set[int]:
    """Return the identities of those findings that one of the others lies within."""
    covering: set[int] = set()
    waiting = sorted(others, key=lambda each: each.span.start)
    nearest: int | None = None
    for finding in sorted(some, key=lambda each: each.span.start, reverse=True):
        while waiting and waiting[-1].span.start >= finding.span.start:
            end = waiting.pop().span.end
            nearest = end if nearest is None else min(nearest, end)
        if nearest is not None and nearest <= finding.span.end:
            covering.add(id(finding))
    return covering


def _in_small(
    source: Source, tree: SyntaxTree | None, rules: RuleSet, notes: Notes, reading: Reading
) -> list[Finding]:
    """Return what is found in a file in which values are followed."""
    deadline = perf_counter() + reading.budget
    tree = tree or parse(source, budget=min(deadline - perf_counter(), PARSE_BUDGET))
    if tree is None:
        notes.hurry("The file is too tangled to be parsed; only secrets were looked for.")
        return []
    report = Reporter(tree, rules)
    if search(tree, rules, report, deadline) < tree.root.end_byte:
        notes.hurry("The file is too long or too broken: not all patterns were looked for.")
    try:
        module = lower(tree, deadline)
        if module is not None:
            interpreter = Interpreter(rules, report, deadline=deadline, linked=reading.linked)
            interpreter.read(module)
            outline = interpreter.outline()
            reading.outline = None if outline.is_empty else outline
    except OutOfTimeError:
        notes.hurry("The time for one file was over: not all values were followed.")
    except RecursionError:
        notes.append("The code is nested too deeply: not all values were followed.")
    if (check := _SHAPES.get(tree.source.language)) is not None:
        check(tree.root, report)
    constructs = _of_constructs(tree, reading.budget)
    found = with_quiet_repeats(report.findings, tree)
    return [*found, *constructs, *_of_documentation(tree, deadline, notes)]


def _of_constructs(tree: SyntaxTree, budget: float) -> list[Finding]:
    if not LIBRARY.search(tree.source.text[:DECIDING]):
        return []
    from coai_agents.analysis.constructs.checks import (  # noqa: PLC0415 - with the clouds' rules
        construct_findings,
    )

    return construct_findings(tree, budget)


def _of_documentation(tree: SyntaxTree, deadline: float, notes: Notes) -> list[Finding]:
    findings: list[Finding] = []
    for found in documentation_findings(tree):
        findings.append(found)
        if perf_counter() > deadline:
            notes.hurry("The time for one file was over: not all documentation was looked at.")
            break
    return findings
