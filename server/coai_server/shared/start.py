"""`coai daemon`: the one process of a user's that other commands use where it runs."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from coai_routing.errors import CoaiError
from coai_server.options import number
from coai_server.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from filelock import BaseFileLock

    from coai_server.shared.host import Host
    from coai_server.shared.place import Place

SUMMARY: Final = "Serve this user's other commands with models and runs that stay."

EXAMPLES: Final = """\
examples:
  coai daemon                     serve in the foreground, as a service manager wants it
  coai daemon start --idle 30     serve in the background, until nobody came for 30 minutes
  coai daemon status --json       who serves, whom, and for how long
  coai daemon stop                end it; runs that are under way are paused
"""

DOORS: Final = {
    "acp": "coai_server.acp.door",
    "answer": "coai_server.daemon.answering",
    "complete": "coai_server.daemon.completing",
    "mcp": "coai_server.mcp.door",
}
"""The doors in a daemon, and the modules that open them."""

EXIT_NONE: Final = 3
"""No daemon runs; as service managers' `status` has it."""

START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 30.0
ORPHANS_SECONDS: Final = 15.0
"""How often it is looked for runs whose processes are gone."""

_POLL_SECONDS: Final = 0.05


class DaemonError(CoaiError):
    """A daemon does not start, or does not end."""


_MINUTES: Final = number(float, lambda each: 0 <= each < float("inf"), "minutes, 0 or more")


