"""The page of each rule: what it finds, why that matters, what to do, with an example.

The same text is what `coai rules explain` prints and what an editor opens from a finding's code:
a file on this machine, because a link to somewhere else needs the internet.
"""

from __future__ import annotations

import contextlib
from functools import cache
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow.lowering import LANGUAGES
from coai_agents.analysis.rules.rules import (
    WEAKNESS,
    OwnConcept,
    catalogue,
    concept_of,
    examples,
    load,
    own_concepts,
)
from coai_agents.analysis.texts.clauses import all_rules
from coai_agents.markdown import code, fenced, link, text
from coai_routing.own_files import own_file, own_folder, write_own_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from coai_agents.analysis.rules.rules import Concept

BY_CODE: Final = {
    "secret-found": ("any",),
    "stale-documentation": (
        "c", "cpp", "csharp", "go", "java", "javascript", "php", "python", "ruby", "rust",
        "typescript",
    ),
    "vulnerable-dependency": ("manifests",),
}  # fmt: skip
"""The languages of rules that no rule file describes."""


def languages_of(rule: str) -> tuple[str, ...]:
    """Return the languages that a rule knows."""
    if rule in BY_CODE:
        return BY_CODE[rule]
    own = own_concepts().get(rule)
    if own is not None:
        return own.languages
    return _languages().get(rule, ())


@cache
def _languages() -> dict[str, tuple[str, ...]]:
    known: dict[str, tuple[str, ...]] = {}
    for language in sorted(LANGUAGES - {"tsx"}):
        for rule in {clause.rule for clause in load(language).find}:
            known[rule] = (*known.get(rule, ()), language)
    for rules in all_rules().values():
        for clause in rules.find:
            before = known.get(clause.rule, ())
            named = clause.formats or rules.formats
            known[clause.rule] = tuple(dict.fromkeys((*before, *named)))
    return known


def rule_page(rule: str) -> str:
    """Return a rule's page in Markdown; of a rule that is not known, what its id says."""
    concept = concept_of(rule)
    facts = [f"severity `{concept.severity.value}`", concept.topic, ", ".join(languages_of(rule))]
    facts += [link(f"CWE-{number}", WEAKNESS.format(number)) for number in concept.cwe]
    facts += [f"OWASP Top 10 {category}" for category in concept.owasp]
    parts = [
        f"# {text(concept.title or concept.id)}",
        f"{code(concept.id)} · {' · '.join(filter(None, facts))}",
    ]
    parts += [text(f"{concept.message} {concept.why}")]
    if concept.advice:
        parts.append(f"**Instead:** {text(concept.advice)}")
    parts += _of_own(concept) if isinstance(concept, OwnConcept) else list(_shown(concept))
    parts.append(_SILENCING.format(rule=concept.id))
    return "\n\n".join(parts)


def _of_own(concept: OwnConcept) -> list[str]:
    said = [f"A rule of your own, in {code(concept.file)}."] if concept.file else []
    return [*said, f"More: {link(concept.url, concept.url)}"] if concept.url else said


def _shown(concept: Concept) -> Iterable[str]:
    """Yield an example in each language that has one."""
    for language in sorted(LANGUAGES - {"tsx"}):
        shown = next((each for each in _examples(language) if each.rule == concept.id), None)
        if shown is None:
            continue
        for heading, shown_code in (("Found", shown.bad), ("Not found", shown.good)):
            if shown_code:
                yield f"{heading} ({language}):\n\n{fenced(shown_code.strip(), language)}"
    for rules in all_rules().values():
        clause = next((each for each in rules.find if each.rule == concept.id), None)
        if clause is not None:
            format_ = (clause.formats or rules.formats)[0]
            for heading, shown_code in (("Found", clause.bad), ("Not found", clause.good)):
                yield f"{heading} ({format_}):\n\n{fenced(shown_code.strip(), format_)}"


_examples = cache(examples)

_SILENCING: Final = """\
A comment takes a finding away, in its line or on a line of its own above: \
`coai: ignore[{rule}] reason`. In the user's settings `static.disabled = ["{rule}"]` switches the \
rule off, and `static.severity` says how severe it is.
"""


def page_name(rule: str) -> str:
    """Return the name of the file that a rule's page is in."""
    return f"{rule}.md"


def write(folder: Path, rules: Iterable[str]) -> None:
    """Write the pages of rules; where that cannot be done, their links lead nowhere."""
    with contextlib.suppress(OSError):
        own_folder(folder)
        for rule in rules:
            if rule in catalogue() or rule in own_concepts():
                path, text = folder / page_name(rule), rule_page(rule)
                if not path.exists() or path.read_text("utf-8") != text:
                    write_own_file(path, text)
                own_file(path)
