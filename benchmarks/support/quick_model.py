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
from typing import TYPE_CHECKING, Final, cast
from urllib.request import urlopen

if TYPE_CHECKING:
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


def _reply(content_type: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


_STREAMED: Final = _reply("text/event-stream", _STREAM)
_AT_ONCE: Final = _reply("application/json", _WHOLE)
_LENGTH: Final = b"content-length:"


class _Connection(asyncio.Protocol):
    """Answers with as little processor time as Python allows: it shares the cores with clients."""

    asked = 0
    delay = 0.0

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        while (end := received.find(b"\r\n\r\n") + 4) > 3:
            head = received[:end].lower()
            at = head.find(_LENGTH)
            whole = end
            if at >= 0:
                whole += int(head[at + len(_LENGTH) : head.find(b"\r", at)])
            if len(received) < whole:
                break
            self._answer(head, received[end:whole])
            received = received[whole:]
        self._received = received

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"get /count "):
            count = str(_Connection.asked).encode()
            self._transport.write(_reply("application/json", count))
            return
        _Connection.asked += 1
        streamed = b'"stream": true' in body or b'"stream":true' in body
        reply = _STREAMED if streamed else _AT_ONCE
        if not self.delay:
            self._transport.write(reply)
            return
        asyncio.get_running_loop().call_later(self.delay, self._transport.write, reply)


async def _serve(delay: float) -> None:
    _Connection.delay = delay
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, backlog=2048)
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
