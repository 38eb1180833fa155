"""Triage: findings with what speaks for less severity, first without a model, then with one.

A finding is never taken away and never made graver. What lowers it is a heuristic that goes by what
the code does, or a model's verdict whose probability is below what was calibrated for that model;
the finding says which it was.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from coai_agents.analysis.findings.findings import Severity
from coai_agents.specialists.asking import NobodyError
from coai_agents.specialists.security.triage.evidence import evidence
from coai_agents.specialists.security.triage.following import follow
from coai_agents.specialists.security.triage.heuristics import doubt_of
from coai_agents.specialists.security.triage.kept import Verdicts
from coai_agents.specialists.security.triage.verdicts import (
    VERSION,
    calibration,
    chance_of_fault,
    prompt_for,
)
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.source import Source
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.security.triage.heuristics import Doubt
    from coai_agents.syntax.tree import SyntaxTree

PARSE_SECONDS: Final = 0.5

_LOWER: Final = {
    Severity.ERROR: Severity.WARNING,
    Severity.WARNING: Severity.INFORMATION,
    Severity.INFORMATION: Severity.INFORMATION,
    Severity.HINT: Severity.HINT,
}
"""What a severity is lowered to: one step, and never to what editors hide."""


@dataclass(frozen=True, slots=True)
class Triaged:
    """A finding after triage."""

    finding: Finding
    """With the severity that it has now, and why in its message."""
    before: Severity
    by: str = ""
    """The heuristic or the model; empty where nothing spoke for less."""
    reason: str = ""
    chance: float | None = None
    """How likely a model holds the fault to be, where one was asked."""

    @property
    def doubted(self) -> bool:
        """Whether something speaks for less severity, also where there is no less."""
        return bool(self.reason)

    def as_json(self) -> dict[str, Any]:
        """Return what triage has to say of it."""
        return {
            "doubted": self.doubted,
            "severityBefore": self.before.value,
            "by": self.by,
            "reason": self.reason,
            "probability": self.chance,
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """The findings of a file, in their order, and what could not be done."""

    triaged: tuple[Triaged, ...]
    notes: tuple[str, ...] = ()


async def triage(
    source: Source,
    findings: Sequence[Finding],
    asker: Asker,
    *,
    path: str = "",
    kept: Verdicts | None = None,
    doubted: Sequence[Doubt | None] | None = None,
) -> Outcome:
    """Return a file's findings after triage, as many as before.

    `path` is the file's within its project, which tells tests from other code. `doubted` is what
    `doubts` says of each finding, where another process has found that out.
    """
    tree = await asyncio.to_thread(partial(parse, source, budget=PARSE_SECONDS))
    store = kept or Verdicts(None)
    done: list[Triaged] = []
    notes: list[str] = []
    known = doubts(source, findings, path) if doubted is None else doubted
    for finding, doubt in zip(findings, known, strict=True):
        if doubt is not None:
            done.append(lowered(finding, doubt.kind, doubt.reason))
        elif tree is None or not finding.cwe or notes:
            done.append(Triaged(finding, finding.severity))
        else:
            try:
                done.append(await _judged(tree, finding, asker, path, store))
            except NobodyError as error:
                notes.append(f"No model judged what is left: {error}")
                done.append(Triaged(finding, finding.severity))
    return Outcome(tuple(done), tuple(notes))


def doubts(source: Source, findings: Sequence[Finding], path: str = "") -> list[Doubt | None]:
    """Return what speaks for less severity of each finding without a model; takes a while."""
    tree = parse(source, budget=PARSE_SECONDS)
    followed = None if tree is None else follow(tree)
    return [doubt_of(finding, tree, followed, path) for finding in findings]


async def _judged(
    tree: SyntaxTree, finding: Finding, asker: Asker, path: str, store: Verdicts
) -> Triaged:
    """Return a finding with a model's verdict; raises `NobodyError`."""
    shown = evidence(tree, finding, VERSION, asker.wanted)
    known = store.get(shown.key)
    if known is None:
        said = await asker.say(prompt_for(finding, shown, path))
        chance = chance_of_fault(said.alternatives)
        if chance is None:
            # It said something else, or its server tells no probabilities.
            return Triaged(finding, finding.severity)
        known = chance, said.model
        store.put(shown.key, *known)
    chance, model = known
    if chance >= calibration().below(model):
        return Triaged(finding, finding.severity, model, chance=chance)
    reason = f"{model} holds a fault here for {chance:.0%} likely, unchecked"
    return replace(lowered(finding, model, reason), chance=chance)


def lowered(finding: Finding, by: str, reason: str) -> Triaged:
    """Return a finding with a severity of one step less, and why in its message."""
    severity = _LOWER[finding.severity]
    message = f"{finding.message} (Triage: {reason}.)"
    return Triaged(
        replace(finding, severity=severity, message=message), finding.severity, by, reason
    )
