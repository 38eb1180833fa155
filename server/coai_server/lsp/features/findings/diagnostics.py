"""Diagnostics: pushed when a document is opened or saved, or pulled where the client does that.

The analysis runs in another process (`coai_agents.application.analyse`), one document at a time. Of
a document that is saved again meanwhile only the newest snapshot is looked at, and what was found
in a snapshot that the user has changed since is not shown.

What was found is kept as it is, and the settings decide anew at each look what of it is shown. So a
change of the settings is seen at once: a client that pulls is asked to pull again, another one is
sent what holds now.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from coai_agents.analysis.findings.preferences import unknown_names
from coai_agents.analysis.rules.rules import catalogue, own_concepts
from coai_agents.application.analyse import Analyses
from coai_agents.application.own_rules import OwnRules
from coai_server.lsp.features.findings.diagnostic_items import SOURCE, diagnostics
from coai_server.lsp.features.findings.own_rules import TRUSTED, ClientRules
from coai_server.lsp.features.findings.triage import BackgroundTriage

if TYPE_CHECKING:
    from pathlib import Path

    from coai_agents.analysis.findings.findings import Analysis
    from coai_agents.source import Source
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
    """Who is told of what was found last in each open document."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._rules = ClientRules(server)
        self.analyses = Analyses(
            lambda uri: server.services.settings_of(uri).static,
            settings_of_path=lambda path: server.services.loaded.for_path(path).static,
            is_open=lambda uri: server.documents.snapshot(uri) is not None,
            own_rules=OwnRules(self._rules.places, self._rules.show),
            folders=lambda: tuple(
                str(each.path) for each in server.documents.folders if each.path is not None
            ),
        )
        self._triage = BackgroundTriage(server, self.analyses, self.refresh)
        self._waiting: dict[str, Source] = {}
        self._shown: set[str] = set()
        self._beside: dict[str, tuple[int, list[types.Diagnostic]]] = {}
        self.pulled_whole = False
        """Whether the client pulls what is wrong in files that are not open."""
        server.session.on_stop(self.analyses.aclose)
        documents = server.documents
        documents.on_open.append(self.look)
        documents.on_save.append(self._saved)
        documents.on_close.append(self._closed)
        server.on_settings.append(self._settings_changed)

    def _saved(self, source: Source) -> None:
        if self.analyses.own_rules.concern(source.uri):
            self.analyses.own_rules.stale = True
            self.refresh(anew=True)
        self.look(source)

    def trusts(self, folder: Path) -> bool:
        """Say whether the user trusts a folder of the workspace."""
        return self._rules.trusts(folder)

    def trust(self, *, trusted: bool) -> None:
        """Take note of whether the client trusts its workspace, whose own rules count then."""
        self._rules.trust(trusted=trusted)
        if self.analyses.own_rules.changed():
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
            analysis = await self.analyses.find(source)
            if self._waiting.get(uri) is source:
                del self._waiting[uri]
                now = self._server.documents.snapshot(uri)
                if analysis is not None and now is not None and now.version == source.version:
                    self._show(source, analysis)

    def beside(self, source: Source, items: list[types.Diagnostic]) -> None:
        """Show other diagnostics of a version beside the findings, until the document changes."""
        if items or source.uri in self._beside:
            self._beside[source.uri] = (source.version, items)
            self.refresh()

    def items_of(self, source: Source, analysis: Analysis) -> list[types.Diagnostic]:
        """Return all that is shown of a document."""
        version, others = self._beside.get(source.uri, (source.version, []))
        found = diagnostics(source, analysis, self._server.documents.encoding)
        return [*found, *(others if version == source.version else [])]

    def shown(self, source: Source) -> None:
        """Take note that a client has been told what was found in a snapshot."""
        self._triage.look(source)

    def _show(self, source: Source, analysis: Analysis) -> None:
        if (
            source.uri not in self._beside
            and not analysis.findings
            and not analysis.notes
            and source.uri not in self._shown
        ):
            return
        self._shown.add(source.uri)
        self._server.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(
                uri=source.uri,
                version=source.version,
                diagnostics=self.items_of(source, analysis),
            )
        )
        self.shown(source)

    def _closed(self, source: Source) -> None:
        self.analyses.closed(source.uri)
        self._triage.closed(source)
        self._waiting.pop(source.uri, None)
        self._beside.pop(source.uri, None)
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
        self._triage.forget()
        self.refresh(anew=self.analyses.own_rules.changed())

    def refresh(self, *, anew: bool = False) -> None:
        """Show what holds now; with `anew`, look at every document again."""
        self.analyses.changed(anew=anew)
        if pulls(self._server.client_capabilities):
            if _refreshes(self._server.client_capabilities):
                self._server.session.spawn(self._ask_to_pull(), name="have diagnostics pulled")
            return
        for source in self._server.documents.open_sources():
            analysis = self.analyses.of(source)
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
        return f"{self.analyses.generation}:{source.version}:{len(source.text)}:{hash(source.text)}"


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
            analysis = await known.analyses.find(source)
            if analysis is None:
                return types.RelatedFullDocumentDiagnosticReport(items=[])
            now = documents.snapshot(uri)
            if now is not None and now.version == source.version:
                items = known.items_of(source, analysis)
                known.shown(source)
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
