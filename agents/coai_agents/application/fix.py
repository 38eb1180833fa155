"""Fixes of what was found: an analysis and a range in, verified edits out.

The functions work in this process. `Fixes` has the process that analyses do it, which is for doors
that must not wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.analysis.findings.preferences import Preferences
from coai_agents.source import Span

if TYPE_CHECKING:
    from coai_agents.analysis.findings.findings import Analysis
    from coai_agents.application.analyse import Analyses
    from coai_agents.fixes.fix import Fix
    from coai_agents.source import Edit, Source

_ALL = Preferences()


def fix(
    source: Source, analysis: Analysis, span: Span, preferences: Preferences = _ALL
) -> list[Fix]:
    """Return the verified fixes of what is shown in a span; a cursor has an empty one.

    `analysis` is of the same snapshot, as `analyse` made it; `preferences` say what of it is shown.
    Nothing is written: `verifier.applied` makes the document that the edits lead to.
    """
    from coai_agents.fixes.proposals import fixes_touching  # noqa: PLC0415 - for `fix` and `fix_all` only

    return [each for each in fixes_touching(source, span, analysis) if preferences.shows(each.rule)]


def fix_all(source: Source, analysis: Analysis, preferences: Preferences = _ALL) -> list[Edit]:
    """Return edits that fix as much of a document as can be fixed at once, tried together."""
    from coai_agents.fixes.together import together  # noqa: PLC0415 - as above
    from coai_agents.fixes.verifier import harmless  # noqa: PLC0415 - as above

    fixes = fix(source, analysis, Span(0, len(source.text)), preferences)
    every, first = together(fixes)
    return every if not every or harmless(source, every, analysis) is not None else first


class Fixes:
    """The fixes of a document's last version that was asked about."""

    def __init__(self, analyses: Analyses) -> None:
        """Take what knows documents, their settings, and the process that analyses."""
        self._analyses = analyses
        self._found: dict[Span, tuple[Fix, ...]] = {}
        self._of: tuple[str, int, int] = ("", 0, 0)

    async def touching(self, source: Source, span: Span) -> list[Fix]:
        """Return the verified fixes of what is shown in a span; raises `AnalysisError`."""
        now = (source.uri, source.version, self._analyses.generation)
        if self._of != now:
            self._of, self._found = now, {}
        fixes = self._found.get(span)
        if fixes is None:
            self._analyses.worker.rules = self._analyses.own_rules.places
            fixes = await self._analyses.worker.fixes(source, span)
            if self._of == now:
                self._found[span] = fixes
        preferences = self._analyses.preferences(source.uri)
        return [fix for fix in fixes if preferences.shows(fix.rule)]

    async def of_all(self, source: Source) -> list[Edit]:
        """Return what `fix_all` does; raises `AnalysisError`."""
        from coai_agents.fixes.together import together  # noqa: PLC0415 - as above

        fixes = await self.touching(source, Span(0, len(source.text)))
        every, first = together(fixes)
        if not every or await self._analyses.worker.harmless(source, every):
            return every
        return first
