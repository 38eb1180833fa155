"""Where the daemon of a user is, and what has to be the same on both sides of its socket.

Nothing is imported here that a client of a few milliseconds does not need.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROTOCOL: Final = 1
"""Of the lines of `talk`; a daemon that speaks another one is not used."""

_SAME: Final = re.compile(
    r"COAI_.*|HOME|USERPROFILE|APPDATA|LOCALAPPDATA|XDG_(CACHE|CONFIG|DATA|STATE)_HOME",
    re.IGNORECASE,
)
"""Variables that settings and places are read from."""

_AMONG: Final = re.compile(
    r".*_API_KEY|.*_PROXY|(ANTHROPIC|HF|OLLAMA|OPENAI|PIP|SSL_CERT)_.*|OSV_SCANNER_.*",
    re.IGNORECASE,
)
"""Variables that keys and ways are read from; many clients start servers without them."""

_INSTALLED: Final = re.compile(r"coai-(.+)\.dist-info", re.IGNORECASE)

_MOST_PATH_BYTES: Final = 100
"""Of a socket's path: `sun_path` has 104 bytes on macOS and 108 on Linux (unix(7))."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a daemon writes down for its clients; never trusted without proof."""

    version: str
    pid: int
    address: str
    """The path of a Unix socket, or `127.0.0.1:PORT` where there are none."""
    secret: str
    protocol: int = PROTOCOL


@dataclass(frozen=True, slots=True)
class Place:
    """The daemon's files, all in one folder that is its user's alone."""

    folder: Path

    @property
    def record(self) -> Path:
        """Where the daemon that runs can be reached."""
        return self.folder / "daemon.json"

    @property
    def lock(self) -> Path:
        """Held by the daemon as long as it lives; the kernel releases it however it ends."""
        return self.folder / "daemon.lock"

    @property
    def log(self) -> Path:
        """What the daemon says."""
        return self.folder / "daemon.log"

    @property
    def socket(self) -> Path | None:
        """The path of its socket; None where that would be too long for one."""
        path = self.folder / "daemon.sock"
        return path if len(os.fsencode(path)) <= _MOST_PATH_BYTES else None

    def read(self) -> Record | None:
        """Return what the daemon has written down; None if that makes no sense."""
        try:
            known = json.loads(self.record.read_bytes())
            record = Record(
                str(known["version"]),
                int(known["pid"]),
                str(known["address"]),
                str(known["secret"]),
                int(known["protocol"]),
            )
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return record if record.protocol == PROTOCOL else None

    def write(self, record: Record) -> None:
        """Write down how the daemon is reached. Raises OSError."""
        from coai_routing.own_files import write_own_file  # noqa: PLC0415 - not in a client

        write_own_file(self.record, json.dumps(asdict(record)))


def default_place() -> Place:
    """Return where the daemon of this user is."""
    import platformdirs  # noqa: PLC0415 - not for `--help`

    return Place(Path(platformdirs.user_state_path("coai", appauthor=False)) / "daemon")


def coai_version() -> str:
    """Return the version of COAI that is installed here, and where: both have to be the same.

    It is read off the name of a folder, as `importlib.metadata` does, which takes as long to import
    as all the rest of a client.
    """
    for folder in sys.path:
        with contextlib.suppress(OSError):
            for name in os.listdir(folder):  # noqa: PTH208 - names are all that is needed
                if found := _INSTALLED.fullmatch(name):
                    return f"{found[1]} in {sys.prefix}"
    return f"unknown in {sys.prefix}"


def surroundings(secret: str, environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return digests of the variables that decide what is asked, where, and with which keys.

    The first is of those that have to be the same on both sides, the others are of one each.
    """
    known = sorted(environ.items())
    same = [each for each in known if _SAME.fullmatch(each[0])]
    return (
        _digest(secret, same),
        *(_digest(secret, each) for each in known if _AMONG.fullmatch(each[0])),
    )


def counting(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables that `surroundings` is about; the daemon has to have them all."""
    return {
        name: text
        for name, text in environ.items()
        if _SAME.fullmatch(name) or _AMONG.fullmatch(name)
    }


def is_served(client: Sequence[str], daemon: Sequence[str]) -> bool:
    """Say whether nothing was set for a client that the daemon does not know of.

    A user who has set `COAI_PRIVACY__MODE`, or another key, for one client alone must not be
    answered by a process without it.
    """
    return bool(client) and client[0] == daemon[0] and set(client[1:]) <= set(daemon[1:])


def _digest(secret: str, told: object) -> str:
    return hmac.new(secret.encode(), repr(told).encode(), hashlib.sha256).hexdigest()
