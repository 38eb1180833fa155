"""`coai mcp`: the options, and what is said where the extra is not installed."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_routing.errors import CoaiError

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
    options = parser.parse_args(arguments)
    try:
        from coai_server.mcp.app import serve  # noqa: PLC0415 (needs the extra)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "mcp_types"):
            raise
        sys.stderr.write(MISSING)
        return 2
    from coai_agents.application.roots import Roots  # noqa: PLC0415 (as above)

    try:
        asyncio.run(serve(Roots(options.root or [Path.cwd()])))
    except CoaiError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0
