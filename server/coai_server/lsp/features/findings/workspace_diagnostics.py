"""`workspace/diagnostic`: what is wrong in the files of the workspace, open ones and others.

Files that the user or git excludes are left alone. A report names the state of its file (time and
size, or the version of an open document) and of the settings, so a client that names the same one
is told that nothing has changed without a file being read. Where the client takes partial results
it gets them as they are found. The files are looked at in a process of their own, so that nobody
who saves a file waits for the others.
"""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from typing import TYPE_CHECKING, Final

from lsprotocol import types

from coai_agents.analysis.run.worker import AnalysisError, AnalysisWorker
from coai_agents.application.workspace import WorkspaceCode, read_code
from coai_agents.source import Source
from coai_server.lsp.documents import normal_uri
from coai_server.lsp.features.findings.diagnostic_items import diagnostics

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from coai_server.lsp.features.findings.diagnostics import Diagnostics
    from coai_server.lsp.server import Server

logger = logging.getLogger(__name__)

GATHER_SECONDS: Final = 0.2
"""Partial results are sent this often."""

Report = (
    types.WorkspaceFullDocumentDiagnosticReport | types.WorkspaceUnchangedDocumentDiagnosticReport
)


class WorkspaceDiagnostics:
    """Answers the client's pulls; one after the other, as one process looks at files."""

    def __init__(self, server: Server, known: Diagnostics) -> None:
        self._server = server
        self._known = known
        self._worker = AnalysisWorker()
        self._code = WorkspaceCode(lambda: server.services.loaded)
        self._reports: dict[str, types.WorkspaceFullDocumentDiagnosticReport] = {}
        """Of files that are not open, for clients that name no earlier results."""
        self._turn = asyncio.Lock()
        server.session.on_stop(self.aclose)
        server.documents.on_save.append(self._saved)

    def _saved(self, source: Source) -> None:
        del source
        self._code.stale()

    async def aclose(self) -> None:
        """End the process that looks at files."""
        await self._worker.aclose()

    async def reports(self, params: types.WorkspaceDiagnosticParams) -> AsyncGenerator[Report]:
        """Yield the report of each file as it is known."""
        whole = self._whole()
        self._known.pulled_whole = whole
        before = {normal_uri(each.uri): each.value for each in params.previous_result_ids}
        generation = self._known.analyses.generation
        reported: set[str] = set()
        for source in self._server.documents.open_sources():
            reported.add(normal_uri(source.uri))
            report = await self._of_open(source, before.get(normal_uri(source.uri)))
            if report is not None:
                yield report
        async with self._turn:
            for entry in await self._code.entries(self._roots(), generation) if whole else ():
                uri = entry.path.as_uri()
                key = normal_uri(uri)
                if key in reported or self._server.documents.snapshot(uri) is not None:
                    continue
                reported.add(key)
                state = f"{generation}:{entry.state}"
                if before.get(key) == state:
                    yield types.WorkspaceUnchangedDocumentDiagnosticReport(uri, state)
                    continue
                report = self._reports.get(key)
                if report is None or report.result_id != state:
                    report = await self._of_file(entry.path, uri, state)
                if report is not None:
                    self._reports[key] = report
                    yield report
            self._reports = {key: self._reports[key] for key in reported & self._reports.keys()}
        for gone in (each.uri for each in params.previous_result_ids):
            if normal_uri(gone) not in reported:
                yield types.WorkspaceFullDocumentDiagnosticReport(uri=gone, items=[])

    def _whole(self) -> bool:
        """Say whether files that are not open are reported."""
        return self._server.services.settings.static.workspace

    async def _of_open(self, source: Source, before: str | None) -> Report | None:
        state = self._known.result_id(source)
        if before == state:
            return types.WorkspaceUnchangedDocumentDiagnosticReport(
                source.uri, state, source.version
            )
        analysis = await self._known.analyses.find(source)
        now = self._server.documents.snapshot(source.uri)
        if analysis is None or now is None or now.version != source.version:
            # The client pulls the document itself when it changes.
            return None
        items = diagnostics(source, analysis, self._server.documents.encoding)
        return types.WorkspaceFullDocumentDiagnosticReport(
            source.uri, items, source.version, result_id=state
        )

    async def _of_file(
        self, path: Path, uri: str, state: str
    ) -> types.WorkspaceFullDocumentDiagnosticReport | None:
        text = await asyncio.to_thread(read_code, path, self._roots())
        if text is None:
            return None
        source = Source(uri, text, version=0)
        try:
            analysis = await self._known.analyses.analysed(source, self._worker)
        except AnalysisError as error:
            logger.warning("%s", error)
            return None
        shown = self._known.analyses.preferences_of(path).applied(analysis)
        self._known.analyses.write_pages({finding.rule for finding in shown.findings})
        items = diagnostics(source, shown, self._server.documents.encoding)
        return types.WorkspaceFullDocumentDiagnosticReport(uri, items, result_id=state)

    def _roots(self) -> tuple[Path, ...]:
        folders = (folder.path for folder in self._server.documents.folders)
        return tuple(path for path in folders if path is not None)


def register(server: Server, known: Diagnostics) -> None:
    """Answer pulls for the whole workspace."""
    workspace = WorkspaceDiagnostics(server, known)

    @server.feature(types.WORKSPACE_DIAGNOSTIC)
    async def diagnostic(
        params: types.WorkspaceDiagnosticParams,
    ) -> types.WorkspaceDiagnosticReport:
        token = params.partial_result_token
        waiting: list[Report] = []
        sent = monotonic()
        async for report in workspace.reports(params):
            waiting.append(report)
            if token is not None and monotonic() - sent >= GATHER_SECONDS:
                _send(server, token, waiting)
                waiting = []
                sent = monotonic()
        if token is None:
            return types.WorkspaceDiagnosticReport(waiting)
        _send(server, token, waiting)
        return types.WorkspaceDiagnosticReport([])


def _send(server: Server, token: types.ProgressToken, reports: Sequence[Report]) -> None:
    if reports:
        part = types.WorkspaceDiagnosticReportPartialResult(reports)
        server.progress(types.ProgressParams(token, part))
