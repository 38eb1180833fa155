"""A model server in a process of its own that says `ok` after a given time, and counts.

    python -m benchmarks.support.quick_model --delay-ms 50

It prints its address. It speaks as much of OpenAI's chat API as clients ask for here, streamed or
whole, and `GET /count` says how many chats it was asked for. It ends with its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from contextlib import contextmanager
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING, Any, Final
from urllib.request import urlopen

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Generator

_USAGE: Final = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}


def _chunk(**choice: object) -> bytes:
    event = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "quick",
             "choices": [{"index": 0, **choice}], "usage": _USAGE}  # fmt: skip
    return b"data: " + json.dumps(event).encode() + b"\n\n"


_STREAM: Final = (
    _chunk(delta={"role": "assistant", "content": "ok"}, finish_reason=None)
    + _chunk(delta={}, finish_reason="stop")
    + b"data: [DONE]\n\n"
)
_WHOLE: Final = json.dumps(
    {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "quick",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "ok"},
                "finish_reason": "stop",
            }
        ],
        "usage": _USAGE,
    }
).encode()


class _Server:
    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._asked = 0

    async def accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = 0
                for line in head.split("\r\n"):
                    name, _, value = line.partition(":")
                    if name.lower() == "content-length":
                        length = int(value)
                body: Any = json.loads(await reader.readexactly(length)) if length else {}
                writer.write(await self._answer(head.split(" ")[1], body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()  # cancelled, the server ends; asyncio would report it

    async def _answer(self, path: str, body: Any) -> bytes:  # noqa: ANN401 - whatever JSON has
        if path == "/count":
            return _reply("application/json", str(self._asked).encode())
        self._asked += 1
        await asyncio.sleep(self._delay)
        if body.get("stream"):
            return _reply("text/event-stream", _STREAM)
        return _reply("application/json", _WHOLE)


def _reply(content_type: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _serve(delay: float) -> None:
    server = await asyncio.start_server(_Server(delay).accept, "127.0.0.1", 0, backlog=2048)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    server.close()


@contextmanager
def quick_model(delay_ms: float = 0.0) -> Generator[str]:
    """Run a server; yield its address."""
    command = [sys.executable, "-m", "benchmarks.support.quick_model", "--delay-ms", str(delay_ms)]
    process = Popen(command, stdin=PIPE, stdout=PIPE, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()


def asked(url: str) -> int:
    """Return how many chats a server was asked for."""
    with urlopen(f"{url}/count", timeout=10) as reply:
        return int(reply.read())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay-ms", type=float, default=0.0)
    asyncio.run(_serve(parser.parse_args().delay_ms / 1000))
