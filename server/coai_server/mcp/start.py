"""`coai mcp`: the options, and what is said where the extra is not installed."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_routing.errors import CoaiError
from coai_server.shared.client import Absent, connect
from coai_server.shared.forwarding import forward
from coai_server.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

SUMMARY: Final = "Offer the agents as tools over the Model Context Protocol, on stdin and stdout."

MISSING: Final = "`coai mcp` needs the package `mcp`. Install it: pip install 'coai[mcp]'\n"


def main(arguments: Sequence[str]) -> int:
    """Serve until standard input ends; return the exit code."""
    parser = argparse.ArgumentParser(prog="coai mcp", description=SUMMARY, allow_abbrev=False)
    parser.add_argument(
        "--root",
        metavar="DIR",
        type=Path,
        action="append",
        help="a folder that may be looked at, the working directory unless given; may come again",
    )
    parser.add_argument(
        "--alone",
        action="store_true",
        help="do not use the daemon (`coai daemon start`), even where one runs",
    )
    options = parser.parse_args(arguments)
    folders = [str(each) for each in options.root or [Path.cwd()]]
    if not options.alone and all(os.path.isdir(each) for each in folders):  # noqa: PTH112 - pathlib does the same
        connection = connect("mcp", folders)
        if not isinstance(connection, Absent):
            with connection:
                return forward(connection)
        if connection.why:
            sys.stderr.write(printable(f"coai mcp works without the daemon: {connection.why}\n"))
    return _alone(folders)


def _alone(folders: list[str]) -> int:
    """Serve in this process, which takes some seconds to begin."""
    import asyncio  # noqa: PLC0415 (a forwarder needs none of it)

    try:
        from coai_server.mcp.app import serve  # noqa: PLC0415 (needs the extra)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "mcp_types"):
            raise
        sys.stderr.write(MISSING)
        return 2
    from coai_agents.application.roots import Roots  # noqa: PLC0415 (as above)

    try:
        asyncio.run(serve(Roots([Path(each) for each in folders])))
    except CoaiError as error:
        sys.stderr.write(printable(f"{error}\n"))
        return 2
    except KeyboardInterrupt:
        return 130
    return 0
