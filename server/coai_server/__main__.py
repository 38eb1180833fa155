"""The command `coai`.

An editor waits for `coai serve`, so that command goes its own short way: it imports neither typer
nor rich, which together cost more than everything else it needs. `coai audit` over files that have
not changed takes less time than all the other commands take to import, so it goes without them.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command that the process's arguments name; return the exit code."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["serve"]:
        from coai_server.cli import serve  # noqa: PLC0415 (each way imports only what it needs)

        return serve.main(arguments[1:])
    if arguments[:1] == ["audit"]:
        from coai_server.cli import alone  # noqa: PLC0415 (as above)

        return alone.audit(arguments[1:])
    from coai_server.cli import app  # noqa: PLC0415 (as above)

    return app.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