def main(arguments: Sequence[str]) -> int:
    """Do what is asked for; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="coai daemon",
        description=SUMMARY,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "action",
        nargs="?",
        choices=("run", "start", "stop", "status"),
        default="run",
        help="run in the foreground (the default), or start, stop or show one in the background",
    )
    parser.add_argument(
        "--idle",
        metavar="MINUTES",
        type=_MINUTES,
        default=0.0,
        help="end after so many minutes without a client and without a run; 0 is never",
    )
    parser.add_argument("--json", action="store_true", help="write JSON, for scripts")
    chosen = parser.parse_args(arguments)
    from coai_server.shared.place import default_place  # noqa: PLC0415 (not for `--help`)

    place = default_place()
    try:
        match chosen.action:
            case "start":
                return _start(place, chosen.idle, as_json=chosen.json)
            case "stop":
                return _stop(place, as_json=chosen.json)
            case "status":
                return _status(place, as_json=chosen.json)
            case _:
                return _run(place, chosen.idle * 60.0)
    except CoaiError as error:
        if chosen.json:
            _say({"ok": False, "error": error.message, "remedy": error.remedy})
        else:
            sys.stderr.write(printable(f"coai daemon: {error}\n"))
        return 1
    except KeyboardInterrupt:
        return 130


def _say(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")


# -------------------------------------------------------------------------- the daemon


def _run(place: Place, idle_seconds: float) -> int:
    from coai_routing.own_files import own_folder  # noqa: PLC0415 (not for `--help`)
    from coai_server.daemon.logs import configure  # noqa: PLC0415 (as above)

    try:
        if place.folder.is_symlink():
            raise DaemonError(f"{place.folder} is a link.", remedy="Remove it.")
        own_folder(place.folder)
        lock = _lock(place)
        if lock is None:
            raise DaemonError(
                "A daemon of yours runs already.", remedy="`coai daemon status` shows it."
            )
        with lock:
            configure("info")
            asyncio.run(_served(place, idle_seconds))
    except OSError as error:
        raise _unusable(place, error) from error
    return 0


def _unusable(place: Place, error: OSError) -> DaemonError:
    return DaemonError(
        f"{place.folder} cannot be used: {error.strerror or error}.",
        remedy="See that it is yours, and that its disk has room.",
    )


def _lock(place: Place) -> BaseFileLock | None:
    """Take the lock that says that a daemon lives; None where another one has it."""
    from filelock import FileLock, Timeout  # noqa: PLC0415 (as above)

    from coai_routing.own_files import FILE_MODE, own_file  # noqa: PLC0415 (as above)

    own_file(place.lock)
    lock = FileLock(place.lock, mode=FILE_MODE, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    return lock


async def _served(place: Place, idle_seconds: float) -> None:
    from coai_routing.background import Background  # noqa: PLC0415 (as above)
    from coai_server.shared.connection import common  # noqa: PLC0415 (as above)
    from coai_server.shared.host import Host  # noqa: PLC0415 (as above)

    background = Background()
    async with common() as shared:
        host = Host(place, DOORS, shared, idle_seconds=idle_seconds)

        async def look() -> None:
            await shared.runs.take_up()

        def started(_: Host) -> None:
            for door in DOORS:
                host.warm(door)
            background.repeat(look, every=ORPHANS_SECONDS, name="take up runs")

        loop = asyncio.get_running_loop()

        def end(_number: int, _frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(host.stop)

        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
            if (number := getattr(signal, name, None)) is not None:
                signal.signal(number, end)
        try:
            await host.run(started)
        finally:
            await background.aclose()


# ------------------------------------------------------------------------- its clients


def _asked(place: Place, door: str) -> dict[str, Any] | None:
    """Ask the daemon about itself; None where none answers."""
    from coai_server.shared.client import Absent, connect  # noqa: PLC0415 (as above)

    connection = connect(door, place=place)
    if isinstance(connection, Absent):
        if connection.why:
            known = place.read()
            process = "" if known is None else f" It is process {known.pid}."
            raise DaemonError(connection.why, remedy=f"Its log is {place.log}.{process}")
        return None
    with connection, connection.makefile("rb") as lines:
        try:
            return json.loads(lines.readline())
        except (OSError, ValueError) as error:
            raise DaemonError(f"The daemon does not answer: {error}") from error


def _lives(place: Place) -> bool:
    if not place.lock.exists():
        return False
    lock = _lock(place)
    if lock is None:
        return True
    lock.release()
    return False


def _start(place: Place, minutes: float, *, as_json: bool) -> int:
    from coai_routing.own_files import own_folder  # noqa: PLC0415 (as above)
    from coai_routing.processes import python_command, start_detached  # noqa: PLC0415 (as above)
    from coai_server.shared.place import counting  # noqa: PLC0415 (as above)

    known = _asked(place, "ping")
    if known is None:
        try:
            own_folder(place.folder)
            # Each daemon's log is its own; the one before is kept.
            if place.log.exists():
                place.log.replace(place.log.with_suffix(".previous.log"))
            log = os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise _unusable(place, error) from error
        try:
            child = start_detached(
                python_command("coai_server", "daemon", "run", "--idle", str(minutes)),
                directory=place.folder,
                log=log,
                # With vendors' keys, which other children do not get: this one asks by them.
                defaults=counting(),
            )
        finally:
            os.close(log)
        deadline = time.monotonic() + START_SECONDS
        while (known := _asked(place, "ping")) is None:
            if child.poll() is not None and not _lives(place):
                said = place.log.read_text("utf-8", "replace")[-2000:]
                raise DaemonError(f"The daemon ended at once.\n{said}")
            if time.monotonic() > deadline:
                raise DaemonError("The daemon does not come up.", remedy=f"See {place.log}.")
            time.sleep(_POLL_SECONDS)
    _show(known, as_json=as_json)
    return 0


def _stop(place: Place, *, as_json: bool) -> int:
    known = _asked(place, "stop")
    deadline = time.monotonic() + STOP_SECONDS
    while _lives(place):
        if time.monotonic() > deadline:
            raise DaemonError("The daemon does not end.", remedy=f"See {place.log}.")
        time.sleep(_POLL_SECONDS)
    if as_json:
        _say({"ok": True, "stopped": known is not None})
    else:
        sys.stdout.write("The daemon has ended.\n" if known else "No daemon runs.\n")
    return 0


def _status(place: Place, *, as_json: bool) -> int:
    known = _asked(place, "ping")
    if known is not None:
        _show(known, as_json=as_json)
        return 0
    if as_json:
        _say({"ok": False, "running": False})
    else:
        sys.stdout.write("No daemon runs. `coai daemon start` starts one.\n")
    return EXIT_NONE


def _show(known: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        _say({"ok": True, "running": True, **known})
        return
    with contextlib.suppress(KeyError):
        clients = ", ".join(f"{count} {door}" for door, count in known["clients"].items())
        sys.stdout.write(
            f"The daemon runs: process {known['pid']}, coai {known['version']}, for "
            f"{known['seconds']} s; clients: {clients or 'none'}; runs: {known['runs']}.\n"
        )
