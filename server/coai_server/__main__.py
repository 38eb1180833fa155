"""The command `coai`.

An editor waits for `coai serve`, so that command goes its own short way: it imports neither typer
nor rich, which together cost more than everything else it needs. `coai audit` over files that have
not changed takes less time than all the other commands take to import, so it goes without them.

`python -m coai_server` has the working directory on its path, which is often a workspace, so
nothing but built-in modules may be imported before that is taken off, not even `__future__`. What
Python imports to find this module comes before that, so in a workspace that is not trusted, start
`coai`, or `python -P -m coai_server`.
"""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]


def main() -> int:
    """Run the command that the process's arguments name; return the exit code."""
    from coai_routing.own_files import keep_private  # noqa: PLC0415 (as below)
    from coai_routing.processes import harden  # noqa: PLC0415 (after the path is what it should be)

    harden()
    keep_private()
    arguments = sys.argv[1:]
    if arguments[:1] == ["serve"]:
        from coai_server import serve  # noqa: PLC0415 (each way imports only what it needs)

        return serve.main(arguments[1:])
    if arguments[:1] == ["acp"]:
        from coai_server.acp import start as acp  # noqa: PLC0415 (as above)

        return acp.main(arguments[1:])
    if arguments[:1] == ["mcp"]:
        from coai_server.mcp import start as mcp  # noqa: PLC0415 (as above)

        return mcp.main(arguments[1:])
    if arguments[:1] == ["daemon"]:
        from coai_server.shared import start as shared  # noqa: PLC0415 (as above)

        return shared.main(arguments[1:])
    if arguments[:1] == ["http"]:
        from coai_server import joined  # noqa: PLC0415 (as above)

        return joined.main(arguments[1:])
    if arguments[:1] == ["audit"]:
        from coai_server.cli.audit import alone  # noqa: PLC0415 (as above)

        return alone.audit(arguments[1:])
    from coai_server import joined, serve  # noqa: PLC0415 (as above)
    from coai_server.acp import start as acp  # noqa: PLC0415 (as above)
    from coai_server.cli import app  # noqa: PLC0415 (as above)
    from coai_server.http import start as http  # noqa: PLC0415 (as above)
    from coai_server.mcp import start as mcp  # noqa: PLC0415 (as above)
    from coai_server.shared import start as shared  # noqa: PLC0415 (as above)

    app.add_server("serve", serve.SUMMARY, serve.main)
    app.add_server("daemon", shared.SUMMARY, shared.main)
    app.add_server("mcp", mcp.SUMMARY, mcp.main)
    app.add_server("acp", acp.SUMMARY, acp.main)
    app.add_server("http", http.SUMMARY, joined.main)
    return app.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
