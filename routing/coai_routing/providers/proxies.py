"""The environment's proxies: used where they can be, never in the way of a server that is near.

httpx builds a transport for every proxy that the environment names before it knows which host is
asked, so that one it cannot use (SOCKS without its extra, an address that is none) fails them all.
"""

from __future__ import annotations

import logging
import os
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from coai_routing.errors import ProviderUnavailableError

if TYPE_CHECKING:
    from collections.abc import Generator

    from coai_routing.privacy.egress import Egress
    from coai_routing.providers.description import BackendDescription

logger = logging.getLogger(__name__)

_CARRIERS: Final = frozenset({"http", "https"})
"""Schemes of proxies that httpx speaks to as it is installed here."""

_OTHERS_ADDRESSES: Final = frozenset({"OLLAMA_HOST"})
"""What a vendor's client reads when it is imported, and what may be written for the server."""


def proxy_options(backend: BackendDescription, egress: Egress) -> dict[str, Any]:
    """Return an httpx or httpx2 client's options for the environment's proxies.

    None carries what goes where something sensitive may go, and a proxy whose address is none is
    left out. Raises ProviderUnavailableError if there is no way but a proxy of another kind.
    """
    if egress.goes_direct(backend.base_url):
        return {"trust_env": False}
    if _httpx_can_use_all():
        return {"trust_env": True}
    parts = urlsplit(backend.base_url)
    if _bypasses(parts.netloc.rpartition("@")[2]):
        return {"trust_env": False}
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    scheme = _scheme(proxy)
    if scheme is None:
        logger.warning("A proxy of the environment is no address; none is used.")
        return {"trust_env": False}
    if scheme not in _CARRIERS:
        raise ProviderUnavailableError(
            f"{backend.place} would have to be reached through a {scheme} proxy.",
            provider=backend.name,
            remedy="Name an HTTP proxy in HTTPS_PROXY, or the host in NO_PROXY.",
        )
    return {"trust_env": True, "proxy": proxy if "://" in proxy else f"http://{proxy}"}


def _httpx_can_use_all() -> bool:
    import httpx  # noqa: PLC0415 - not at server start

    try:
        # A context that trusts nobody is made at once; nothing is ever sent by this.
        httpx.Client(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)).close()
    except (ImportError, ValueError, httpx.InvalidURL):
        return False
    return True


def _bypasses(host: str) -> bool:
    try:
        return bool(proxy_bypass(host))
    except ValueError:  # NO_PROXY holds what is no list of hosts
        return False


def _scheme(proxy: str) -> str | None:
    """Return the scheme of a proxy's address, as httpx reads it; None for what is no address."""
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        if not parts.hostname or (parts.port or 1) < 1 or not proxy.isprintable():
            return None
    except ValueError:
        return None
    return parts.scheme.lower()


@contextmanager
def environment_set_aside() -> Generator[None]:
    """Hide the environment's proxies and other clients' addresses, for an import that reads them.

    Ollama's client makes a client of its own when it is imported, which fails with a proxy that
    httpx cannot use, though nobody ever sends anything by it.
    """
    hidden = {
        name: value
        for name, value in os.environ.items()
        if name.lower().endswith("_proxy") or name in _OTHERS_ADDRESSES
    }
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)
