"""Triage after publishing: what is shown is judged in the background, and shown again if lowered.

First by what the code does, in the process that analyses, then by a model where the settings permit
it. A version is judged once, and only if it is still the newest a moment after it was shown.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.run.worker import AnalysisError
from coai_agents.application.specialists.triage_shown import triage_by_heuristics, triage_by_model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.application.analyse import Analyses
    from coai_agents.application.specialists.triage_shown import Triage
    from coai_agents.source import Source
    from coai_server.lsp.server import Server

logger = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 0.4
"""A version that lasts shorter is being typed in: the next one is judged."""


class BackgroundTriage:
    """Judges what is shown of open documents."""

    def __init__(self, server: Server, analyses: Analyses, show: Callable[[], None]) -> None:
        """`show` has what holds now shown."""
        self._server = server
        self._analyses = analyses
        self._show = show
        self._begun: dict[str, tuple[int, str]] = {}

    def look(self, source: Source) -> None:
        """Judge what is shown of a snapshot, unless it was or the settings are against it."""
        mode = self._server.services.settings_of(source.uri).static.triage
        analysis = self._analyses.of(source)
        if analysis is None or not any(each.cwe for each in analysis.findings):
            return
        if self._begun.get(source.uri) == (source.version, mode):
            return
        self._begun[source.uri] = source.version, mode
        self._analyses.triaged.pop(source.uri, None)
        if mode != "off":
            self._server.session.spawn(self._judge(source, mode), name="triage findings")

    def forget(self) -> None:
        """Take note that severities may be others: all that is shown is judged anew."""
        self._begun.clear()
        self._analyses.triaged.clear()

    def closed(self, source: Source) -> None:
        """Forget a document."""
        self._begun.pop(source.uri, None)

    async def _judge(self, source: Source, mode: str) -> None:
        await asyncio.sleep(PAUSE_SECONDS)
        analysis = self._analyses.of(source) if self._is_newest(source) else None
        if analysis is None:
            self._begun.pop(source.uri, None)
            return
        path = self._server.documents.path_in_folder(source.uri)
        try:
            triage, left = await triage_by_heuristics(
                source,
                analysis,
                path,
                worker=self._analyses.worker,
                preferences=self._analyses.preferences(source.uri),
            )
        except AnalysisError as error:
            logger.warning("%s", error)
            return
        self._take(source, triage)
        if left and mode in ("local", "full"):
            await self._ask(source, triage, left, here=mode == "local")

    async def _ask(
        self, source: Source, triage: Triage, left: Sequence[Finding], *, here: bool
    ) -> None:
        specialists = self._server.services.specialists
        asker, _ = await specialists.asker(source, here=here, background=True)
        path = self._server.documents.path_in_folder(source.uri)
        self._take(source, await triage_by_model(source, triage, left, path, asker))

    def _take(self, source: Source, triage: Triage) -> None:
        before = self._analyses.triaged.get(source.uri)
        if self._is_newest(source) and triage.verdicts and triage != before:
            self._analyses.triaged[source.uri] = triage
            self._show()

    def _is_newest(self, source: Source) -> bool:
        now = self._server.documents.snapshot(source.uri)
        return now is not None and now.version == source.version
