"""`coai serve`: the language server, as editors start it.

The options are argparse's, which costs a fiftieth of typer. This is their only definition: the
overview of commands in `app.py` hands everything after `serve` on to here.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_routing.errors import CoaiError
from coai_server.daemon.logs import LEVELS, configure
from coai_server.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

SWITCH_SECONDS: Final = 0.0005
"""For so long a background thread may keep the interpreter from a keystroke's answer; Python's
default is ten times as long."""

SUMMARY: Final = "Start the language server. Editors do this; it speaks LSP on stdin and stdout."

EXAMPLES: Final = """\
examples:
  coai serve                                     what an editor runs
  coai serve --set completion.max_tokens=64      with a setting changed
  coai serve --tcp 127.0.0.1:0 --log-level debug for one client that connects and has the token
  coai serve --socket ~/.coai.sock               for one client of this user
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="coai serve",
        description=SUMMARY,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    transport = parser.add_mutually_exclusive_group()
    transport.add_argument(
        "--stdio", action="store_true", help="speak on standard input and output (the default)"
    )
    transport.add_argument(
        "--tcp",
        metavar="HOST:PORT",
        help="serve the first client that connects to this loopback address and gives the token "
        '({"token": "..."} in its initializationOptions); port 0 is any free one, and the one '
        "taken is written to standard error, with the token",
    )
    transport.add_argument(
        "--socket",
        metavar="PATH",
        type=Path,
        help="serve the first client of this user that connects to a Unix socket at this path",
    )
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        type=Path,
        help="write the token of --tcp to this file, which only this user can read, and not to "
        "standard error",
    )
    parser.add_argument(
        "--log-level", choices=LEVELS, help="the least severity that is logged (default: info)"
    )
    parser.add_argument(
        "--log-file", metavar="FILE", type=Path, help="log to this file, not to standard error"
    )
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        type=_assignment,
        help="change a setting, such as completion.max_tokens=64; goes before all other places",
    )
    return parser


def _assignment(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise argparse.ArgumentTypeError(f"expected KEY=VALUE, got {text!r}")
    return key.strip(), value


def main(arguments: Sequence[str]) -> int:
    """Serve one client; return the process's exit code."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.token_file is not None and chosen.tcp is None:
        parser.error("--token-file goes with --tcp")
    overrides: dict[str, str] = dict(chosen.set)
    log_file: Path | None = chosen.log_file and chosen.log_file.expanduser().absolute()
    if chosen.log_level is not None:
        overrides["log.level"] = chosen.log_level
    if log_file is not None:
        overrides["log.file"] = str(log_file)
    try:
        # The settings may say otherwise; they are read when the client was answered.
        configure(chosen.log_level or "info", log_file)
        return _serve(overrides, chosen)
    except CoaiError as error:
        sys.stderr.write(printable(f"coai serve: {error}\n"))
        return 1
    except KeyboardInterrupt:
        return 130


def _serve(overrides: dict[str, str], chosen: argparse.Namespace) -> int:
    sys.setswitchinterval(SWITCH_SECONDS)
    # Imported here, so that `--help` and wrong usage are answered without asyncio.
    from coai_server.lsp.app import application  # noqa: PLC0415

    served = application(overrides)
    if chosen.tcp is not None:
        from coai_server.lsp.listening import run_tcp  # noqa: PLC0415

        return run_tcp(served, chosen.tcp, token_file=chosen.token_file)
    if chosen.socket is not None:
        from coai_server.lsp.listening import run_socket  # noqa: PLC0415

        return run_socket(served, chosen.socket.expanduser().absolute())
    from coai_server.lsp.transport import run_stdio  # noqa: PLC0415

    return run_stdio(served)
