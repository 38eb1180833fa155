"""The doorkeeper: from a request's token to who it is, or to why it is refused."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from coai_server.http.problems import RefusedError
from coai_server.http.security.keys import PREFIX, Keys, keys_file
from coai_server.http.security.oauth import Issuer
from coai_server.http.security.own_token import own_token
from coai_server.http.security.passes import Sessions, Tickets
from coai_server.http.security.principals import Principal, Role
from coai_server.http.security.rates import Rates

if TYPE_CHECKING:
    from coai_server.http.config import Config


class Doorkeeper:
    """Knows every token that counts. Belongs to one event loop."""

    def __init__(self, config: Config) -> None:
        """Read the user's token and open the keys. Raises OSError or sqlite3.Error."""
        self._config = config
        self._own = own_token(config.state)
        self._keys = Keys(keys_file(config.state))
        self._issuer = None if config.oauth is None else Issuer(config.oauth)
        self._rates = Rates(config.requests_per_minute)
        self.tickets = Tickets()
        self.sessions = Sessions()

    def close(self) -> None:
        """Close the keys."""
        self._keys.close()

    async def by_header(self, authorization: str | None) -> Principal:
        """Return whom a header names; raises `RefusedError`."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise self._unknown("missing_token", "The request names nobody.")
        return await self.by_token(token.strip())

    async def by_token(self, token: str) -> Principal:
        """Return whose token it is; raises `RefusedError`.

        Wrong ones are not counted: nobody guesses 256 bits.
        """
        principal = await self._holder(token)
        if principal is None:
            raise self._unknown(
                "wrong_token", "The token is wrong, has expired, or was taken back."
            )
        self.counted(principal)
        return principal

    def by_ticket(self, ticket: str) -> Principal:
        """Return whose ticket it is, this once; raises `RefusedError`."""
        principal = self.tickets.take(ticket)
        if principal is None:
            raise self._unknown("wrong_ticket", "The ticket was used, or is too old.")
        self.counted(principal)
        return principal

    async def by_session(self, name: str) -> tuple[Principal, str] | None:
        """Return whose session it is and its secret; None where it has ended."""
        session = self.sessions.get(name)
        if session is None:
            return None
        try:
            # A key that was taken back ends its sessions, too.
            return await self.by_token(session.token), session.secret
        except RefusedError as error:
            if error.status != 401:  # noqa: PLR2004 - who it is, is not known any more
                raise
            self.sessions.end(name)
            return None

    def counted(self, principal: Principal) -> None:
        """Count a request; raises `RefusedError` where there were too many."""
        if (wait := self._rates.refusal(f"{principal.tenant}/{principal.name}")) is not None:
            raise _too_many(wait)

    async def _holder(self, token: str) -> Principal | None:
        if secrets.compare_digest(token.encode("utf-8", "replace"), self._own.encode()):
            return Principal("own token", Role.ADMIN)
        if token.startswith(PREFIX):
            return self._keys.holder(token)
        return None if self._issuer is None else await self._issuer.holder(token)

    def _unknown(self, kind: str, message: str) -> RefusedError:
        challenge = 'Bearer realm="coai"'
        if self._config.oauth is not None:
            challenge += ', resource_metadata="/.well-known/oauth-protected-resource"'
        return RefusedError(
            401,
            kind,
            message,
            remedy="Send `Authorization: Bearer TOKEN`; `coai http token` shows yours, and "
            "`coai http keys create` makes one for others.",
            headers={"www-authenticate": challenge},
        )


def _too_many(wait: int) -> RefusedError:
    return RefusedError(
        429,
        "too_many_requests",
        "There were too many requests.",
        remedy=f"Try again in {wait} s; `--rate` allows more.",
        headers={"retry-after": str(wait)},
    )
