"""Triage of what is shown of a document: findings in, the same with what speaks for less out.

What the code around a finding does is looked at by the process that analyses. A model is asked only
by whoever gives an `Asker`; nothing is ever taken away, and what the user's settings make of a
rule's severity stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coai_agents.analysis.findings.findings import Analysis, Finding
    from coai_agents.analysis.findings.preferences import Preferences
    from coai_agents.analysis.run.worker import AnalysisWorker
    from coai_agents.source import Source, Span
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.security.triage.agent import Triaged

MOST_ASKED: Final = 10
"""Findings of one version of a document that a model is asked about: the gravest. On two cores the
1.5B model reads the evidence of one in up to 10 s."""


@dataclass(frozen=True, slots=True)
class Triage:
    """The verdicts on the findings of one version of a document."""

    version: int
    verdicts: Mapping[tuple[str, Span], Triaged]

    def of(self, finding: Finding) -> Triaged | None:
        """Return the verdict on a finding, None if there is none."""
        return self.verdicts.get((finding.rule, finding.span))

    def applied(self, analysis: Analysis) -> Analysis:
        """Return an analysis with the severities that the verdicts lower, and why."""
        if analysis.version != self.version:
            return analysis
        findings = tuple(
            each if (known := self.of(each)) is None else known.finding
            for each in analysis.findings
        )
        return replace(analysis, findings=findings)


async def triage_by_heuristics(
    source: Source,
    analysis: Analysis,
    path: str,
    *,
    worker: AnalysisWorker,
    preferences: Preferences,
) -> tuple[Triage, tuple[Finding, ...]]:
    """Return what can be told without a model, and the findings that one could be asked about.

    `analysis` is what is shown of the snapshot. Raises `AnalysisError`.
    """
    from coai_agents.specialists.security.triage.agent import lowered  # noqa: PLC0415 - see `triage_by_model`

    weak = tuple(
        each for each in analysis.findings if each.cwe and not preferences.is_set(each.rule)
    )
    if not weak:
        return Triage(analysis.version, {}), ()
    said = await worker.doubts(source, replace(analysis, findings=weak), path)
    verdicts: dict[tuple[str, Span], Triaged] = {}
    left: list[Finding] = []
    for finding, doubt in zip(weak, said, strict=True):
        if doubt is None:
            left.append(finding)
        else:
            verdicts[finding.rule, finding.span] = lowered(finding, *doubt)
    return Triage(analysis.version, verdicts), tuple(left)


async def triage_by_model(
    source: Source, known: Triage, left: Sequence[Finding], path: str, asker: Asker
) -> Triage:
    """Return the verdicts with a model's on the gravest of what the heuristics have left."""
    # The daemon needs none of it before there is something to judge.
    from coai_agents.specialists.security.triage.agent import triage  # noqa: PLC0415
    from coai_agents.specialists.security.triage.kept import Verdicts, verdicts_path  # noqa: PLC0415

    asked = sorted(left, key=lambda each: each.severity.rank)[:MOST_ASKED]
    store = Verdicts(verdicts_path())
    nothing = [None] * len(asked)
    outcome = await triage(source, asked, asker, path=path, kept=store, doubted=nothing)
    said = {
        (before.rule, before.span): after
        for before, after in zip(asked, outcome.triaged, strict=True)
        if after.chance is not None
    }
    return replace(known, verdicts={**known.verdicts, **said})
