"""What the server tells in its answer to `initialize` beside the handshake's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMANDS: Final = (
    "coai.answerRun",
    "coai.applyRun",
    "coai.ask",
    "coai.auditWorkspace",
    "coai.cancelRun",
    "coai.clearAudit",
    "coai.completionAccepted",
    "coai.departures",
    "coai.document",
    "coai.ensembles",
    "coai.explain",
    "coai.explainDiagnostic",
    "coai.forget",
    "coai.loadProfile",
    "coai.memory",
    "coai.models",
    "coai.pauseRun",
    "coai.pullModel",
    "coai.rate",
    "coai.resumeRun",
    "coai.review",
    "coai.run",
    "coai.runReport",
    "coai.runs",
    "coai.settings",
    "coai.signIn",
    "coai.signOut",
    "coai.snooze",
    "coai.startRun",
    "coai.usage",
    "coai.vendors",
    "coai.watchRuns",
    "coai.why",
)
"""What `workspace/executeCommand` takes; known before anything is imported."""


STATUS_CAPABILITY: Final = "coaiStatus"
"""By this experimental capability, a client such as our extension wants to hear of the status."""


def capabilities(client: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is answered besides `handshake.py`'s own; known before anything is imported.

    Our extension for VS Code has a command that audits the workspace, so it is not told that files
    which are not open can be pulled: it would ask every two seconds, and keep what it was told of
    a file that was closed.
    """
    experimental: object = client.get("experimental")
    told = isinstance(experimental, dict) and STATUS_CAPABILITY in experimental
    return {
        "codeActionProvider": {
            "codeActionKinds": [
                "quickfix",
                "refactor.extract",
                "refactor.inline",
                "refactor.rewrite",
                "source.coai.sortImports",
                "source.fixAll.coai",
                "source.coai.document",
            ],
            "resolveProvider": True,
        },
        "codeLensProvider": {"resolveProvider": True},
        "hoverProvider": True,
        "inlayHintProvider": True,
        "diagnosticProvider": {
            "identifier": "coai",
            "interFileDependencies": False,
            "workspaceDiagnostics": not told,
        },
    }
