"""What may leave this machine: the one function that decides it, and what it decides on.

It errs on the side of refusing. An address counts as this machine only when it is written in one
of the few plain forms of loopback; whatever two parsers could read differently is elsewhere.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from coai_routing.errors import EgressRefusedError

if TYPE_CHECKING:
    from coai_routing.request import ModelRequest

# Scheme, host and port of an address, and nothing in it that parsers disagree about: no user
# name, no backslash, no escape, no control or non-ASCII character (RFC 3986, section 3.2).
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://"
    r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?))"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/[!-\[\]-~]*)?",
    re.IGNORECASE | re.ASCII,
)


@lru_cache(maxsize=256)
def _host_and_port(url: str) -> tuple[str, int] | None:
    """Return the host, in small letters, and the port; None for an address of no plain form."""
    match = _ADDRESS.fullmatch(url)
    if match is None:
        return None
    host = (match["v6"] or match["name"]).lower()
    default = 443 if match["scheme"].lower() == "https" else 80
    return host, int(match["port"] or default)


@lru_cache(maxsize=256)
def is_loopback(url: str) -> bool:
    """Say whether an http(s) address is on this machine.

    That is `localhost`, 127.0.0.0/8, `::1` and IPv4 loopback mapped into IPv6. Other names are not
    resolved and not local, whatever they would resolve to; nor are decimal, octal or shortened
    forms of an IP address, 0.0.0.0, and addresses with a user name.
    """
    place = _host_and_port(url)
    if place is None:
        return False
    host, _ = place
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback


def host_of(url: str) -> str:
    """Return the host of an address, without a path; the address itself if it has no plain form."""
    place = _host_and_port(url)
    return place[0] if place else url


def is_trusted(url: str, trusted_hosts: frozenset[str]) -> bool:
    """Say whether the user named the host of an address, alone or as `host:port`, as trusted."""
    place = _host_and_port(url)
    if place is None:
        return False
    host, port = place
    named = {trusted.strip("[]").lower() for trusted in trusted_hosts}
    return host in named or f"{host}:{port}" in named


def check_egress(
    request: ModelRequest | None,
    base_url: str,
    *,
    trusted_hosts: frozenset[str],
    allow_egress: bool,
    provider: str = "",
) -> None:
    """Raise EgressRefusedError if a request may not go to an address.

    Loopback may see everything. Anywhere else nothing goes unless `allow_egress`, and nothing
    sensitive unless the user named the host as trusted. `request` is None for calls that carry no
    content, such as listing models.
    """
    if is_loopback(base_url):
        return
    host = host_of(base_url)
    if not allow_egress:
        raise EgressRefusedError(
            f"{host} is not this machine, and nothing may leave it.",
            provider=provider or host,
            remedy=(
                "Use a local backend (`coai doctor` lists them), or let requests leave this "
                "machine: `privacy.mode` off, and `completion.allow_cloud` on for completions."
            ),
        )
    if request is not None and request.sensitive and not is_trusted(base_url, trusted_hosts):
        raise EgressRefusedError(
            f"The request is sensitive and {host} is not this machine.",
            provider=provider or host,
            remedy=(
                "Use a local backend (`coai doctor` lists them), or add the host to "
                "`privacy.trusted_hosts` in your user settings if it is your own."
            ),
        )


@dataclass(frozen=True, slots=True)
class Egress:
    """What the user lets leave this machine. The default is nothing."""

    trusted_hosts: frozenset[str] = frozenset()
    """Hosts, alone or as `host:port`, that may see what is sensitive."""
    allow: bool = False
    """Whether anything may leave this machine at all."""

    def check(self, request: ModelRequest | None, base_url: str, *, provider: str) -> None:
        """Raise EgressRefusedError if the request may not go there; see `check_egress`."""
        check_egress(
            request,
            base_url,
            trusted_hosts=self.trusted_hosts,
            allow_egress=self.allow,
            provider=provider,
        )

    def goes_direct(self, base_url: str) -> bool:
        """Say whether the environment's proxies must be left out.

        Where something sensitive may go, no third party may carry it.
        """
        return is_loopback(base_url) or is_trusted(base_url, self.trusted_hosts)
