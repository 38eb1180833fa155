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
import os
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final

from lsprotocol import types

from coai_agents.analysis.run.worker import AnalysisError, AnalysisWorker
from coai_agents.exclusions.decisions import ExclusionRules, Exclusions, Ground
from coai_agents.source import Source, normal_language
from coai_agents.syntax.language import GRAMMARS
from coai_routing.workspace_files import read_file
from coai_server.lsp.documents import normal_uri
from coai_server.lsp.features.findings.diagnostic_items import diagnostics

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Sequence

    from coai_server.lsp.features.findings.diagnostics import Diagnostics
    from coai_server.lsp.server import Server

logger = logging.getLogger(__name__)

MOST_FILES: Final = 2_000
"""Files that are looked at; the log says so where there are more."""

MOST_BYTES: Final = 1_000_000
"""Longer files are looked at only when they are opened."""

MOST_ENTRIES: Final = 200_000
"""Names that are read in looking for files."""

GATHER_SECONDS: Final = 0.2
"""Partial results are sent this often."""

SKIPPED: Final = frozenset(
    {".git", ".hg", ".svn", ".jj", ".venv", "venv", "node_modules", "__pycache__", ".tox"}
)

_REST: Final = 20.0
"""A walk that took long is not repeated before so many times its own time is over."""

Report = (
    types.WorkspaceFullDocumentDiagnosticReport | types.WorkspaceUnchangedDocumentDiagnosticReport
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the workspace as it is on disk."""

    path: Path
    state: str
    """What changes whenever the file does: its time and size."""


@dataclass(slots=True)
class _Walked:
    entries: tuple[Entry, ...] = ()
    until: float = 0.0
    generation: int = -1


class WorkspaceDiagnostics:
    """Answers the client's pulls; one after the other, as one process looks at files."""

    def __init__(self, server: Server, known: Diagnostics) -> None:
        self._server = server
        self._known = known
        self._worker = AnalysisWorker()
        self._walked = _Walked()
        self._reports: dict[str, types.WorkspaceFullDocumentDiagnosticReport] = {}
        """Of files that are not open, for clients that name no earlier results."""
        self._turn = asyncio.Lock()
        server.session.on_stop(self.aclose)
        server.documents.on_save.append(self._saved)

    def _saved(self, source: Source) -> None:
        del source
        self._walked.until = 0.0

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
            for entry in await self._entries(generation) if whole else ():
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
        text = await asyncio.to_thread(_read, path, self._roots())
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

    async def _entries(self, generation: int) -> Sequence[Entry]:
        """Return the files there are, walking no more than a twentieth of the time."""
        walked = self._walked
        if walked.generation == generation and monotonic() < walked.until:
            return walked.entries
        roots = self._roots()
        loaded = self._server.services.loaded

        def rules(folder: Path | None) -> ExclusionRules:
            # Whether what git ignores may be part of a prompt is another question.
            return replace(ExclusionRules.of(loaded.for_path(folder)), gitignored_context=False)

        started = monotonic()
        entries = await asyncio.to_thread(_walk_all, roots, Exclusions(rules, roots=roots))
        spent = monotonic() - started
        self._walked = _Walked(entries, monotonic() + _REST * spent, generation)
        return entries


def _walk_all(roots: Sequence[Path], exclusions: Exclusions) -> tuple[Entry, ...]:
    found: dict[Path, Entry] = {}
    for root in roots:
        for path in _walk(root, exclusions):
            if len(found) >= MOST_FILES:
                logger.warning(
                    "The workspace has more than %d files: the others are looked at when opened.",
                    MOST_FILES,
                )
                return tuple(found.values())
            try:
                about = path.stat()
            except OSError:
                continue
            if about.st_size <= MOST_BYTES:
                found[path] = Entry(path, f"{about.st_mtime_ns}:{about.st_size}")
    return tuple(found.values())


def _walk(root: Path, exclusions: Exclusions) -> Iterator[Path]:
    """Yield the files of a folder that are code and not excluded, a folder's own files first."""
    seen = 0
    for folder, folders, names in os.walk(root):
        seen += len(folders) + len(names)
        if seen > MOST_ENTRIES:
            logger.warning("%s holds too many files to look for all that are code.", root)
            return
        # A folder is excluded where a file of any name in it is.
        folders[:] = sorted(
            name
            for name in folders
            if name not in SKIPPED and not _ignored(exclusions, Path(folder, name))
        )
        for name in sorted(names):
            path = Path(folder, name)
            if normal_language("", path) in GRAMMARS and not exclusions.refusal(path, "context"):
                yield path


def _ignored(exclusions: Exclusions, folder: Path) -> bool:
    refusal = exclusions.refusal(folder / "_", "context")
    return refusal is not None and refusal.reason is not Ground.SECRET_FILE


def _read(path: Path, roots: Sequence[Path]) -> str | None:
    try:
        content = read_file(path, MOST_BYTES, roots)
    except OSError:
        return None
    return content.decode("utf-8", "replace").removeprefix("\ufeff")


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
