"""Diagnostics: pushed when a document is opened or saved, or pulled where the client does that.

The analysis runs in another process (`coai_agents.analysis.run.worker`), one document at a time.
Of a document that is saved again meanwhile only the newest snapshot is looked at, and what was
found in a snapshot that the user has changed since is not shown.

What was found is kept as it is, and the settings decide anew at each look what of it is shown. So a
change of the settings is seen at once: a client that pulls is asked to pull again, another one is
sent what holds now.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from coai_agents.analysis.findings.preferences import Preferences, unknown_names
from coai_agents.analysis.rules.rules import catalogue, own_concepts
from coai_agents.analysis.run.worker import AnalysisError, AnalysisWorker
from coai_server.lsp.features.findings.diagnostic_items import SOURCE, diagnostics, pages_folder
from coai_server.lsp.features.findings.own_rules import TRUSTED, OwnRules

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from coai_agents.analysis.findings.findings import Analysis
    from coai_agents.source import Source
    from coai_routing.settings.findings_sections import StaticSettings
    from coai_server.lsp.server import Server

logger = logging.getLogger(__name__)

CONTENT_MODIFIED: Final = -32801
"""LSP's ErrorCodes.ContentModified."""

_ATTEMPTS: Final = 5
"""So often a pull starts again for a document that is changed meanwhile."""

OPTIONS: Final = types.DiagnosticOptions(
    identifier=SOURCE, inter_file_dependencies=False, workspace_diagnostics=True
)


class Diagnostics:
    """What was found last in each open document, and who is told of it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.worker = AnalysisWorker()
        self.own_rules = OwnRules(server)
        self._analyses: dict[str, Analysis] = {}
        """As they were made: the settings are applied at each look."""
        self._waiting: dict[str, Source] = {}
        self._shown: set[str] = set()
        self._preferences: dict[str, tuple[StaticSettings, Preferences]] = {}
        self._written: set[str] = set()
        """The rules whose pages are there."""
        self.pulled_whole = False
        """Whether the client pulls what is wrong in files that are not open."""
        self.generation = 0
        """Another number whenever what is found or shown may be another for the same text."""
        server.session.on_stop(self.worker.aclose)
        documents = server.documents
        documents.on_open.append(self.look)
        documents.on_save.append(self._saved)
        documents.on_close.append(self._closed)
        server.on_settings.append(self._settings_changed)

    def preferences(self, uri: str) -> Preferences:
        """Return what the settings say of findings in a document; reads only memory."""
        settings = self._server.services.settings_of(uri).static
        known = self._preferences.get(uri)
        if known is None or known[0] is not settings:
            known = self._preferences[uri] = settings, Preferences.of(settings)
        return known[1]

    def preferences_of(self, path: Path) -> Preferences:
        """Return what the settings say of findings in a file that is not open."""
        return Preferences.of(self._server.services.loaded.for_path(path).static)

    def of(self, source: Source) -> Analysis | None:
        """Return what is shown of a snapshot, or None if it was not looked at."""
        analysis = self._analyses.get(source.uri)
        if analysis is None or analysis.version != source.version:
            return None
        return self.preferences(source.uri).applied(analysis)

    async def pull(self, source: Source) -> Analysis | None:
        """Return what is wrong in a snapshot; None if that cannot be told, which is logged."""
        known = self.of(source)
        if known is not None:
            return known
        generation = self.generation
        try:
            analysis = await self.analysed(source, self.worker)
        except AnalysisError as error:
            logger.warning("%s", error)
            return None
        is_open = self._server.documents.snapshot(source.uri) is not None
        if is_open and generation == self.generation:
            self._analyses[source.uri] = analysis
        shown = self.preferences(source.uri).applied(analysis)
        self.write_pages({finding.rule for finding in shown.findings})
        return shown

    async def analysed(self, source: Source, worker: AnalysisWorker) -> Analysis:
        """Have a worker look at a text, by the user's own rules as well; raises `AnalysisError`."""
        if self.own_rules.stale:
            await self.own_rules.learn(self.worker)
        worker.rules = self.own_rules.places
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
            self._server.session.spawn(self._write_pages(fresh), name="write pages of rules")

    async def _write_pages(self, rules: list[str]) -> None:
        try:
            await self.worker.write_pages(pages_folder(), rules)
        except AnalysisError as error:
            self._written.difference_update(rules)
            logger.warning("%s", error)

    def _saved(self, source: Source) -> None:
        if self.own_rules.concern(source.uri):
            self.own_rules.stale = True
            self.refresh(anew=True)
        self.look(source)

    def trust(self, *, trusted: bool) -> None:
        """Take note of whether the client trusts its workspace, whose own rules count then."""
        if self.own_rules.trust(trusted=trusted):
            self.refresh(anew=True)

    def look(self, source: Source) -> None:
        """Find what is wrong in a snapshot and publish it, if the client does not pull."""
        if pulls(self._server.client_capabilities):
            return
        waits = source.uri in self._waiting
        self._waiting[source.uri] = source
        if not waits:
            self._server.session.spawn(self._publish(source.uri), name="find what is wrong")

    async def _publish(self, uri: str) -> None:
        while (source := self._waiting.get(uri)) is not None:
            analysis = await self.pull(source)
            if self._waiting.get(uri) is source:
                del self._waiting[uri]
                now = self._server.documents.snapshot(uri)
                if analysis is not None and now is not None and now.version == source.version:
                    self._show(source, analysis)

    def _show(self, source: Source, analysis: Analysis) -> None:
        if not analysis.findings and not analysis.notes and source.uri not in self._shown:
            return
        self._shown.add(source.uri)
        encoding = self._server.documents.encoding
        self._server.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(
                uri=source.uri,
                version=source.version,
                diagnostics=diagnostics(source, analysis, encoding),
            )
        )

    def _closed(self, source: Source) -> None:
        self._analyses.pop(source.uri, None)
        self._waiting.pop(source.uri, None)
        self._preferences.pop(source.uri, None)
        if source.uri in self._shown:
            self._shown.discard(source.uri)
            self._server.text_document_publish_diagnostics(
                types.PublishDiagnosticsParams(uri=source.uri, diagnostics=[])
            )

    def _settings_changed(self) -> None:
        settings = self._server.services.settings.static
        named = (*settings.disabled, *settings.severity, *settings.at_least)
        for name in unknown_names(named, (*catalogue(), *own_concepts())) if named else ():
            logger.warning("The settings name %r, which is no rule and no group of them.", name)
        self.refresh(anew=self.own_rules.changed())

    def refresh(self, *, anew: bool = False) -> None:
        """Show what holds now; with `anew`, look at every document again."""
        self.generation += 1
        self._preferences.clear()
        if anew:
            self._analyses.clear()
            self._written.clear()
        if pulls(self._server.client_capabilities):
            if _refreshes(self._server.client_capabilities):
                self._server.session.spawn(self._ask_to_pull(), name="have diagnostics pulled")
            return
        for source in self._server.documents.open_sources():
            analysis = self.of(source)
            if analysis is None:
                self.look(source)
            else:
                self._show(source, analysis)

    async def _ask_to_pull(self) -> None:
        try:
            await self._server.workspace_diagnostic_refresh_async(None)
        except JsonRpcException as error:
            logger.warning("The client refused to pull diagnostics again: %s", error)

    def result_id(self, source: Source) -> str:
        """Return what names the answer for a snapshot: the same for the same text and settings."""
        return f"{self.generation}:{source.version}:{len(source.text)}:{hash(source.text)}"


