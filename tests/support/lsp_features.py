"""The features of the small server that tests talk to: see `lsp_app.py`."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, NoReturn

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from coai_routing.errors import CoaiError
from coai_server.lsp.protocol import CoaiLanguageServer

if TYPE_CHECKING:
    from coai_server.lsp.decoding import Params
    from coai_server.lsp.session import Session


def build(session: Session, *, stuck_hook: bool = False) -> CoaiLanguageServer:
    """Build the server with all of its features."""
    server = CoaiLanguageServer(session)
    _answer(server)
    _fail(server)
    _take_time(server)
    _look_at_documents(server)
    _talk_to_the_client(server)
    _misbehave(server)

    async def close() -> None:
        sys.stderr.write("service closed\n")
        sys.stderr.flush()

    async def never_close() -> None:
        await asyncio.Event().wait()

    session.on_stop(close)
    if stuck_hook:
        session.on_stop(never_close, seconds=0.2)
    return server


def _answer(server: CoaiLanguageServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
    def complete(params: types.InlineCompletionParams) -> types.InlineCompletionList:
        source = server.documents.snapshot(params.text_document.uri)
        text = "" if source is None else source.line_text(params.position.line)
        return types.InlineCompletionList([types.InlineCompletionItem(insert_text=text)])

    @server.feature("test/echo")
    def echo(params: object) -> object:
        return params

    @server.feature("test/name")
    async def name(ls: CoaiLanguageServer, params: object) -> str:
        return f"{ls.name} {params}"

    @server.command("test.add")
    def add(one: int, other: int) -> int:
        return one + other


def _fail(server: CoaiLanguageServer) -> None:
    failures: dict[str, Exception] = {
        "coai": CoaiError("The engine is out.", remedy="Start it."),
        "json-rpc": JsonRpcException("Edited meanwhile", code=-32801, data={"version": 3}),
        "undecodable": JsonRpcException("Broken", code=-32801, data=object()),
        "defect": RuntimeError("a secret of the handler's"),
    }
    outcomes: dict[str, object] = {"nan": float("nan"), "object": object(), "null": None}

    @server.feature("test/fail")
    async def fail(params: Params) -> NoReturn:
        await asyncio.sleep(0)
        raise failures[params]

    @server.feature("test/failSilently")
    def fail_silently(params: Params) -> NoReturn:
        raise failures[params]

    @server.feature("test/outcome")
    def outcome(params: Params) -> object:
        return outcomes[params]


def _take_time(server: CoaiLanguageServer) -> None:
    events: list[str] = []

    async def sleep(seconds: float) -> str:
        events.append("started")
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            events.append("cancelled")
            raise
        events.append("finished")
        return "slept"

    @server.feature("test/events")
    def take_events(params: Params) -> list[str]:
        taken = events[:]
        events.clear()
        return taken

    @server.feature("test/slow")
    async def slow(params: Params) -> str:
        return await sleep(params["seconds"])

    @server.command("test.slow")
    async def slow_command(seconds: float) -> str:
        return await sleep(seconds)

    @server.feature("test/deaf")
    async def deaf(params: Params) -> str:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                events.append("would not be cancelled")

    @server.thread()
    @server.feature("test/thread")
    def in_thread(params: Params) -> str:
        time.sleep(params["seconds"])
        return "slept"


def _look_at_documents(server: CoaiLanguageServer) -> None:
    documents = server.documents

    @server.feature("test/text")
    def text(params: Params) -> dict[str, Any] | None:
        source = documents.snapshot(params["uri"])
        if source is None:
            return None
        return {
            "uri": source.uri,
            "version": source.version,
            "text": source.text,
            "outOfStep": documents.is_out_of_step(params["uri"]),
        }

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    async def saved(params: types.DidSaveTextDocumentParams) -> None:
        source = documents.snapshot(params.text_document.uri)
        assert source is not None
        server.protocol.notify("test/saved", {"version": source.version})

    @server.feature("test/versions")
    async def versions(params: Params) -> list[int | None]:
        before = documents.snapshot(params["uri"])
        await asyncio.sleep(params["seconds"])
        after = documents.snapshot(params["uri"])
        return [before and before.version, after and after.version]

    @server.feature("test/pyglsDocuments")
    def pygls_documents(params: Params) -> int:
        return len(server.workspace.text_documents)

    @server.feature("test/folders")
    def folders(params: Params) -> list[str]:
        return [folder.uri for folder in documents.folders]


def _talk_to_the_client(server: CoaiLanguageServer) -> None:
    @server.feature("test/progress")
    async def progress(params: Params) -> list[int]:
        bars = server.work_done_progress
        await bars.create_async("token")
        bars.begin("token", types.WorkDoneProgressBegin(title="Indexing"))
        held = len(bars.tokens)
        bars.end("token", types.WorkDoneProgressEnd())
        return [held, len(bars.tokens)]

    @server.feature("test/ask")
    async def ask(params: Params) -> object:
        wanted = types.ConfigurationParams([types.ConfigurationItem(section="coai")])
        return await server.workspace_configuration_async(wanted)

    @server.feature("test/askForUnknown")
    async def ask_for_unknown(params: Params) -> Params:
        return await server.protocol.send_request_async("test/unknown", {"class": 1})


def _misbehave(server: CoaiLanguageServer) -> None:
    @server.feature("test/print")
    def print_everywhere(params: Params) -> str:
        sys.stdout.write("from Python\n")
        os.write(1, b"Content-Length: 2\r\n\r\n{}")
        subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
        return sys.stdin.read()

    @server.feature("test/flood")
    def flood(params: Params) -> None:
        for number in range(params["messages"]):
            message = {"jsonrpc": "2.0", "method": "test/drop", "params": "x" * params["size"]}
            server.session.send({**message, "number": number})

    @server.feature("test/block")
    def block(params: Params) -> None:
        time.sleep(60)
