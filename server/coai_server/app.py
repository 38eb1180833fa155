"""The language server, put together: what `initialize` answers, and what is built after it."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from coai_server.session import Application

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_server.session import Endpoint, Session

NAME: Final = "coai"

COMMANDS: Final = (
    "coai.auditWorkspace",
    "coai.clearAudit",
    "coai.completionAccepted",
    "coai.departures",
    "coai.models",
    "coai.pullModel",
    "coai.settings",
    "coai.signIn",
    "coai.signOut",
    "coai.snooze",
    "coai.usage",
    "coai.vendors",
    "coai.why",
)
"""What `workspace/executeCommand` takes; known before anything is imported."""


CAPABILITIES: Final = {
    "codeActionProvider": {
        "codeActionKinds": ["quickfix", "source.fixAll.coai"],
        "resolveProvider": True,
    },
    "hoverProvider": True,
    "diagnosticProvider": {
        "identifier": "coai",
        "interFileDependencies": False,
        "workspaceDiagnostics": True,
    },
}
"""What is answered besides `handshake.py`'s own; known before anything is imported."""


def application(overrides: Mapping[str, Any] | None = None) -> Application:
    """Return the application; `overrides` are settings from the command line."""
    return Application(
        name=NAME,
        version=version("coai"),
        build=partial(_build, overrides=overrides or {}),
        commands=COMMANDS,
        capabilities=CAPABILITIES,
    )


def _build(session: Session, *, overrides: Mapping[str, Any]) -> Endpoint:
    # Imported here, because the answer to `initialize` must not wait for it.
    from coai_server.features import build  # noqa: PLC0415

    return build(session, overrides=overrides)
