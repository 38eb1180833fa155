"""A small language server on our transport and protocol, run as a process of its own by tests.

`python lsp_app.py [--tcp ADDRESS] [OPTION...]`. Options: `broken-build` (building it fails),
`stuck-hook` (one service never closes), `hurried` (the last resort comes soon).
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from coai_server.lsp import transport
from coai_server.lsp.listening import run_tcp
from coai_server.lsp.session import Application
from coai_server.lsp.transport import TransportError, run_stdio

if TYPE_CHECKING:
    from coai_server.lsp.protocol import CoaiLanguageServer
    from coai_server.lsp.session import Session

HEAVY_MODULES = ("attrs", "cattrs", "httpx", "lsprotocol", "psutil", "pydantic", "pygls", "typer")


def _build(session: Session) -> CoaiLanguageServer:
    early = [name for name in HEAVY_MODULES if name in sys.modules]
    logging.getLogger("test").info("imported before the answer: %s", early)
    if "broken-build" in sys.argv:
        raise RuntimeError("no engine")
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from tests.support.lsp_features import build  # noqa: PLC0415 (it imports pygls)

    return build(session, stuck_hook="stuck-hook" in sys.argv)


APPLICATION = Application(
    name="test app",
    version="1.2.3",
    build=_build,
    commands=("test.add", "test.slow"),
    capabilities=lambda _: {"experimental": {"coai": True}},
)


def main() -> int:
    """Serve one client; return the exit code."""
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    if "hurried" in sys.argv:
        transport.LAST_RESORT_SECONDS = 2.0
    try:
        if "--tcp" in sys.argv:
            return run_tcp(APPLICATION, sys.argv[sys.argv.index("--tcp") + 1])
        return run_stdio(APPLICATION)
    except TransportError as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
