"""Diagnostics: pushed when a document is opened or saved, or pulled where the client does that.

The analysis runs in another process (`coai_agents.static.worker`), one document at a time. Of a
document that is saved again meanwhile only the newest snapshot is looked at, and what was found
in a snapshot that the user has changed since is not shown.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from lsprotocol import types

from coai_agents.static.findings import Severity
from coai_agents.static.rules import catalogue
from coai_agents.static.worker import AnalysisError, AnalysisWorker

if TYPE_CHECKING:
    from coai_agents.source import Encoding, Source, Span
    from coai_agents.static.findings import Analysis, Finding
    from coai_server.server import Server

logger = logging.getLogger(__name__)

SOURCE: Final = "coai"

WEAKNESS: Final = "https://cwe.mitre.org/data/definitions/{}.html"

_SEVERITIES: Final = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
    Severity.INFORMATION: types.DiagnosticSeverity.Information,
    Severity.HINT: types.DiagnosticSeverity.Hint,
}

_TAGS: Final = {
    "deprecated": types.DiagnosticTag.Deprecated,
    "unnecessary": types.DiagnosticTag.Unnecessary,
}

OPTIONS: Final = types.DiagnosticOptions(
    identifier=SOURCE, inter_file_dependencies=False, workspace_diagnostics=False
)


class Diagnostics:
    """What was found last in each open document, and who is told of it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.worker = AnalysisWorker()
        self._analyses: dict[str, Analysis] = {}
        self._waiting: dict[str, Source] = {}
        self._shown: set[str] = set()
        server.session.on_stop(self.worker.aclose)
        documents = server.documents
        documents.on_open.append(self._look)
        documents.on_save.append(self._look)
        documents.on_close.append(self._closed)

    def of(self, source: Source) -> Analysis | None:
        """Return what was found in a snapshot, or None if it was not looked at."""
        analysis = self._analyses.get(source.uri)
        return analysis if analysis is not None and analysis.version == source.version else None

    async def pull(self, source: Source) -> Analysis | None:
        """Return what is wrong in a snapshot; None if that cannot be told, which is logged."""
        known = self.of(source)
        if known is not None:
            return known
        try:
            analysis = await self.worker.analyse(source)
        except AnalysisError as error:
            logger.warning("%s", error)
            return None
        if self._server.documents.snapshot(source.uri) is not None:
            self._analyses[source.uri] = analysis
        return analysis

    def _look(self, source: Source) -> None:
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
        if not analysis.findings and source.uri not in self._shown:
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
        if source.uri in self._shown:
            self._shown.discard(source.uri)
            self._server.text_document_publish_diagnostics(
                types.PublishDiagnosticsParams(uri=source.uri, diagnostics=[])
            )


def register(server: Server) -> Diagnostics:
    """Find what is wrong in documents; return what knows it, for hover and code actions."""
    known = Diagnostics(server)
    documents = server.documents

    @server.feature(types.TEXT_DOCUMENT_DIAGNOSTIC, OPTIONS)
    async def diagnostic(params: types.DocumentDiagnosticParams) -> Any:  # noqa: ANN401 - a union
        source = documents.snapshot(params.text_document.uri)
        if source is None or documents.is_out_of_step(params.text_document.uri):
            return types.RelatedFullDocumentDiagnosticReport(items=[])
        result = f"{source.version}:{len(source.text)}:{hash(source.text)}"
        if params.previous_result_id == result:
            return types.RelatedUnchangedDocumentDiagnosticReport(result_id=result)
        analysis = await known.pull(source)
        if analysis is None:
            return types.RelatedFullDocumentDiagnosticReport(items=[])
        items = diagnostics(source, analysis, documents.encoding)
        return types.RelatedFullDocumentDiagnosticReport(items=items, result_id=result)

    return known


def pulls(client: types.ClientCapabilities) -> bool:
    """Say whether the client asks for diagnostics itself, so that none may be pushed."""
    text = client.text_document
    return text is not None and text.diagnostic is not None


def diagnostics(source: Source, analysis: Analysis, encoding: Encoding) -> list[types.Diagnostic]:
    """Return findings as LSP has them; where something was left out, a last one says so."""
    shown = [_diagnostic(source, finding, encoding) for finding in analysis.findings]
    start = types.Position(0, 0)
    shown += [
        types.Diagnostic(
            range=types.Range(start, start),
            message=note,
            severity=types.DiagnosticSeverity.Information,
            source=SOURCE,
            code="incomplete",
        )
        for note in analysis.notes
    ]
    return shown


def _diagnostic(source: Source, finding: Finding, encoding: Encoding) -> types.Diagnostic:
    concept = catalogue()[finding.rule]
    page = None
    if finding.cwe:
        page = types.CodeDescription(href=WEAKNESS.format(finding.cwe[0]))
    related = [
        types.DiagnosticRelatedInformation(
            location=types.Location(source.uri, range_of(source, step.span, encoding)),
            message=step.words,
        )
        for step in finding.path
    ]
    return types.Diagnostic(
        range=range_of(source, finding.span, encoding),
        message=finding.message,
        severity=_SEVERITIES[finding.severity],
        code=finding.rule,
        code_description=page,
        source=SOURCE,
        tags=[_TAGS[tag] for tag in concept.tags] or None,
        related_information=related or None,
    )


def range_of(source: Source, span: Span, encoding: Encoding) -> types.Range:
    """Return a span as LSP has it."""
    start, end = source.position_at(span.start, encoding), source.position_at(span.end, encoding)
    return types.Range(
        types.Position(start.line, start.character), types.Position(end.line, end.character)
    )
