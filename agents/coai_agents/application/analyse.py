"""What is wrong in a document, without a model: a snapshot in, an `Analysis` out.

`analyse` works in this process. `Analyses` is for doors that must not wait and that show documents
for long: it asks a process that analyses, and keeps what was found last in each document as it was
found, so that a change of the settings needs no second look.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from coai_agents.analysis.findings.preferences import Preferences
from coai_agents.analysis.rules.page_addresses import pages_folder
from coai_agents.analysis.rules.rules import catalogue, own_concepts
from coai_agents.analysis.run.worker import AnalysisError, AnalysisWorker
from coai_agents.application.own_rules import OwnRules
from coai_routing.background import Background

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from coai_agents.analysis.findings.findings import Analysis
    from coai_agents.application.specialists.triage_shown import Triage
    from coai_agents.source import Source
    from coai_routing.settings.findings_sections import StaticSettings

logger = logging.getLogger(__name__)


def analyse(source: Source) -> Analysis:
    """Return what is wrong in a snapshot, as it was found; raises nothing for what a text is like.

    `Preferences.applied` makes of it what the user's settings show. It takes up to some seconds.
    """
    from coai_agents.analysis.run import analyzer  # noqa: PLC0415 - whoever asks a process needs none of it

    return analyzer.analyse(source)


class Analyses:
    """What was found last in each open document, and the process that finds it."""

    def __init__(
        self,
        settings: Callable[[str], StaticSettings],
        *,
        settings_of_path: Callable[[Path], StaticSettings],
        is_open: Callable[[str], bool],
        own_rules: OwnRules | None = None,
        folders: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        """Take the settings of findings by URI, those of files that are not open by path.

        Both are asked at each look, so they must be at hand. What is found in a document is kept
        as long as it `is_open`, a URI's. Values are followed through the files of the `folders`.
        """
        self._settings = settings
        self._settings_of_path = settings_of_path
        self._is_open = is_open
        self._found: dict[str, Analysis] = {}
        self._preferences: dict[str, tuple[StaticSettings, Preferences]] = {}
        self.triaged: dict[str, Triage] = {}
        """Verdicts on what is shown, by URI; whoever has them found puts them in."""
        self._written: set[str] = set()
        """The rules whose pages are there."""
        self.folders = folders
        self._background = Background()
        self.worker = AnalysisWorker()
        self.own_rules = own_rules or OwnRules()
        self.generation = 0
        """Another number whenever what is found or shown may be another for the same text."""

    def preferences(self, uri: str) -> Preferences:
        """Return what the settings say of findings in a document; reads only memory."""
        settings = self._settings(uri)
        known = self._preferences.get(uri)
        if known is None or known[0] is not settings:
            known = self._preferences[uri] = settings, Preferences.of(settings)
        return known[1]

    def preferences_of(self, path: Path) -> Preferences:
        """Return what the settings say of findings in a file that is not open."""
        return Preferences.of(self._settings_of_path(path))

    def of(self, source: Source) -> Analysis | None:
        """Return what is shown of a snapshot, or None if it was not looked at."""
        analysis = self._found.get(source.uri)
        if analysis is None or analysis.version != source.version:
            return None
        shown = self.preferences(source.uri).applied(analysis)
        triaged = self.triaged.get(source.uri)
        return shown if triaged is None else triaged.applied(shown)

    async def find(self, source: Source) -> Analysis | None:
        """Return what is shown of a snapshot; None if that cannot be told, which is logged."""
        known = self.of(source)
        if known is not None:
            return known
        generation = self.generation
        try:
            analysis = await self.analysed(source, self.worker)
        except AnalysisError as error:
            logger.warning("%s", error)
            return None
        if self._is_open(source.uri) and generation == self.generation:
            self._found[source.uri] = analysis
        shown = self.preferences(source.uri).applied(analysis)
        self.write_pages({finding.rule for finding in shown.findings})
        return shown

    async def analysed(self, source: Source, worker: AnalysisWorker) -> Analysis:
        """Have a worker look at a text, by the user's own rules as well; raises `AnalysisError`."""
        if self.own_rules.stale:
            await self.own_rules.learn(self.worker)
        worker.rules = self.own_rules.places
        worker.folders = self.folders()
        analysis = await worker.analyse(source)
        if any(finding.rule not in catalogue() for finding in analysis.findings):
            await self.own_rules.recognise(self.worker, analysis)
        return analysis

    async def has_own_rules(self) -> bool:
        """Say whether rules of the user's own count now; no if that cannot be told."""
        if self.own_rules.stale:
            try:
                await self.own_rules.learn(self.worker)
            except AnalysisError as error:
                logger.warning("%s", error)
        return bool(own_concepts())

    def write_pages(self, rules: Iterable[str]) -> None:
        """Have the pages of rules written that are not there, while the user reads."""
        fresh = [rule for rule in rules if rule not in self._written]
        if fresh:
            self._written.update(fresh)
            self._background.spawn(self._write_pages(fresh), name="write pages of rules")

    async def _write_pages(self, rules: list[str]) -> None:
        try:
            await self.worker.write_pages(pages_folder(), rules)
        except AnalysisError as error:
            self._written.difference_update(rules)
            logger.warning("%s", error)

    def changed(self, *, anew: bool = False) -> None:
        """Take note that settings are others; with `anew`, that every document is to be looked at.

        That is so where the rules are others, not only which of their findings are shown.
        """
        self.generation += 1
        self._preferences.clear()
        if anew:
            self._found.clear()
            self._written.clear()

    def closed(self, uri: str) -> None:
        """Forget a document."""
        self._found.pop(uri, None)
        self.triaged.pop(uri, None)
        self._preferences.pop(uri, None)

    async def aclose(self) -> None:
        """End the process, and what is under way."""
        await self._background.aclose()
        await self.worker.aclose()
