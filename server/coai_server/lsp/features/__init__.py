"""One file for each group of LSP methods: it converts, asks one service, and converts back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coai_server.lsp.features import (
    code_action,
    commands,
    configuration,
    hover,
    inline_completion,
    lifecycle,
    status,
    usage,
    vendors,
)
from coai_server.lsp.features.agents import (
    code_questions,
    diagnosing,
    lenses,
    remembering,
    reviewing,
    running,
)
from coai_server.lsp.features.findings import diagnostics, workspace_audit, workspace_diagnostics
from coai_server.lsp.server import Server

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_server.lsp.session import Session


def build(session: Session, *, overrides: Mapping[str, Any]) -> Server:
    """Return the server with all of its features registered."""
    server = Server(session, overrides=overrides)
    for feature in (
        lifecycle,
        configuration,
        inline_completion,
        commands,
        status,
        usage,
        vendors,
        remembering,
        lenses,
    ):
        feature.register(server)
    known = diagnostics.register(server)
    workspace_diagnostics.register(server, known)
    hover.register(server, known)
    workspace_audit.register(server, known)
    questions = code_questions.register(server, known)
    code_action.register(server, known, diagnosing.register(server, known, questions))
    reviewing.register(server, known, questions)
    running.register(server, known)
    return server
