"""How a client and the daemon greet one another: lines of JSON, before a door has the stream.

    client  {"nonce": C}
    daemon  {"nonce": D, "proof": HMAC-SHA256(secret, "daemon" C D)}
    client  {"proof": HMAC-SHA256(secret, "client" C D), "version": ..., "surroundings": [...],
             "door": ..., "roots": [...], "directory": ...}
    daemon  {"ok": true}, or {"ok": false, "code": ..., "reason": ...} and the end

The secret is in a file that only the user can read, and is never sent. Where the system says who
is at the other end of a socket, both ask it as well.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import struct
import sys
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_LINE_BYTES: Final = 64 * 1024
"""Of a greeting: it names folders."""

Refusal = Literal["version", "surroundings", "door", "stranger", "full"]


class TalkError(CoaiError):
    """What is at the other end is no daemon of this user's, or is no client of it."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a proven client wants."""

    door: str
    version: str = ""
    surroundings: tuple[str, ...] = ()
    """As `place.surroundings` returns them."""
    roots: tuple[str, ...] = ()
    """Absolute paths."""
    directory: str = ""
    """The client's working directory."""

    @classmethod
    def read(cls, line: Mapping[str, Any]) -> Hello:
        """Read what a client says; raises `TalkError`."""
        texts = [line.get(name, "") for name in ("door", "version", "directory")]
        lists = [line.get(name, []) for name in ("surroundings", "roots")]
        if not all(isinstance(each, list) for each in lists) or not all(
            isinstance(each, str) for each in chain(texts, *lists)
        ):
            raise TalkError("That is no greeting.")
        door, version, directory = texts
        surroundings, roots = map(tuple, lists)
        return cls(door, version, surroundings, roots, directory)

    def as_json(self) -> dict[str, Any]:
        """Return it as a part of a line."""
        return {
            "door": self.door,
            "version": self.version,
            "surroundings": list(self.surroundings),
            "roots": list(self.roots),
            "directory": self.directory,
        }


def encoded(line: Mapping[str, Any]) -> bytes:
    """Return a line."""
    return json.dumps(line).encode() + b"\n"


def decoded(line: bytes) -> dict[str, Any]:
    """Read a line; raises `TalkError`."""
    try:
        known: object = json.loads(line) if line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        known = None
    if not isinstance(known, dict):
        raise TalkError("The other side does not speak as COAI's daemon and its clients do.")
    return cast("dict[str, Any]", known)


def proof(secret: str, who: Literal["client", "daemon"], client: str, daemon: str) -> str:
    """Return what shows that a side knows the secret."""
    told = f"{who}\n{client}\n{daemon}"
    return hmac.new(secret.encode(), told.encode(), hashlib.sha256).hexdigest()


def check(line: Mapping[str, Any], expected: str) -> None:
    """See that a line proves that its writer knows the secret; raises `TalkError`."""
    told: object = line.get("proof")
    if not isinstance(told, str) or not hmac.compare_digest(
        told.encode("utf-8", "replace"), expected.encode()
    ):
        raise TalkError("The other side does not know the secret of this user's daemon.")


def peer_uid(connection: socket.socket) -> int | None:
    """Return the user at the other end of a Unix socket; None where the system does not say."""
    if sys.platform == "win32" or connection.family != socket.AF_UNIX:
        return None
    if hasattr(socket, "SO_PEERCRED"):  # Linux: pid, uid, gid (unix(7))
        size = struct.calcsize("3i")
        told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        return struct.unpack("3i", told)[1]
    if sys.platform == "darwin":  # struct xucred: version, uid, ... (sys/ucred.h)
        told = connection.getsockopt(0, 1, 76)
        return struct.unpack_from("2I", told)[1]
    return None
