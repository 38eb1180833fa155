"""What is wrong in the whole workspace: `coai.auditWorkspace`, with progress and a way to stop.

`coai_agents.application.audit.folders` looks at the files, so that open documents do not wait for
it. What is found in files that are not open is pushed; an open document is looked at by
`diagnostics.py`, so what was pushed for it is taken back when it is opened, and found anew when it
is closed. Files that change on disk are looked at again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from lsprotocol import types

from coai_agents.analysis.run.worker import AnalysisError
from coai_agents.application.audit.folders import FolderAudit, read
from coai_routing.errors import CoaiError
from coai_server.lsp.documents import normal_uri
from coai_server.lsp.features.findings.diagnostic_items import diagnostics
from coai_server.lsp.features.work_progress import open_bar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from coai_agents.analysis.findings.findings import Analysis
    from coai_agents.source import Source
    from coai_server.lsp.features.findings.diagnostics import Diagnostics
    from coai_server.lsp.features.work_progress import ProgressBar
    from coai_server.lsp.server import Server

logger = logging.getLogger(__name__)

AUDIT: Final = "coai.auditWorkspace"
CLEAR: Final = "coai.clearAudit"
TITLE: Final = "COAI: auditing the workspace"

REGISTER_SECONDS: Final = 5.0
"""How long a client may take to say that it watches files."""


class AuditError(CoaiError):
    """The workspace cannot be audited."""


class WorkspaceAudit:
    """The last audit: which files it covers, and of which of them the client was told findings."""

    def __init__(self, server: Server, known: Diagnostics) -> None:
        self._server = server
        self._known = known
        self._covered: dict[str, Path] = {}
        self._shown: set[str] = set()
        self._stale: set[str] = set()
        self._looking: asyncio.Task[None] | None = None
        self._running = False
        self._watching = False
        documents = server.documents
        documents.on_open.append(self._opened)
        documents.on_close.append(self._closed)

    async def run(self) -> dict[str, Any]:
        """Audit every folder; return how much was found. Raises `AuditError`."""
        if self._running:
            raise AuditError("The workspace is being audited.", remedy="Stop that first, or wait.")
        roots = self._roots()
        if not roots:
            raise AuditError("There is no folder to audit.", remedy="Open one.")
        self._running = True
        try:
            return await self._with_bar(roots)
        finally:
            self._running = False

    async def _with_bar(self, roots: Sequence[Path]) -> dict[str, Any]:
        bar = await open_bar(self._server, TITLE)
        audit = FolderAudit(self._known.analyses)
        try:
            return await self._audit(roots, bar, audit)
        finally:
            bar.finish()
            await audit.aclose()

    def _roots(self) -> list[Path]:
        return [path for each in self._server.documents.folders if (path := each.path) is not None]

    async def _audit(
        self, roots: Sequence[Path], bar: ProgressBar, audit: FolderAudit
    ) -> dict[str, Any]:
        files = {_uri(path): path for path in await audit.files(roots)}
        self.clear(keep=files)
        await self._watch()

        def begins(number: int) -> bool:
            if bar.stopped.done():
                return False
            bar.report(f"{number} of {len(files)} files", 100 * number // len(files))
            return True

        counted: Counter[str] = Counter()
        looked_at = 0
        async with aclosing(audit.look([*files.values()], roots, begins=begins)) as found:
            async for each in found:
                uri = _uri(each.path)
                self._covered[uri] = each.path
                analysis = await self._shown_now(uri, each.source, each.analysis)
                looked_at += 1
                counted.update(each.severity.value for each in analysis.findings)
        return {
            "files": looked_at,
            "findings": counted.total(),
            "bySeverity": dict(counted),
            "stopped": bar.stopped.done(),
        }

    async def _shown_now(self, uri: str, source: Source, analysis: Analysis) -> Analysis:
        """Tell what is wrong in a file; of an open one, return what its text has now."""
        opened = self._server.documents.snapshot(uri)
        if opened is not None:
            return await self._known.analyses.find(opened) or analysis
        shown = self._known.analyses.preferences(uri).applied(analysis)
        # A client that pulls them would show them twice.
        pulled = self._known.pulled_whole
        told = [] if pulled else diagnostics(source, shown, self._server.documents.encoding)
        self._publish(uri, told)
        return shown

    def clear(self, keep: Iterable[str] = ()) -> None:
        """Take back what was told of files, but for those to `keep`."""
        kept = {*keep}
        for uri in [uri for uri in self._covered if uri not in kept]:
            del self._covered[uri]
            self._publish(uri, [])

    def changed_on_disk(self, uris: Iterable[str]) -> None:
        """Look again at files of the audit that were written or removed."""
        self._stale.update(uri for each in uris if (uri := normal_uri(each)) in self._covered)
        if self._stale and (self._looking is None or self._looking.done()):
            self._looking = self._server.session.spawn(
                self._look_again(), name="audit changed files again"
            )

    async def _look_again(self) -> None:
        while self._stale:
            uri = self._stale.pop()
            path = self._covered.get(uri)
            if path is None or self._server.documents.snapshot(uri) is not None:
                continue
            texts = await asyncio.to_thread(read, [path], self._roots())
            if path not in texts:
                self._publish(uri, [])
                continue
            source, _ = texts[path]
            try:
                analysis = await self._known.analyses.analysed(source, self._known.analyses.worker)
            except AnalysisError as error:
                logger.warning("%s", error)
                continue
            if uri in self._covered:
                await self._shown_now(uri, source, analysis)

    def _publish(self, uri: str, found: list[types.Diagnostic]) -> None:
        if not found and uri not in self._shown:
            return
        (self._shown.add if found else self._shown.discard)(uri)
        self._server.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(uri=uri, diagnostics=found)
        )

    def _opened(self, source: Source) -> None:
        self._publish(normal_uri(source.uri), [])

    def _closed(self, source: Source) -> None:
        self.changed_on_disk([source.uri])

    async def _watch(self) -> None:
        """Have the client tell of files that change, if it can."""
        workspace = self._server.client_capabilities.workspace
        watched = None if workspace is None else workspace.did_change_watched_files
        if self._watching or watched is None or not watched.dynamic_registration:
            return
        registration = types.Registration(
            "coai-audited-files",
            types.WORKSPACE_DID_CHANGE_WATCHED_FILES,
            types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher("**/*")]),
        )
        try:
            async with asyncio.timeout(REGISTER_SECONDS):
                await self._server.client_register_capability_async(
                    types.RegistrationParams([registration])
                )
        except Exception as error:  # noqa: BLE001 - the audit is worth having without
            logger.info("The client does not watch files: %s", error)
        # Whether or not it does: it is not asked again, unless this was cancelled.
        self._watching = True


def register(server: Server, known: Diagnostics) -> None:
    """Register the audit's commands and what keeps its findings true."""
    audit = WorkspaceAudit(server, known)

    @server.command(AUDIT)
    async def run() -> dict[str, Any]:
        return await audit.run()

    @server.command(CLEAR)
    def clear() -> None:
        audit.clear()

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def changed(params: types.DidChangeWatchedFilesParams) -> None:
        audit.changed_on_disk(change.uri for change in params.changes)


def _uri(path: Path) -> str:
    return normal_uri(path.as_uri())
