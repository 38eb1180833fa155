"""How the door is set up: what its options say, checked, as one value."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import platformdirs

from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PORT: Final = 8321
"""Where it listens unless told otherwise."""
MOST_BODY_BYTES: Final = 8_000_000
"""Of a request; a prompt of a million tokens has half of it."""
BODY_SECONDS: Final = 30.0
"""In which a body has to have come whole."""
HEAD_SECONDS: Final = 15.0
"""In which a request's head has to have come."""
REQUESTS_PER_MINUTE: Final = 3_000
"""Of one caller."""


class SetupError(CoaiError):
    """The options of `coai http` do not go together."""


@dataclass(frozen=True, slots=True)
class OAuth:
    """Whose access tokens count, and for whom they have to be (RFC 9068)."""

    issuer: str
    audience: str
    jwks_url: str | None = None
    """Where the issuer's keys are; asked of its metadata unless given."""


@dataclass(frozen=True, slots=True)
class Config:
    """What `coai http` was told."""

    roots: tuple[Path, ...]
    host: str = "127.0.0.1"
    port: int = PORT
    names: tuple[str, ...] = ()
    """Other host names that it is reached by, without a port."""
    origins: tuple[str, ...] = ()
    """Other sites whose pages may ask, as `https://HOST[:PORT]`."""
    certificate: Path | None = None
    key: Path | None = None
    proxy: str | None = None
    """The address of the proxy that alone may connect."""
    state: Path = platformdirs.user_state_path("coai", appauthor=False) / "http"
    body_bytes: int = MOST_BODY_BYTES
    body_seconds: float = BODY_SECONDS
    head_seconds: float = HEAD_SECONDS
    requests_per_minute: int = REQUESTS_PER_MINUTE
    oauth: OAuth | None = None

    @property
    def encrypted(self) -> bool:
        """Whether it speaks TLS itself."""
        return self.certificate is not None

    def host_names(self) -> frozenset[str]:
        """Return what a request may name as its host, without ports."""
        own = {"127.0.0.1", "localhost", "::1"} if is_loopback_host(self.host) else {self.host}
        return frozenset(each.lower() for each in (*own, *self.names))


def is_loopback_host(host: str) -> bool:
    """Say whether only this machine can connect to an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked(config: Config) -> Config:
    """Return a setup that is safe; raises `SetupError` for one that is not."""
    if (config.certificate is None) != (config.key is None):
        raise SetupError("A certificate needs its key.", remedy="Give --tls-cert and --tls-key.")
    for file in (config.certificate, config.key):
        if file is not None and not file.is_file():
            raise SetupError(f"{file} is not there.", remedy="Name a file in PEM form.")
    if config.proxy is not None:
        _checked_proxy(config.proxy)
    if not is_loopback_host(config.host) and not config.encrypted and config.proxy is None:
        raise SetupError(
            f"{config.host} is not this machine alone, and tokens would go there unencrypted.",
            remedy="Give --tls-cert and --tls-key, or --behind-proxy ADDRESS for a proxy that "
            "encrypts.",
        )
    if config.proxy is not None and not config.names:
        raise SetupError(
            "Behind a proxy it has to be known by which name it is reached.",
            remedy="Give --host-name NAME.",
        )
    _checked_names(config.names)
    if config.oauth is not None and not config.oauth.audience:
        raise SetupError("An issuer needs an audience.", remedy="Set `http.oauth_audience`.")
    return config


def _checked_proxy(address: str) -> None:
    try:
        ipaddress.ip_address(address)
    except ValueError as error:
        raise SetupError(
            f"{address} is no IP address.", remedy="Name the proxy by the address it connects from."
        ) from error


def _checked_names(names: Sequence[str]) -> None:
    for name in names:
        if not name or "/" in name or "*" in name or ":" in name:
            raise SetupError(f"{name} is no host name.", remedy="Give it without scheme and port.")
