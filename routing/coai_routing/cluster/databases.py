"""Addresses of databases that machines share, and whether what is stored may go there.

All that a run sees lies in such a database. So one that is not on this machine has to be a host
that the user named as trusted (`privacy.trusted_hosts`), is reached by TLS with its certificate
checked, and is none at all in privacy mode. An address may hold a password: nothing here repeats
one, neither in errors nor in what it looks like.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from coai_routing.addresses import is_host_name
from coai_routing.errors import CoaiError, EgressRefusedError
from coai_routing.privacy.egress import is_loopback, is_trusted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_routing.settings.schema import PrivacySettings

Kind: TypeAlias = Literal["PostgreSQL", "Redis"]

_SCHEMES: Final[Mapping[str, Kind]] = {
    "postgresql": "PostgreSQL",
    "postgres": "PostgreSQL",
    "redis": "Redis",
    "rediss": "Redis",
}
_PORTS: Final[Mapping[Kind, int]] = {"PostgreSQL": 5432, "Redis": 6379}

# What an address may say besides its parts. Nothing that names another host (`hostaddr`,
# `service`), and nothing that leaves a certificate unchecked.
_OPTIONS: Final[Mapping[Kind, frozenset[str]]] = {
    "PostgreSQL": frozenset(
        ("host", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile",
         "connect_timeout")
    ),
    "Redis": frozenset(("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")),
}  # fmt: skip
_CHECKED: Final = ("verify-full", "verify-ca")
"""The modes of libpq that check whose certificate it is (PostgreSQL manual, section 34.19)."""


class AddressError(CoaiError):
    """An address of a shared database is none that can be used; the message has no password."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A database that machines share."""

    kind: Kind
    host: str
    """A host's name or IP address; a folder, with its slash, for a socket on this machine."""
    port: int
    secret: bool
    """Whether the address holds a password."""
    url: str = field(repr=False)
    """The address for a client, with what is secret in it: never to be shown."""

    @property
    def local(self) -> bool:
        """Whether it is on this machine."""
        return self.host.startswith("/") or is_loopback(_http(self.host, self.port))

    def __str__(self) -> str:
        """Return it as it may be shown."""
        where = self.host if self.host.startswith("/") else f"{self.host}:{self.port}"
        return f"{self.kind} at {where}"


def shared(url: str, kind: Kind) -> Shared:
    """Read an address; raises `AddressError`, whose message repeats nothing of it."""
    try:
        parts = urlsplit(url)
        port = parts.port
        options = parse_qsl(parts.query, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise _wrong(kind, "it cannot be read") from error
    if _SCHEMES.get(parts.scheme) != kind:
        raise _wrong(kind, "it has another scheme")
    for name, _ in options:
        if name not in _OPTIONS[kind]:
            known = ", ".join(sorted(_OPTIONS[kind]))
            raise _wrong(kind, f"its options may be {known}, and one is another")
    named = dict(options)
    host = unquote(parts.hostname or "") or named.get("host", "")
    if "host" in named and not (named["host"].startswith("/") and not parts.hostname):
        raise _wrong(kind, "`host` may only name the folder of a socket")
    if not host.startswith("/") and not (":" in host or (host and is_host_name(host))):
        raise _wrong(kind, "it names no host")
    store = Shared(kind, host, port or _PORTS[kind], parts.password is not None, url)
    return store if store.local else _by_tls(store, named, parts.scheme)


def _by_tls(store: Shared, named: Mapping[str, str], scheme: str) -> Shared:
    """See that an address elsewhere is reached by TLS; PostgreSQL's says so by itself if not."""
    remedy = "Between machines only TLS with a checked certificate is used."
    if store.kind == "Redis":
        if scheme != "rediss":
            raise AddressError(f"{store} is not reached by TLS.", remedy=f"{remedy} Use rediss://.")
        return store
    mode = named.get("sslmode")
    if mode is not None and mode not in _CHECKED:
        raise AddressError(
            f"{store} is not reached by TLS with its certificate checked.",
            remedy=f"{remedy} Take `sslmode` out, or use verify-full.",
        )
    if mode is not None:
        return store
    parts = urlsplit(store.url)
    query = urlencode({**named, "sslmode": "verify-full"}, quote_via=quote)
    url = parts._replace(query=query).geturl()
    return Shared(store.kind, store.host, store.port, store.secret, url)


def check(store: Shared, privacy: PrivacySettings) -> None:
    """Raise EgressRefusedError if what is sensitive may not lie in a database."""
    if store.local:
        return
    if privacy.mode:
        raise EgressRefusedError(
            f"{store} is not this machine, and in privacy mode nothing leaves it.",
            provider=store.host,
            remedy="Use a database on this machine, or switch `privacy.mode` off.",
        )
    if not is_trusted(_http(store.host, store.port), frozenset(privacy.trusted_hosts)):
        raise EgressRefusedError(
            f"{store} is not this machine, and all that runs see would lie there.",
            provider=store.host,
            remedy=(
                "If that host is your own, add it to `privacy.trusted_hosts` in your user settings."
            ),
        )


def _http(host: str, port: int) -> str:
    """Return an address in the form that the egress decision reads."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _wrong(kind: Kind, why: str) -> AddressError:
    scheme = "postgresql" if kind == "PostgreSQL" else "redis"
    return AddressError(
        f"The address of {kind} cannot be used: {why}.",
        remedy=f"It has the form {scheme}://USER@HOST:PORT/NAME.",
    )
