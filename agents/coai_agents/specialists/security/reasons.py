"""Why a finding does harm and how it would be exploited, in a model's words that were checked.

A model is shown what triage shows it: the function's lines that the value comes by, without
comments and docstrings, for what these claim must not matter. A sentence is kept if every name that
it speaks of stands there, every line that it names was shown, and every weakness that it names is
the finding's own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.rules.rules import catalogue
from coai_agents.specialists.answering.agent import names_asked
from coai_agents.specialists.answers import Origin, Section, Statement
from coai_agents.specialists.asking import Prompt
from coai_agents.specialists.explaining.facts import place_of
from coai_agents.specialists.security.triage.evidence import evidence
from coai_agents.specialists.words import all_words, names_in, sentences
from coai_routing.request import Capability

if TYPE_CHECKING:
    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.source import Source
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.words import Words
    from coai_agents.syntax.tree import SyntaxTree

VERSION: Final = "1"
"""Raise it when the prompt changes: what was said to another one is asked anew."""

TASK: Final = (
    "You explain one report of a static analyser to the developer of the code. In at most three "
    "short sentences say why the value does harm there, and what somebody would send to exploit "
    "it. Go by the code alone. Write names from the code in backticks."
)
TITLE: Final = "How it would be exploited"
MOST_TOKENS: Final = 160
MOST_SENTENCES: Final = 3

_LINES: Final = re.compile(r"\blines?\s+(\d+)(?:\s*(?:-|to|and)\s*(\d+))?", re.IGNORECASE)
_WEAKNESS: Final = re.compile(r"\bCWE[- ]?(\d+)\b", re.IGNORECASE)


def reason_key(tree: SyntaxTree, finding: Finding, *what: str) -> str:
    """Return what a reason is kept by: the meaning of the code and the finding; may be empty."""
    return evidence(tree, finding, "reason", VERSION, *what).key


def prompt_for(tree: SyntaxTree, finding: Finding, path: str) -> Prompt:
    """Return what a model is asked; in the code that it is shown nothing speaks to it."""
    shown = evidence(tree, finding)
    first = tree.source.line_at(finding.span.start) + 1
    parts = [
        f"```{tree.source.language}\n{shown.code}\n```",
        f"Reported: {finding.rule}: {finding.message}",
        f"At line {first}: {shown.place}",
    ]
    if shown.way:
        parts.append("The value comes by:\n" + "\n".join(shown.way))
    return Prompt(
        Capability.SECURITY_ANALYSIS,
        TASK,
        "\n".join(parts),
        max_tokens=MOST_TOKENS,
        complexity=0.5,
        paths=(path,) if path else (),
    )


async def reasoned(
    tree: SyntaxTree, finding: Finding, path: str, asker: Asker
) -> tuple[Section, str]:
    """Return what a model says of a finding as far as it holds, and why there is no more."""
    words = await all_words(prompt_for(tree, finding, path), asker)
    section = checked(words, tree, finding, path)
    if section.statements:
        return section, ""
    return section, words.why or "A model's words of how it would be exploited did not hold."


def checked(words: Words, tree: SyntaxTree, finding: Finding, path: str) -> Section:
    """Return the sentences that hold against the code, the rule and the finding."""
    source = tree.source
    concept = catalogue().get(finding.rule)
    told = [
        finding.rule,
        finding.message,
        "" if concept is None else f"{concept.why} {concept.title}",
    ]
    known = names_in(f"{prompt_for(tree, finding, path).about} {' '.join(told)}")
    kept, _ = sentences(words, known, MOST_SENTENCES)
    where = (place_of(source, finding.span, path),)
    said = [each for each in kept if _holds(each, source, finding, known)]
    return Section(TITLE, tuple(Statement(each, Origin.MODEL, words.model, where) for each in said))


def _holds(sentence: str, source: Source, finding: Finding, known: set[str]) -> bool:
    lines = {
        int(number) for match in _LINES.finditer(sentence) for number in match.groups() if number
    }
    weaknesses = {int(number) for number in _WEAKNESS.findall(sentence)}
    last = source.line_at(len(source.text)) + 1
    return (
        all(1 <= each <= last for each in lines)
        and weaknesses <= set(finding.cwe)
        and names_asked(sentence) <= known
    )
