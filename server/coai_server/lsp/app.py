"""The language server, put together: what `initialize` answers, and what is built after it."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from coai_server.lsp.capabilities import COMMANDS, capabilities
from coai_server.lsp.session import Application

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_server.lsp.session import Endpoint, Session

NAME: Final = "coai"


def application(overrides: Mapping[str, Any] | None = None) -> Application:
    """Return the application; `overrides` are settings from the command line."""
    return Application(
        name=NAME,
        version=version("coai"),
        build=partial(_build, overrides=overrides or {}),
        commands=COMMANDS,
        capabilities=capabilities,
    )


def _build(session: Session, *, overrides: Mapping[str, Any]) -> Endpoint:
    # Imported here, because the answer to `initialize` must not wait for it.
    from coai_server.lsp.features import build  # noqa: PLC0415

    return build(session, overrides=overrides)
