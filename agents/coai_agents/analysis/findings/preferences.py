"""Which findings are shown and how severe they are, as the user wants it.

Analyses are made and kept without regard to this, so a change of the settings needs no second look
at any file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from coai_agents.analysis.findings.findings import Confidence, Severity
from coai_agents.analysis.rules.rules import concept_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from coai_agents.analysis.findings.findings import Analysis, Finding
    from coai_routing.settings.findings_sections import StaticSettings

EVERYTHING = "*"
"""The group of all rules."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the settings say of findings; names are rules, weaknesses (`cwe-79`) and groups."""

    enabled: bool = True
    minimum: Severity = Severity.HINT
    confidence: Confidence = Confidence.LOW
    """The least that is shown."""
    disabled: frozenset[str] = frozenset()
    severity: tuple[tuple[str, Severity], ...] = ()
    at_least: tuple[tuple[str, Severity], ...] = ()

    @classmethod
    def of(cls, settings: StaticSettings) -> Preferences:
        """Take them from settings; names count in any case."""
        return cls(
            enabled=settings.enabled,
            minimum=Severity(settings.minimum_severity),
            confidence=Confidence(settings.confidence),
            disabled=frozenset(name.lower() for name in settings.disabled),
            severity=_severities(settings.severity),
            at_least=_severities(settings.at_least),
        )

    def shows(self, rule: str) -> bool:
        """Say whether a rule is on."""
        return self.enabled and self.disabled.isdisjoint(names_of(rule))

    def is_set(self, rule: str) -> bool:
        """Say whether the settings have a word on how severe a rule is."""
        names = names_of(rule)
        return any(name in names for name, _ in (*self.severity, *self.at_least))

    def applied(self, analysis: Analysis) -> Analysis:
        """Return an analysis with the findings that are shown, each as severe as is wanted."""
        if not self.enabled:
            return replace(analysis, findings=(), notes=())
        kept = (self._shown(finding) for finding in analysis.findings)
        return replace(analysis, findings=tuple(each for each in kept if each is not None))

    def _shown(self, finding: Finding) -> Finding | None:
        if finding.confidence.rank > self.confidence.rank:
            return None
        names = names_of(finding.rule)
        if not self.disabled.isdisjoint(names):
            return None
        severity = _most_particular(names, dict(self.severity)) or finding.severity
        least = _most_particular(names, dict(self.at_least))
        if least is not None and least.rank < severity.rank:
            severity = least
        if severity.rank > self.minimum.rank:
            return None
        return finding if severity is finding.severity else replace(finding, severity=severity)


def _severities(table: Mapping[str, str]) -> tuple[tuple[str, Severity], ...]:
    return tuple((name.lower(), Severity(severity)) for name, severity in table.items())


def names_of(rule: str) -> tuple[str, ...]:
    """Return what a rule may be called in settings, the most particular name first."""
    concept = concept_of(rule)
    weaknesses = (f"cwe-{number}" for number in concept.cwe)
    return (rule.lower(), *weaknesses, concept.topic, EVERYTHING)


def unknown_names(names: Collection[str], rules: Collection[str]) -> list[str]:
    """Return the names of settings that stand for none of the rules."""
    known = {name for rule in rules for name in names_of(rule)}
    return sorted(name for name in names if name.lower() not in known)


def _most_particular(names: tuple[str, ...], table: Mapping[str, Severity]) -> Severity | None:
    return next((table[name] for name in names if name in table), None)
