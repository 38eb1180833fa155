"""`coai acp`: the options, and what is said where the extra is not installed."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Final

from coai_server.shared.client import Absent, connect
from coai_server.shared.forwarding import forward
from coai_server.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

SUMMARY: Final = "Be the agent of an editor over the Agent Client Protocol, on stdin and stdout."

MISSING: Final = (
    "`coai acp` needs the package `agent-client-protocol`. Install it: pip install 'coai[acp]'\n"
)


def main(arguments: Sequence[str]) -> int:
    """Serve one editor until standard input ends; return the exit code."""
    parser = argparse.ArgumentParser(prog="coai acp", description=SUMMARY, allow_abbrev=False)
    parser.add_argument(
        "--no-model", action="store_true", help="ask no model: say what the code itself says"
    )
    parser.add_argument(
        "--alone",
        action="store_true",
        help="do not use the daemon (`coai daemon start`), even where one runs",
    )
    options = parser.parse_args(arguments)
    if not (options.alone or options.no_model):
        connection = connect("acp", [os.getcwd()])  # noqa: PTH109 - pathlib does the same
        if not isinstance(connection, Absent):
            with connection:
                return forward(connection)
        if connection.why:
            sys.stderr.write(printable(f"coai acp works without the daemon: {connection.why}\n"))
    return _alone(models_wanted=not options.no_model)


def _alone(*, models_wanted: bool) -> int:
    """Serve in this process, which takes a second or two to begin."""
    import asyncio  # noqa: PLC0415 (a forwarder needs none of it)

    try:
        from coai_server.acp.app import serve  # noqa: PLC0415 (needs the extra)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "acp":
            raise
        sys.stderr.write(MISSING)
        return 2
    try:
        asyncio.run(serve(models_wanted=models_wanted))
    except KeyboardInterrupt:
        return 130
    return 0
