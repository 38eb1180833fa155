"""Short-lived passes in memory: tickets for WebSockets, and sessions of the page.

A browser can give no header when it opens a WebSocket or a page, and a token in an address ends up
in logs. So a ticket is got with the token, counts once, and soon not at all; a session is a cookie
that no other site's request carries.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cachetools import TTLCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_server.http.security.principals import Principal

TICKET_SECONDS: Final = 30.0
SESSION_SECONDS: Final = 12 * 3600.0
_MOST: Final = 10_000


class Tickets:
    """Passes that count once."""

    def __init__(
        self, seconds: float = TICKET_SECONDS, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.seconds = seconds
        self._given: TTLCache[str, Principal] = TTLCache(_MOST, seconds, timer=clock)

    def give(self, principal: Principal) -> str:
        """Return a ticket."""
        ticket = secrets.token_urlsafe(32)
        self._given[ticket] = principal
        return ticket

    def take(self, ticket: str) -> Principal | None:
        """Return whose ticket it is; it does not count again."""
        return self._given.pop(ticket, None)


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that has shown the token."""

    principal: Principal
    secret: str
    """What every form of the page carries, so that no other page can send it."""
    token: str
    """With which it came in: a session ends when that does not count any more."""


class Sessions:
    """The page's sessions."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._open: TTLCache[str, Session] = TTLCache(_MOST, SESSION_SECONDS, timer=clock)

    def begin(self, principal: Principal, token: str) -> str:
        """Return a new session's name."""
        name = secrets.token_urlsafe(32)
        self._open[name] = Session(principal, secrets.token_urlsafe(32), token)
        return name

    def get(self, name: str) -> Session | None:
        """Return a session that is open."""
        return self._open.get(name)

    def end(self, name: str) -> None:
        """Close a session."""
        self._open.pop(name, None)