def register(server: Server) -> Diagnostics:
    """Find what is wrong in documents; return what knows it, for hover and code actions."""
    known = Diagnostics(server)
    documents = server.documents

    @server.feature(types.TEXT_DOCUMENT_DIAGNOSTIC, OPTIONS)
    async def diagnostic(params: types.DocumentDiagnosticParams) -> Any:  # noqa: ANN401 - a union
        uri = params.text_document.uri
        for _ in range(_ATTEMPTS):
            source = documents.snapshot(uri)
            if source is None or documents.is_out_of_step(uri):
                return types.RelatedFullDocumentDiagnosticReport(items=[])
            result = known.result_id(source)
            if params.previous_result_id == result:
                return types.RelatedUnchangedDocumentDiagnosticReport(result_id=result)
            analysis = await known.pull(source)
            if analysis is None:
                return types.RelatedFullDocumentDiagnosticReport(items=[])
            now = documents.snapshot(uri)
            if now is not None and now.version == source.version:
                items = diagnostics(source, analysis, documents.encoding)
                return types.RelatedFullDocumentDiagnosticReport(items=items, result_id=result)
        raise JsonRpcException(message="The document keeps changing.", code=CONTENT_MODIFIED)

    @server.feature(TRUSTED)
    def trusted(params: object) -> None:
        said = cast("dict[str, object]", params) if isinstance(params, dict) else {}
        known.trust(trusted=said.get("trusted") is True)

    return known


def pulls(client: types.ClientCapabilities) -> bool:
    """Say whether the client asks for diagnostics itself, so that none may be pushed."""
    text = client.text_document
    return text is not None and text.diagnostic is not None


def _refreshes(client: types.ClientCapabilities) -> bool:
    workspace = client.workspace
    about = None if workspace is None else workspace.diagnostics
    return about is not None and about.refresh_support is True
