"""A client's way to the daemon: connected and proven, or why it is not.

Imports next to nothing: programs that are started for every call wait for it.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from coai_server.shared.place import coai_version, default_place, surroundings
from coai_server.shared.talk import (
    MOST_LINE_BYTES,
    Hello,
    TalkError,
    check,
    decoded,
    encoded,
    peer_uid,
    proof,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coai_server.shared.place import Place, Record

SECONDS: Final = 5.0
"""How long a daemon may take to greet; one that takes longer is as good as none."""

OPENING_SECONDS: Final = 60.0
"""How long a daemon that has proven itself may take to open a door: it imports that for the first
client, which takes some seconds on a machine that has time, and many on one that has none."""


class Absent(NamedTuple):
    """There is no daemon that this client may use."""

    why: str
    """Empty where none runs: that is nothing to be told of."""


def connect(
    door: str, roots: Sequence[str] = (), place: Place | None = None
) -> socket.socket | Absent:
    """Connect to a door of the user's daemon; the stream is the door's then, and blocks.

    A daemon of another version, or with other settings in its environment, is left alone.
    """
    place = place or default_place()
    record = place.read()
    connection = _connected(record, door, roots)
    # Another daemon may have begun in between, with another secret.
    if isinstance(connection, Absent) and (now := place.read()) != record:
        connection = _connected(now, door, roots)
    return connection


def ask(
    door: str, asked: Mapping[str, object], root: str, seconds: float
) -> dict[str, Any] | Absent:
    """Ask a door that answers one line with one line; a daemon that breaks off is as good as none.

    `seconds` is how long the answer may take.
    """
    connection = connect(door, [root])
    if isinstance(connection, Absent):
        return connection
    connection.settimeout(seconds)
    try:
        with connection, connection.makefile("rb") as lines:
            connection.sendall(encoded(asked))
            return decoded(lines.readline())
    except (OSError, TalkError) as error:
        return Absent(f"The daemon broke off: {_sentence(error)}")


def _sentence(error: Exception) -> str:
    return f"{str(error).rstrip('.')}."


def _connected(record: Record | None, door: str, roots: Sequence[str]) -> socket.socket | Absent:
    if record is None:
        return Absent("")
    connection = _opened(record)
    if connection is None:
        return Absent("")
    try:
        refused = _greet(connection, record, door, roots)
    except TimeoutError:
        refused = "The daemon does not answer in time."
    except (OSError, TalkError) as error:
        refused = f"The daemon does not answer as it should: {_sentence(error)}"
    if refused:
        connection.close()
        return Absent(refused)
    connection.settimeout(None)
    return connection


def _opened(record: Record) -> socket.socket | None:
    host, _, port = record.address.rpartition(":")
    is_port = host == "127.0.0.1" and port.isdecimal()
    if not is_port and sys.platform == "win32":
        return None
    family = socket.AF_INET if is_port else socket.AF_UNIX
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.settimeout(SECONDS)
    try:
        connection.connect((host, int(port)) if is_port else record.address)
    except (OSError, OverflowError):
        connection.close()
        return None
    return connection


def _greet(connection: socket.socket, record: Record, door: str, roots: Sequence[str]) -> str:
    """Do the client's side of the greeting; return why the daemon refuses, empty if it does not."""
    if sys.platform != "win32" and peer_uid(connection) not in (None, os.getuid()):
        raise TalkError("It belongs to another user.")
    ours = secrets.token_hex(32)
    connection.sendall(encoded({"nonce": ours}))
    answer = decoded(_line(connection))
    theirs = str(answer.get("nonce"))
    check(answer, proof(record.secret, "daemon", ours, theirs))
    hello = Hello(
        door,
        coai_version(),
        surroundings(record.secret),
        tuple(os.path.realpath(each) for each in roots),
        os.getcwd(),  # noqa: PTH109 - pathlib is not needed here
    )
    told = {"proof": proof(record.secret, "client", ours, theirs), **hello.as_json()}
    connection.settimeout(OPENING_SECONDS)
    connection.sendall(encoded(told))
    last = decoded(_line(connection))
    return "" if last.get("ok") is True else str(last.get("reason") or "It refuses.")


def _line(connection: socket.socket) -> bytes:
    """Read one line, and nothing of what comes behind it: that is the door's."""
    line = bytearray()
    while not line.endswith(b"\n") and len(line) < MOST_LINE_BYTES:
        # The daemon sends nothing more before it is answered, but for the last line.
        chunk = connection.recv(1)
        if not chunk:
            raise TalkError("It ended the connection.")
        line += chunk
    return bytes(line)
