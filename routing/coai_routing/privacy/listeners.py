"""Whose server listens on a port of this machine.

Loopback is shared by all users of a machine: whoever binds llama-server's port first is found where
llama-server is looked for. So a server that COAI found by itself is used only if its process is the
user's or root's, who can read everything anyway. Linux says whose each listening socket is, by
sock_diag(7) in half a millisecond, or in `/proc/net/tcp` (proc(5)) where that is forbidden; only
sockets that a connection could end at count. Elsewhere psutil asks the system, which may refuse to
tell of other users' processes: then nobody knows, and not known is not the user's.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address

UNKNOWN: Final = "unknown"

_TABLES: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LISTEN: Final = 10
"""TCP_LISTEN in include/net/tcp_states.h."""

_NETLINK: Final = 16
_SOCK_DIAG: Final = 4
_BY_FAMILY: Final = 20
_DUMP: Final = 0x301
_DONE: Final = 3
_HEADER: Final = 16
_MESSAGE: Final = 72
_USER_AT: Final = 64
"""AF_NETLINK, NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, NLMSG_DONE, and
sizes and places in nlmsghdr and inet_diag_msg."""

_PATIENCE: Final = 1.0
"""Seconds that the kernel may take to answer."""

_ROOT: Final = "0"
_SYSTEM: Final = frozenset({"nt authority\\system"})
"""Accounts of Windows that are its root."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who listens at an address."""

    key: str
    """A user id, on Windows an account, or `unknown`; several are joined by commas."""
    name: str
    """For a reader."""
    trusted: bool
    """Whether it is the user, or root."""


def address_of(base_url: str) -> str:
    """Return host and port of an http(s) address, which is what somebody listens at."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    return f"[{host}]:{_port(base_url)}" if ":" in host else f"{host}:{_port(base_url)}"


def owner_of(base_url: str) -> Owner:
    """Say who listens where an address of this machine leads. It asks the system: use a thread."""
    try:
        keys = set(_listening()(_addresses(urlsplit(base_url).hostname or ""), _port(base_url)))
    except (OSError, ValueError, IndexError):
        keys = {UNKNOWN}
    keys = keys or {UNKNOWN}
    strangers = sorted(keys - {_current(), _ROOT, *_SYSTEM})
    shown = strangers or sorted(keys)
    return Owner(key=",".join(shown), name=" and ".join(map(_named, shown)), trusted=not strangers)


def _port(base_url: str) -> int:
    parts = urlsplit(base_url)
    return parts.port or (443 if parts.scheme == "https" else 80)


def _listening() -> Callable[[tuple[Address, ...], int], Iterator[str]]:
    if sys.platform == "linux":
        return _on_linux
    if sys.platform == "win32":
        return _of_processes
    return _of_own_processes


def _addresses(host: str) -> tuple[Address, ...]:
    if host == "localhost":
        return ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1")
    return (_plain(ipaddress.ip_address(host)),)


def _plain(address: Address) -> Address:
    """Return an IPv4 address for one that is mapped into IPv6."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped


def _takes(bound: Address, address: Address) -> bool:
    """Say whether a socket bound to one address gets connections to the other."""
    if bound.is_unspecified:
        # `::` takes IPv4 too, unless its owner says otherwise.
        return bound.version >= address.version
    return _plain(bound) == address


# ------------------------------------------------------------------------------------------- Linux


@dataclass(frozen=True, slots=True)
class _Socket:
    """A listening socket."""

    bound: Address
    port: int
    user: int


def _on_linux(addresses: tuple[Address, ...], port: int) -> Iterator[str]:
    try:
        sockets = [*_from_kernel(socket.AF_INET), *_from_kernel(socket.AF_INET6)]
    except OSError:
        sockets = list(_from_tables())
    for each in sockets:
        if each.port == port and any(_takes(each.bound, address) for address in addresses):
            yield str(each.user)


