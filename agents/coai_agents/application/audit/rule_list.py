"""The rules of the static tier, and whether their own examples hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coai_agents.analysis.dataflow.lowering import LANGUAGES
from coai_agents.analysis.rules import rules, user_rules
from coai_agents.analysis.rules.rule_pages import BY_CODE, languages_of, rule_page
from coai_agents.analysis.rules.rules import WEAKNESS, catalogue, load, own_concepts
from coai_agents.application.analyse import analyse
from coai_agents.source import Source

if TYPE_CHECKING:
    from coai_agents.analysis.rules.rules import Concept

__all__ = [
    "WEAKNESS",
    "Tally",
    "built_in",
    "everything",
    "is_known",
    "languages_of",
    "rule_page",
    "try_examples",
]


@dataclass(frozen=True, slots=True)
class Tally:
    """How the rules' own examples went."""

    tried: int
    failures: tuple[str, ...]
    problems: bool
    """Whether a rule of the user's own is wrong in itself."""


def is_known(rule: str) -> bool:
    """Say whether there is a rule of this id, the user's own included."""
    return rule in catalogue() or rule in own_concepts()


def built_in() -> list[tuple[Concept, list[str]]]:
    """Return COAI's own rules that any language shows, with those languages."""
    languages = _languages()
    return [(each, languages[each.id]) for each in catalogue().values() if languages.get(each.id)]


def everything() -> list[tuple[Concept, list[str]]]:
    """Return all rules with their languages, the user's own ones last."""
    own = [(each, [*each.languages]) for each in own_concepts().values() if each.languages]
    return [*built_in(), *own]


def _languages() -> dict[str, list[str]]:
    known: dict[str, list[str]] = {rule: [*those] for rule, those in BY_CODE.items()}
    for language in sorted(LANGUAGES - {"tsx"}):
        for rule in {clause.rule for clause in load(language).find}:
            known.setdefault(rule, []).append(language)
    return known


def try_examples() -> Tally:
    """Try every rule on its own examples, the user's own ones on their snippets."""
    tried, failed = 0, list[str]()
    for language in sorted(LANGUAGES):
        for number, example in enumerate(rules.examples(language)):
            tried += 1
            if example.rule not in _found(example.bad, language):
                failed.append(f"{language}, example {number}: {example.rule} is not found")
            if example.rule in _found(example.good, language):
                failed.append(f"{language}, example {number}: {example.rule} is found in good code")
    for rule in user_rules.all_rules():
        tried += len(rule.snippets.valid) + len(rule.snippets.invalid)
        failed += user_rules.failures(rule)
    return Tally(tried, tuple(failed), bool(user_rules.problems()))


def _found(text: str, language: str) -> set[str]:
    name = "typescriptreact" if language == "tsx" else language
    return {each.rule for each in analyse(Source("untitled:x", text, name)).findings}
