"""A model server whose answers and times are known: it speaks llama.cpp's API and computes nothing.

What is left of a completion's time when its time here is taken away is the daemon's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from benchmarks.support import wire

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncGenerator

MODEL: Final = "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"
"""A name by which the daemon knows how to ask; there is no model behind it."""

CONTEXT_TOKENS: Final = 4096

_PATHS: Final = frozenset({"/completion", "/infill"})
_ANSWER_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Script:
    """What the model says to whoever asks for tokens."""

    pieces: tuple[str, ...]
    """Its tokens, one event each."""
    seconds_apart: float = 0.0
    """The time that each takes."""
    ends: bool = True
    """Whether it ever comes to the end."""


@dataclass(slots=True)
class Call:
    """One request, as it is seen from here. Times are of `time.perf_counter`."""

    wanted: dict[str, Any]
    received: float
    """When the last byte of the request was here."""
    written: float | None = None
    """When the last byte of the answer was about to be written."""
    closed: float | None = None
    """When the client closed the connection before that."""
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the script's pieces, or the silence after them, have been written."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def reads_ahead(self) -> bool:
        """Whether only the prompt is to be read and nothing written."""
        return self.wanted.get("n_predict") == 0


class ScriptedUpstream:
    """Answers and takes notes. `scripted_upstream` starts one."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.calls: list[Call] = []
        self.url = ""
        self._called = asyncio.Condition()

    def asked_since(self, moment: float) -> list[Call]:
        """Return the calls for tokens that came after a moment."""
        return [call for call in self.calls if call.received >= moment and not call.reads_ahead]

    async def next_call(self, moment: float) -> Call:
        """Wait for a call for tokens that comes, or came, after a moment; raises TimeoutError."""
        async with asyncio.timeout(_ANSWER_SECONDS), self._called:
            await self._called.wait_for(lambda: self.asked_since(moment))
        return self.asked_since(moment)[0]

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while (request := await wire.read_request(reader)) is not None:
                received = time.perf_counter()
                if request.method == "POST" and request.path in _PATHS:
                    call = Call(request.fields(), received)
                    async with self._called:
                        self.calls.append(call)
                        self._called.notify_all()
                    if not await self._answer(call, reader, writer):
                        return
                else:
                    writer.write(_about(request.path))
                    await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    async def _answer(self, call: Call, reader: StreamReader, writer: StreamWriter) -> bool:
        """Stream the script; tells whether the connection is still there."""
        closing = asyncio.create_task(wire.closed_by_client(reader))
        saying = asyncio.create_task(self._say(call, writer))
        try:
            await asyncio.wait((closing, saying), return_when=asyncio.FIRST_COMPLETED)
            # Writing to a client that is gone fails, which may be known before its end is read.
            if closing.done() or saying.exception() is not None:
                call.closed = time.perf_counter()
                call.ended.set()
                return False
        finally:
            for task in (closing, saying):
                task.cancel()
            await asyncio.wait((closing, saying))
        last = wire.chunk(wire.event(_last_event(len(self.script.pieces)))) + wire.LAST_CHUNK
        call.written = time.perf_counter()
        call.ended.set()
        writer.write(last)
        await writer.drain()
        return True

    async def _say(self, call: Call, writer: StreamWriter) -> None:
        writer.write(wire.stream_head())
        if not call.reads_ahead:
            for piece in self.script.pieces:
                if self.script.seconds_apart:
                    await asyncio.sleep(self.script.seconds_apart)
                writer.write(wire.chunk(wire.event({"content": piece, "stop": False})))
                await writer.drain()
        call.begun.set()
        if not (self.script.ends or call.reads_ahead):
            await asyncio.Event().wait()


def _last_event(count: int) -> dict[str, Any]:
    return {
        "content": "",
        "stop": True,
        "stop_type": "eos",
        "model": MODEL,
        "id_slot": 0,
        "tokens_evaluated": 400,
        "tokens_predicted": count,
        "timings": {
            "cache_n": 399,
            "prompt_n": 1,
            "prompt_ms": 1.0,
            "predicted_n": count,
            "predicted_ms": 1.0,
        },
    }


def _about(path: str) -> bytes:
    """Answer what a client asks to know a llama.cpp server."""
    meta = {"n_ctx": CONTEXT_TOKENS, "n_ctx_train": 32768, "size": 400_000_000}
    known: dict[str, object] = {
        "/health": {"status": "ok"},
        "/props": {
            "default_generation_settings": {"n_ctx": CONTEXT_TOKENS},
            "total_slots": 1,
            "model_path": MODEL,
            "model_alias": MODEL,
            "build_info": "scripted",
        },
        "/v1/models": {"object": "list", "data": [{"id": MODEL, "object": "model", "meta": meta}]},
        "/slots": [{"id": 0, "n_ctx": CONTEXT_TOKENS, "is_processing": False}],
    }
    if path not in known:
        return wire.json_reply({"error": {"code": 404, "message": "not found"}}, status=404)
    return wire.json_reply(known[path])


@asynccontextmanager
async def scripted_upstream(script: Script) -> AsyncGenerator[ScriptedUpstream]:
    """Listen on a free loopback port of this process."""
    upstream = ScriptedUpstream(script)
    connections: set[asyncio.Task[None]] = set()

    def connected(reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.create_task(upstream.serve(reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=wire.HEAD_LIMIT)
    upstream.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield upstream
    finally:
        server.close()
        for task in connections:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*connections, return_exceptions=True)
