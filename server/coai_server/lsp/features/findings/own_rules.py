"""Rules of the user's own: whose count, and what is wrong with them.

Rules beside the user's settings count, and those that the settings name. A workspace's own rules
(`.coai/rules`) come with the code, so they count only where that is trusted: the user's settings
name the folder, or the client says that the user trusts the workspace, by
`"coaiWorkspaceTrusted": true` among its experimental capabilities or later by the notification
`coai/workspaceTrusted` with `{"trusted": true}`. Where nothing is said nothing is trusted, nor
is what a client says that came over TCP.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from lsprotocol import types

from coai_agents.analysis.rules.rules import OwnConcept, know, own_concepts
from coai_agents.analysis.run.worker import AnalysisError
from coai_agents.source import path_of
from coai_routing.settings.files import default_user_file
from coai_server.lsp.features.findings.diagnostic_items import SOURCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.analysis.findings.findings import Analysis
    from coai_agents.analysis.run.worker import AnalysisWorker
    from coai_server.lsp.server import Server

logger = logging.getLogger(__name__)

TRUSTED: Final = "coai/workspaceTrusted"

CAPABILITY: Final = "coaiWorkspaceTrusted"

WORKSPACE_FOLDER: Final = Path(".coai", "rules")


class OwnRules:
    """Which rules the analysis is to have besides ours."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._said: bool | None = None
        self._named: set[str] = set()
        """The files of which a problem is shown."""
        self._places: tuple[str, ...] | None = None
        self.stale = True
        """Whether what is known of them here may be out of date."""

    @property
    def places(self) -> tuple[str, ...]:
        """The folders and files that count, whether they are there or not; reads only memory."""
        if self._places is None:
            settings = self._server.services.settings.static
            user = default_user_file().with_name("rules")
            trusted = self._trusts(settings.trusted_workspaces)
            self._places = tuple(str(path) for path in (user, *settings.rules, *trusted))
        return self._places

    def _trusts(self, named: Sequence[Path]) -> list[Path]:
        roots = [folder.path for folder in self._server.documents.folders]
        return [
            root / WORKSPACE_FOLDER
            for root in roots
            if root is not None
            and (self._client_trusts() or any(root.is_relative_to(each) for each in named))
        ]

    def _client_trusts(self) -> bool:
        if self._server.session.remote:
            return False
        if self._said is not None:
            return self._said
        offered: object = self._server.client_capabilities.experimental
        if not isinstance(offered, dict):
            return False
        return cast("dict[str, object]", offered).get(CAPABILITY) is True

    def trust(self, *, trusted: bool) -> bool:
        """Take what the client says of its workspace; return whether other rules count now."""
        self._said = trusted
        return self.changed()

    def changed(self) -> bool:
        """Look again which rules count; return whether others do."""
        before, self._places = self._places, None
        if before == self.places:
            return False
        self.stale = True
        return True

    def concern(self, uri: str) -> bool:
        """Say whether a file is one of rules that count."""
        path = path_of(uri)
        return path is not None and any(path.is_relative_to(place) for place in self.places)

    async def learn(self, worker: AnalysisWorker) -> None:
        """Have the rules read; raises `AnalysisError`. What is wrong is shown in their files."""
        worker.rules = self.places
        self.stale = False
        try:
            told = await worker.own_rules()
        except AnalysisError:
            self.stale = True
            raise
        know(OwnConcept.model_validate(each) for each in told["concepts"])
        self._show(told["problems"])

    async def recognise(self, worker: AnalysisWorker, analysis: Analysis) -> None:
        """Learn of rules that came since, if an analysis names one that is not known here."""
        own = own_concepts()
        if any(each.origin == "user" and each.rule not in own for each in analysis.findings):
            await self.learn(worker)

    def _show(self, problems: Sequence[dict[str, Any]]) -> None:
        by_file: dict[str, list[types.Diagnostic]] = {uri: [] for uri in self._named}
        for each in problems:
            logger.warning("%s:%d: %s", each["file"], each["line"], each["problem"])
            uri = Path(each["file"]).as_uri()
            start = types.Position(max(0, int(each["line"]) - 1), 0)
            shown = types.Diagnostic(
                range=types.Range(start, types.Position(start.line + 1, 0)),
                message=each["problem"],
                severity=types.DiagnosticSeverity.Error,
                source=SOURCE,
                code="invalid-rule",
            )
            by_file.setdefault(uri, []).append(shown)
        self._named = {uri for uri, shown in by_file.items() if shown}
        for uri, shown in by_file.items():
            self._server.text_document_publish_diagnostics(
                types.PublishDiagnosticsParams(uri=uri, diagnostics=shown)
            )
