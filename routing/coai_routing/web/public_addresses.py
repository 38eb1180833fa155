"""Which network addresses are public: everything else is nobody's business from a web page.

A name is resolved once, what it resolves to is judged, and to that and nothing else is connected,
so that a name that means another machine a moment later (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Final, TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

if TYPE_CHECKING:
    from collections.abc import Callable

    IsPublic: TypeAlias = Callable[[str], bool]

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class PrivateAddressError(OSError):
    """A name stands for an address that is not public."""


def is_public(text: str) -> bool:
    """Say whether an address may be reached for a page: no private, local, shared or reserved one.

    What an IPv6 address has of IPv4 in it (mapped, 6to4, Teredo, NAT64) is judged as well.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64:
            inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if any(each is not None and not is_public(str(each)) for each in inner):
            return False
        if address.ipv4_mapped is not None:
            return True
    return address.is_global and not address.is_multicast


class PublicResolver(AbstractResolver):
    """Resolves names to public addresses; raises `PrivateAddressError` where any other is among."""

    def __init__(self, public: IsPublic = is_public) -> None:
        self._public = public
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a host."""
        found = await self._inner.resolve(host, port, family)
        for each in found:
            if not self._public(each["host"]):
                raise PrivateAddressError(f"{host} stands for {each['host']}, which is not public")
        return found

    async def close(self) -> None:
        """Close the resolver."""
        await self._inner.close()
