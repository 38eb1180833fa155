"""Rules of the user's own: which places count for this client, and what is wrong with them.

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
from typing import TYPE_CHECKING, Final, cast

from lsprotocol import types

from coai_agents.application.audit.wishes import WORKSPACE_FOLDER
from coai_routing.settings.files import default_user_file
from coai_server.lsp.features.findings.diagnostic_items import SOURCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.application.own_rules import Problem
    from coai_server.lsp.server import Server

logger = logging.getLogger(__name__)

TRUSTED: Final = "coai/workspaceTrusted"

CAPABILITY: Final = "coaiWorkspaceTrusted"


class ClientRules:
    """Which places with rules count for a client, and the problems that it is shown."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._said: bool | None = None
        self._named: set[str] = set()
        """The files of which a problem is shown."""

    def places(self) -> tuple[str, ...]:
        """Return the folders and files that count, whether they are there or not."""
        settings = self._server.services.settings.static
        user = default_user_file().with_name("rules")
        roots = [folder.path for folder in self._server.documents.folders]
        trusted = [
            root / WORKSPACE_FOLDER for root in roots if root is not None and self.trusts(root)
        ]
        return tuple(str(path) for path in (user, *settings.rules, *trusted))

    def trusts(self, folder: Path) -> bool:
        """Say whether the user trusts a folder of the workspace."""
        named = self._server.services.settings.static.trusted_workspaces
        return self._client_trusts() or any(folder.is_relative_to(each) for each in named)

    def _client_trusts(self) -> bool:
        if self._server.session.remote:
            return False
        if self._said is not None:
            return self._said
        offered: object = self._server.client_capabilities.experimental
        if not isinstance(offered, dict):
            return False
        return cast("dict[str, object]", offered).get(CAPABILITY) is True

    def trust(self, *, trusted: bool) -> None:
        """Take what the client says of its workspace."""
        self._said = trusted

    def show(self, problems: Sequence[Problem]) -> None:
        """Show what is wrong with rules in their files, and take back what is not any more."""
        by_file: dict[str, list[types.Diagnostic]] = {uri: [] for uri in self._named}
        for each in problems:
            logger.warning("%s:%d: %s", each.file, each.line, each.words)
            uri = Path(each.file).as_uri()
            start = types.Position(max(0, each.line - 1), 0)
            shown = types.Diagnostic(
                range=types.Range(start, types.Position(start.line + 1, 0)),
                message=each.words,
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
