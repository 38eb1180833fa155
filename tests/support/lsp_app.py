"""A small language server on our transport and protocol, run as a process of its own by tests.

`python lsp_app.py [--tcp ADDRESS] [OPTION...]`; an OPTION makes it misbehave, see `_OPTIONS`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, NoReturn

from coai_routing.errors import CoaiError
from coai_server.session import Application
from coai_server.transport import TransportError, run_stdio, run_tcp

if TYPE_CHECKING:
    from coai_server.protocol import CoaiLanguageServer
    from coai_server.session import Session

_OPTIONS = {
    "broken-build": "building the server fails",
    "stuck-hook": "a service never closes",
    "stuck-loop": "test/block is there, which blocks the event loop",
}

HEAVY_MODULES = ("pygls", "lsprotocol", "attrs", "cattrs", "pydantic", "httpx", "typer", "psutil")


def build(session: Session) -> CoaiLanguageServer:
    """Build the server, once `initialize` was answered."""
    if "broken-build" in sys.argv:
        raise RuntimeError("no engine")
    from lsprotocol import types
    from pygls.exceptions import JsonRpcException

    from coai_server.protocol import CoaiLanguageServer

    server = CoaiLanguageServer(session)
    events: list[str] = []

    @server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
    def complete(params: types.InlineCompletionParams) -> types.InlineCompletionList:
        source = server.documents.snapshot(params.text_document.uri)
        text = "nothing" if source is None else source.text
        return types.InlineCompletionList([types.InlineCompletionItem(insert_text=text)])

    @server.feature("test/echo")
    def echo(params: Any) -> Any:
        return params

    @server.feature("test/events")
    def take_events(params: Any) -> list[str]:
        taken = events[:]
        events.clear()
        return taken

    @server.feature("test/slow")
    async def slow(params: Any) -> str:
        events.append("started")
        try:
            await asyncio.sleep(params["seconds"])
        except asyncio.CancelledError:
            events.append("cancelled")
            raise
        events.append("finished")
        return "slept"

    @server.command("test.slow")
    async def slow_command(seconds: float) -> str:
        return await slow({"seconds": seconds})

    @server.command("test.add")
    def add(one: int, other: int) -> int:
        return one + other

    @server.feature("test/fail")
    def fail(params: Any) -> NoReturn:
        if params == "coai":
            raise CoaiError("The engine is out.", remedy="Start it.")
        if params == "json-rpc":
            raise JsonRpcException("Edited meanwhile", code=-32801, data={"version": 3})
        if params == "bad data":
            raise JsonRpcException("Broken", code=-32801, data=object())
        raise RuntimeError("a secret of the handler")

    @server.feature("test/unencodable")
    def unencodable(params: Any) -> object:
        return float("nan") if params == "nan" else object()

    @server.feature("test/print")
    def print_everywhere(params: Any) -> str:
        print("from Python")
        os.write(1, b"Content-Length: 2\r\n\r\n{}")
        subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
        return sys.stdin.read()

    @server.feature("test/text")
    def text(params: Any) -> dict[str, Any] | None:
        source = server.documents.snapshot(params["uri"])
        if source is None:
            return None
        return {
            "uri": source.uri,
            "version": source.version,
            "text": source.text,
            "outOfStep": server.documents.is_out_of_step(params["uri"]),
        }

    @server.feature("test/version")
    async def version(params: Any) -> list[int | None]:
        first = server.documents.snapshot(params["uri"])
        await asyncio.sleep(params["seconds"])
        second = server.documents.snapshot(params["uri"])
        return [first and first.version, second and second.version]

    @server.feature("test/folders")
    def folders(params: Any) -> list[str]:
        return [folder.uri for folder in server.documents.folders]

    @server.feature("test/progress")
    async def progress(params: Any) -> int:
        work = server.work_done_progress
        await work.create_async("token")
        work.begin("token", types.WorkDoneProgressBegin(title="Indexing"))
        work.end("token", types.WorkDoneProgressEnd())
        return len(work.tokens)

    @server.feature("test/ask")
    async def ask(params: Any) -> Any:
        item = types.ConfigurationItem(section="coai")
        return await server.workspace_configuration_async(types.ConfigurationParams([item]))

    @server.feature("test/flood")
    def flood(params: Any) -> int:
        for number in range(params["messages"]):
            session.send({"jsonrpc": "2.0", "method": "test/drop", "params": str(number) * 10_000})
        return os.getpid()

    @server.feature("test/block")
    def block(params: Any) -> None:
        time.sleep(60)

    async def close() -> None:
        sys.stderr.write("service closed\n")
        sys.stderr.flush()

    async def never_close() -> None:
        await asyncio.Event().wait()

    session.on_stop(close)
    if "stuck-hook" in sys.argv:
        session.on_stop(never_close, seconds=0.2)
    return server


def heavy_modules() -> list[str]:
    """Return which of the modules that are slow to import have been imported."""
    return [name for name in HEAVY_MODULES if name in sys.modules]


def main() -> int:
    """Serve one client; return the exit code."""
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    early = heavy_modules()

    def build_later(session: Session) -> CoaiLanguageServer:
        logging.getLogger("test").info("imported before the answer: %s", early + heavy_modules())
        return build(session)

    application = Application(
        name="test app",
        version="1.2.3",
        build=build_later,
        commands=("test.slow", "test.add"),
        capabilities={"experimental": {"coai": True}},
    )
    try:
        if "--tcp" in sys.argv:
            return run_tcp(application, sys.argv[sys.argv.index("--tcp") + 1])
        return run_stdio(application)
    except TransportError as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
