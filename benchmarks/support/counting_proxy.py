"""Stands between a client and a llama.cpp server, changes nothing, and counts.

Each request gets one field more, `return_progress`, by which llama.cpp tells how far it has come
with the prompt; the events that say so are taken out of the answer again. So it is known for each
request, also for one whose client went away, how many prompt tokens it cost. What llama.cpp still
evaluates after that, to the end of its batch, only the server's own counter knows.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import httpx

from benchmarks.support import wire

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncGenerator

_SECONDS: Final = 300.0
_STREAMED: Final = frozenset({"/completion", "/infill"})


@dataclass(slots=True)
class Call:
    """One request for tokens."""

    at: float
    """When it was here, of `time.perf_counter`."""
    prompt: str
    """All that the model was given to read before the cursor, its control tokens included."""
    suffix: str
    reads_ahead: bool
    """Whether nothing was to be written."""
    total: int = 0
    """Tokens of its prompt; 0 while nothing of it was evaluated."""
    cached: int = 0
    """Of those, what came from the server's cache."""
    processed: int = 0
    """How far the server had come with the prompt when it was last heard of."""
    ended: bool = False
    """Whether the answer came to its end; else the client went away before."""

    @property
    def evaluated(self) -> int:
        """Return the prompt tokens that are known to have been evaluated for this."""
        return max(0, self.processed - self.cached)


class CountingProxy:
    """Passes requests on and takes notes. `counting_proxy` starts one."""

    def __init__(self, upstream: httpx.AsyncClient) -> None:
        self._upstream = upstream
        self.calls: list[Call] = []
        self.url = ""

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Pass the requests of one connection on."""
        try:
            while (request := await wire.read_request(reader)) is not None:
                if request.method == "POST" and request.path in _STREAMED:
                    if not await self._pass_stream_on(request, reader, writer):
                        return
                else:
                    writer.write(await self._fetched(request))
                    await writer.drain()
        except (ConnectionError, httpx.HTTPError):
            return  # either side went away; the other is told by the closed connection
        finally:
            writer.close()

    async def _fetched(self, request: wire.HttpRequest) -> bytes:
        answer = await self._upstream.request(request.method, request.path, content=request.body)
        return wire.whole_reply(
            answer.content,
            status=answer.status_code,
            content_type=answer.headers.get("content-type", wire.JSON_TYPE),
        )

    async def _pass_stream_on(
        self, request: wire.HttpRequest, reader: StreamReader, writer: StreamWriter
    ) -> bool:
        """Pass a stream on; tells whether the client is still there."""
        wanted = request.fields()
        call = Call(
            time.perf_counter(),
            prompt=str(wanted.get("prompt", "") or wanted.get("input_prefix", "")),
            suffix=str(wanted.get("input_suffix", "")),
            reads_ahead=wanted.get("n_predict") == 0,
        )
        self.calls.append(call)
        closing = asyncio.create_task(wire.closed_by_client(reader))
        passing = asyncio.create_task(self._pass_events_on(request.path, wanted, call, writer))
        try:
            await asyncio.wait((closing, passing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (closing, passing):
                task.cancel()
            await asyncio.wait((closing, passing))
        if passing.cancelled():
            return False
        writer.write(await passing)
        await writer.drain()
        return True

    async def _pass_events_on(
        self, path: str, wanted: dict[str, Any], call: Call, writer: StreamWriter
    ) -> bytes:
        """Pass on all but the last bytes of an answer, and return those."""
        body = {**wanted, "return_progress": True}
        async with self._upstream.stream("POST", path, json=body) as answer:
            if not answer.headers.get("content-type", "").startswith(wire.EVENTS_TYPE):
                return wire.whole_reply(await answer.aread(), status=answer.status_code)
            writer.write(wire.stream_head(answer.status_code))
            held = b""
            pending = b""
            async for piece in answer.aiter_raw():
                pending += piece
                *events, pending = pending.split(b"\n\n")
                kept = b"".join(event + b"\n\n" for event in events if _note(event, call))
                if held:
                    writer.write(wire.chunk(held))
                    await writer.drain()
                # Of the last events the last byte goes out only when nobody listens for the end.
                held = b"" if not call.ended else kept
                if kept and not held:
                    writer.write(wire.chunk(kept))
                    await writer.drain()
        tail = held + pending
        return (wire.chunk(tail) if tail else b"") + wire.LAST_CHUNK


def _note(event: bytes, call: Call) -> bool:
    """Take note of an event; tells whether the client should see it."""
    if not event.startswith(b"data: {"):
        return True
    fields = cast("dict[str, Any]", json.loads(event.removeprefix(b"data: ")))
    progress = fields.get("prompt_progress")
    if progress is not None:
        call.total, call.cached = progress["total"], progress["cache"]
        call.processed = progress["processed"]
        return False
    if fields.get("stop") is True:
        timings = fields.get("timings", {})
        call.cached = timings.get("cache_n", 0)
        call.total = call.processed = call.cached + timings.get("prompt_n", 0)
        call.ended = True
    return True


@asynccontextmanager
async def counting_proxy(url: str) -> AsyncGenerator[CountingProxy]:
    """Listen on a free loopback port of this process, in front of a server."""
    connections: set[asyncio.Task[None]] = set()
    async with httpx.AsyncClient(base_url=url, timeout=_SECONDS, trust_env=False) as upstream:
        proxy = CountingProxy(upstream)

        def connected(reader: StreamReader, writer: StreamWriter) -> None:
            task = asyncio.create_task(proxy.serve(reader, writer))
            connections.add(task)
            task.add_done_callback(connections.discard)

        server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=wire.HEAD_LIMIT)
        proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield proxy
        finally:
            server.close()
            for task in connections:
                task.cancel()
            await asyncio.gather(*connections, return_exceptions=True)
