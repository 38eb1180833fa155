"""`coai http`: the options, and what is said where the extra is not installed."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from coai_routing.errors import CoaiError
from coai_server.options import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_server.http.beside import Open

SUMMARY: Final = "Serve agents, runs and an OpenAI-compatible proxy over HTTP, on this machine."

MISSING: Final = (
    "`coai http` needs {what}, which is not installed. Install it: pip install 'coai[http]'\n"
)
_EXTRA: Final = ("fastapi", "starlette", "uvicorn", "jinja2", "jwt", "websockets", "h11")


def main(arguments: Sequence[str], *, beside: Open | None = None) -> int:
    """Serve until told to end, or do what a subcommand says; return the exit code.

    `beside` opens another door behind the same gate.
    """
    try:
        if arguments[:1] in (["keys"], ["token"]):
            from coai_server.http.keys_command import main as keys  # noqa: PLC0415 (each way its own)

            return keys(arguments)
        return _serve(parser_of_options().parse_args(arguments), beside)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRA:
            raise
        sys.stderr.write(MISSING.format(what=missing))
        return 2
    except CoaiError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        return 130


_PORT: Final = number(int, lambda port: 0 <= port <= 65_535, "a port from 0 to 65535")  # noqa: PLR2004 - what 16 bits hold
_RATE: Final = number(int, lambda rate: rate >= 1, "1 request a minute or more")
_SECONDS: Final = number(float, lambda each: 0 < each < float("inf"), "seconds above 0")


def parser_of_options() -> argparse.ArgumentParser:
    """Return what reads the options of the server."""
    parser = argparse.ArgumentParser(
        prog="coai http",
        description=SUMMARY,
        allow_abbrev=False,
        epilog="coai http token: show your token. coai http keys create|list|revoke: keys for "
        "others. See docs/http.md.",
    )
    add: Any = parser.add_argument
    add("--port", type=_PORT, default=8321, help="where to listen; 0 for any that is free")
    add(
        "--host",
        default="127.0.0.1",
        help="the address to listen at, this machine's own alone "
        "unless given; another one needs TLS or a proxy",
    )
    add(
        "--root",
        metavar="DIR",
        type=Path,
        action="append",
        help="a folder that may be looked at, the working directory unless given; may come again",
    )
    add(
        "--host-name",
        metavar="NAME",
        action="append",
        default=[],
        help="another name that it is reached by; requests that name others are refused",
    )
    add(
        "--origin",
        metavar="URL",
        action="append",
        default=[],
        help="a site whose pages may ask, such as https://tools.example",
    )
    add("--tls-cert", metavar="FILE", type=Path, help="a certificate in PEM form")
    add("--tls-key", metavar="FILE", type=Path, help="its key")
    add(
        "--behind-proxy",
        metavar="ADDRESS",
        help="the IP address of a proxy that encrypts; nobody else may connect",
    )
    add(
        "--rate",
        metavar="N",
        type=_RATE,
        default=3_000,
        help="requests a minute of one caller, 3000 unless given",
    )
    add(
        "--head-seconds",
        metavar="SECONDS",
        type=_SECONDS,
        default=15.0,
        help="in which a request's head has to have come, 15 unless given",
    )
    add("--print-openapi", action="store_true", help="write the OpenAPI document and end")
    return parser


def _serve(options: argparse.Namespace, beside: Open | None) -> int:
    if options.print_openapi:
        from coai_server.http.app import openapi  # noqa: PLC0415 (needs the extra)

        sys.stdout.write(json.dumps(openapi(), indent=2) + "\n")
        return 0
    from coai_routing.settings.loading import load  # noqa: PLC0415 (not for `--help`)
    from coai_server.http.config import Config, OAuth, checked  # noqa: PLC0415 (as above)
    from coai_server.http.serving import quiet_logs, serve  # noqa: PLC0415 (as above)

    # The user's own settings: no folder that is looked at says whose tokens count.
    wanted = load().own.settings.http
    oauth = None
    if wanted.oauth_issuer is not None:
        oauth = OAuth(wanted.oauth_issuer, wanted.oauth_audience)
    config = checked(
        Config(
            roots=tuple(options.root or [Path.cwd()]),
            host=options.host,
            port=options.port,
            names=tuple(options.host_name),
            origins=tuple(options.origin),
            certificate=options.tls_cert,
            key=options.tls_key,
            proxy=options.behind_proxy,
            head_seconds=options.head_seconds,
            requests_per_minute=options.rate,
            oauth=oauth,
        )
    )
    quiet_logs()
    asyncio.run(serve(config, beside))
    return 0