def _from_kernel(family: int) -> Iterator[_Socket]:
    """Yield the listening sockets of a family, by a dump of linux/inet_diag.h.

    The kernel looks at listening sockets only, which `/proc/net/tcp` cannot be asked for.
    """
    wanted = struct.pack("=BBBxI48x", family, socket.IPPROTO_TCP, 0, 1 << _LISTEN)
    header = struct.pack("=IHHII", _HEADER + len(wanted), _BY_FAMILY, _DUMP, 1, 0)
    with socket.socket(_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
        kernel.settimeout(_PATIENCE)
        kernel.send(header + wanted)
        while True:
            received = kernel.recv(65_536)
            at = 0
            while at + _HEADER <= len(received):
                length, kind = struct.unpack_from("=IH", received, at)
                if kind == _DONE:
                    return
                if kind != _BY_FAMILY or length < _HEADER + _MESSAGE:
                    raise OSError("the kernel does not tell")
                yield _read_message(received[at + _HEADER : at + length])
                at += (length + 3) & ~3


def _read_message(message: bytes) -> _Socket:
    """Read an inet_diag_msg: family, state, ..., ports, addresses, ..., user."""
    port = int.from_bytes(message[4:6], "big")
    size = 4 if message[0] == socket.AF_INET else 16
    (user,) = struct.unpack_from("=I", message, _USER_AT)
    return _Socket(_plain(ipaddress.ip_address(message[8 : 8 + size])), port, user)


def _from_tables() -> Iterator[_Socket]:
    for table in _TABLES:
        try:
            lines = table.read_text("ascii").splitlines()[1:]
        except FileNotFoundError:
            continue  # a kernel without IPv6
        for line in lines:
            # Number, local and remote address, state, queues, timer, retransmissions, user, ...
            fields = line.split()
            if int(fields[3], 16) == _LISTEN:
                written, _, port = fields[1].rpartition(":")
                yield _Socket(_printed(written), int(port, 16), int(fields[7]))


def _printed(written: str) -> Address:
    """Return an address as `/proc` prints it: four bytes at a time, in the machine's order."""
    whole = bytes.fromhex(written)
    words = (whole[at : at + 4] for at in range(0, len(whole), 4))
    ordered = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    return _plain(ipaddress.ip_address(ordered))


# ------------------------------------------------------------------------------------- elsewhere


def _of_processes(addresses: tuple[Address, ...], port: int) -> Iterator[str]:
    """Yield the accounts of the processes that listen; Windows says it of every process."""
    import psutil  # noqa: PLC0415 - Linux needs none

    for connection in psutil.net_connections("tcp"):
        if _is_at(connection.laddr, connection.status, addresses, port):
            try:
                yield psutil.Process(connection.pid).username().lower()
            except psutil.Error:
                yield UNKNOWN


def _of_own_processes(addresses: tuple[Address, ...], port: int) -> Iterator[str]:
    """Yield the user's id if one of their processes listens at the very address.

    macOS tells only of these. A socket that is bound to every address does not count: another user
    may have bound this one, and would get the connection.
    """
    import psutil  # noqa: PLC0415 - as above

    for process in psutil.process_iter():
        try:
            if str(process.uids().real) != _current():
                continue
            connections = process.net_connections("tcp")
        except psutil.Error:
            continue
        for connection in connections:
            if _is_at(connection.laddr, connection.status, addresses, port, exactly=True):
                yield _current()


def _is_at(
    bound: object, status: str, addresses: tuple[Address, ...], port: int, *, exactly: bool = False
) -> bool:
    at = getattr(bound, "ip", ""), getattr(bound, "port", 0)
    if not at[0] or status != "LISTEN" or at[1] != port:
        return False
    address = ipaddress.ip_address(at[0])
    if exactly and address.is_unspecified:
        return False
    return any(_takes(address, each) for each in addresses)


# ------------------------------------------------------------------------------------------- names


def _current() -> str:
    if sys.platform == "win32":
        import psutil  # noqa: PLC0415 - as above

        return psutil.Process().username().lower()
    return str(os.getuid())


def _named(key: str) -> str:
    if key == UNKNOWN:
        return "a process whose owner is not known"
    if sys.platform == "win32":
        return key
    import pwd  # noqa: PLC0415 - only where there is one

    try:
        return f"the user {pwd.getpwuid(int(key)).pw_name} ({key})"
    except (KeyError, ValueError, OverflowError):
        return f"the user {key}"
