"""OAuth 2.1 resource server: access tokens of the issuer that the user's settings name.

RFC 9068 (JWT access tokens), RFC 8725 (what to check of a JWT), RFC 9728 (metadata). The algorithms
are a fixed list of asymmetric ones: what a token's header says chooses among them and nothing else
(CVE-2026-48526 and its like), so no public key can pass for a shared secret.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from typing import TYPE_CHECKING, Any, Final, cast

import httpx
import jwt

from coai_routing.errors import CoaiError
from coai_routing.privacy.egress import is_loopback
from coai_server.http.security.principals import Principal, Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_server.http.config import OAuth

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
SCOPES: Final = {"coai:admin": Role.ADMIN, "coai:runner": Role.RUNNER, "coai:viewer": Role.VIEWER}
"""The best one of a token counts."""
LEEWAY_SECONDS: Final = 30
KEYS_BYTES: Final = 256_000
KEYS_SECONDS: Final = 600.0
"""How long keys are believed before they are fetched again."""
FETCH_SECONDS: Final = 5.0
UNKNOWN_SECONDS: Final = 30.0
"""Tokens that name an unknown key make the keys be fetched no more often than this."""
MOST_TOKEN: Final = 16_384


class IssuerError(CoaiError):
    """The issuer's keys cannot be had."""


class Issuer:
    """The issuer of access tokens, with its keys."""

    def __init__(self, wanted: OAuth, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Fetch nothing yet."""
        self.wanted = wanted
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = -KEYS_SECONDS
        self._fetching = asyncio.Lock()

    async def holder(self, token: str) -> Principal | None:
        """Return whose token it is; None where it does not count. Raises `IssuerError`."""
        if len(token) > MOST_TOKEN or token.count(".") != 2:  # noqa: PLR2004 - header, claims, signature
            return None
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                return None
            key = await self._key(str(header.get("kid", "")))
            if key is None:
                return None
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=self.wanted.audience,
                issuer=list(_spellings(self.wanted.issuer)),
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError:
            return None
        return self._principal(claims)

    def _principal(self, claims: dict[str, Any]) -> Principal | None:
        said = claims.get("scope", "")
        granted = said.split() if isinstance(said, str) else []
        role = next((role for scope, role in SCOPES.items() if scope in granted), None)
        if role is None:
            return None
        subject = str(claims["sub"])
        # Each subject is a tenant of its own: nothing of one is seen by another.
        digest = hashlib.sha256(f"{self.wanted.issuer}\0{subject}".encode()).hexdigest()
        return Principal(f"oauth:{digest[:12]}", role, f"oauth-{digest[:24]}")

    async def _key(self, name: str) -> jwt.PyJWK | None:
        now = self._clock()
        age = now - self._fetched
        if age > KEYS_SECONDS or (name not in self._keys and age > UNKNOWN_SECONDS):
            async with self._fetching:
                if self._clock() - self._fetched >= age:
                    self._keys = await self._fetch()
                    self._fetched = self._clock()
        return self._keys.get(name)

    async def _fetch(self) -> dict[str, jwt.PyJWK]:
        url = self.wanted.jwks_url
        async with httpx.AsyncClient(timeout=FETCH_SECONDS, follow_redirects=False) as client:
            if url is None:
                issuer = self.wanted.issuer.rstrip("/")
                told = await _document(client, f"{issuer}/.well-known/openid-configuration")
                if told.get("issuer") not in _spellings(issuer):
                    raise IssuerError(f"{issuer} says that it is another issuer.")
                url = str(told.get("jwks_uri", ""))
            document = await _document(client, url)
        try:
            keys = jwt.PyJWKSet.from_dict(document).keys
        except jwt.PyJWTError as error:
            raise IssuerError(f"The keys of {self.wanted.issuer} are none: {error}.") from error
        return {str(key.key_id or ""): key for key in keys}


def _spellings(issuer: str) -> tuple[str, str]:
    """Return an issuer with and without the slash that some have at their end."""
    bare = issuer.rstrip("/")
    return bare, f"{bare}/"


async def _document(client: httpx.AsyncClient, url: str) -> dict[str, Any]:
    """Return a JSON document of limited size, over TLS or from this machine."""
    if not (url.startswith("https://") or is_loopback(url)):
        raise IssuerError(f"{url} is not encrypted.", remedy="Name an https address.")
    try:
        content = b""
        async with asyncio.timeout(FETCH_SECONDS), client.stream("GET", url) as response:
            if not response.is_success:
                raise IssuerError(f"{url} answers {response.status_code}.")
            async for piece in response.aiter_bytes():
                content += piece
                if len(content) > KEYS_BYTES:
                    raise IssuerError(f"{url} has more than {KEYS_BYTES:,} bytes.")
        document: object = json.loads(content)
    except (httpx.HTTPError, TimeoutError, ValueError) as error:
        raise IssuerError(
            f"{url} cannot be read: {type(error).__name__}.",
            remedy="See that the issuer of `http.oauth_issuer` can be reached.",
        ) from error
    if not isinstance(document, dict):
        raise IssuerError(f"{url} is no object of JSON.")
    return cast("dict[str, Any]", document)
