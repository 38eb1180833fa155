"""One file, from its tree to its findings."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Final

from coai_agents.static.findings import Analysis
from coai_agents.static.interpreter import Interpreter, OutOfTimeError
from coai_agents.static.lowering import lower
from coai_agents.static.matching import rule_set
from coai_agents.static.queries import search
from coai_agents.static.report import Reporter
from coai_agents.syntax.language import GRAMMARS
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from coai_agents.source import Source
    from coai_agents.static.findings import Finding
    from coai_agents.syntax.tree import SyntaxTree

BUDGET: Final = 1.0
"""Seconds for one file; what was found by then is given, with a note."""

PARSE_BUDGET: Final = 0.5

MAX_LINES: Final = 20_000
"""Longer files are searched for patterns, but no values are followed in them."""


def analyse(
    source: Source, tree: SyntaxTree | None = None, *, budget: float = BUDGET
) -> Analysis:
    """Return what is wrong in a document, as far as its text alone tells.

    `tree` is that of this snapshot if there is one already. Nothing is raised for what a text is
    like: what could not be looked at is named in the notes.
    """
    deadline = perf_counter() + budget
    notes: list[str] = []
    findings: list[Finding] = []
    if source.language in GRAMMARS:
        if tree is None:
            tree = parse(source, budget=min(budget, PARSE_BUDGET))
        if tree is None:
            notes.append("The file is too large or too tangled to be parsed.")
        else:
            findings += _in_tree(tree, deadline, notes)
    return Analysis(source.uri, source.version, tuple(findings), tuple(notes))


def _in_tree(tree: SyntaxTree, deadline: float, notes: list[str]) -> list[Finding]:
    language = GRAMMARS[tree.source.language]
    rules = rule_set(language)
    report = Reporter(tree, rules)
    search(tree, rules, report)
    if tree.source.line_count > MAX_LINES:
        notes.append(f"The file has more than {MAX_LINES:,} lines: values were not followed.")
        return list(report.findings)
    try:
        module = lower(tree)
        if module is not None:
            Interpreter(rules, report, deadline=deadline).read(module)
    except OutOfTimeError:
        notes.append("The time for one file was over: not all values were followed.")
    except RecursionError:
        notes.append("The code is nested too deeply: not all values were followed.")
    return list(report.findings)
