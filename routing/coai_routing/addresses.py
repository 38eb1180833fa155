"""Addresses of HTTP servers: the one form that settings and discovery take."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

# No user name, query or backslash: two readers of one address must see the same host in it, and a
# key in it would be shown where keys are masked.
_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9._:\[\]-]+(?:/[A-Za-z0-9._~/%+-]*)?")

_LABEL: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
"""One part of a host's name, at most 63 characters (RFC 1035, section 2.3.4); underscores are no
host's by the standards, and some have them."""

_LONGEST_HOST: Final = 253


def http_address(url: str) -> str:
    """Return an address without a slash at its end; raises ValueError if a client could not use it.

    A host is an IP address, one of version 6 in brackets, or a name that can be looked up: an empty
    or overlong part of one fails in Python's codec only when it is connected to.
    """
    if not _ADDRESS.fullmatch(url):
        raise ValueError("not an address of a server")
    parts = urlsplit(url)
    host = parts.hostname
    if not host or parts.port == 0:
        raise ValueError("no host or an impossible port")
    if not (":" in host or is_host_name(host)):
        raise ValueError("no name of a host")
    return url.rstrip("/")


def is_host_name(host: str) -> bool:
    """Say whether a name can be looked up at all; a dot at its end is the root."""
    name = host.removesuffix(".")
    return len(name) <= _LONGEST_HOST and all(map(_LABEL.fullmatch, name.split(".")))
