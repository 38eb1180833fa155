"""The pygls server that features are registered at, with the services behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coai_server.daemon.services import Services
from coai_server.lsp.protocol import CoaiLanguageServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from coai_server.lsp.session import Session


class Server(CoaiLanguageServer):
    """One client's server."""

    def __init__(self, session: Session, *, overrides: Mapping[str, Any]) -> None:
        super().__init__(session)
        self._overrides = overrides
        self._services: Services | None = None
        self.on_settings: list[Callable[[], None]] = []
        """Called when the settings, or the folders and with them the settings, have changed."""

    def provide(self, client_settings: object) -> Services:
        """Build the services, once the client's folders and settings are known."""
        self._services = Services(
            self.documents,
            overrides=self._overrides,
            client=client_settings,
            client_is_remote=self.session.remote,
        )
        self.session.on_stop(self._services.aclose, seconds=CLOSE_SECONDS)
        self._services.on_settings = self._settings_changed
        return self._services

    def _settings_changed(self) -> None:
        for listener in self.on_settings:
            listener()

    @property
    def services(self) -> Services:
        """The services; there are none before `initialize`."""
        assert self._services is not None
        return self._services


CLOSE_SECONDS = 3.0
"""How long models may take to be let go of at the end."""
