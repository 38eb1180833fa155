"""`coai acp`: the options, and what is said where the extra is not installed."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING, Final

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
    options = parser.parse_args(arguments)
    try:
        from coai_server.acp.app import serve  # noqa: PLC0415 (needs the extra)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "acp":
            raise
        sys.stderr.write(MISSING)
        return 2
    try:
        asyncio.run(serve(models_wanted=not options.no_model))
    except KeyboardInterrupt:
        return 130
    return 0
