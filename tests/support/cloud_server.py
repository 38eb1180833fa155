"""A vendor's API in the test's process, in a thread: it says what it is told to and keeps it all.

Its address is written so that it does not count as this machine.
"""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Generator


HOLD_SECONDS = 20.0
"""How long an answer is held back at most."""


@dataclass
class CloudServer:
    """What it says, and what it was sent."""

    answer: str = "sum(items)"
    url: str = ""
    connections: int = 0
    requests: list[tuple[str, dict[str, str], dict[str, Any]]] = field(
        default_factory=list[tuple[str, dict[str, str], dict[str, Any]]]
    )
    """Path, headers by their names in small letters, and body of each."""
    first: int = 3
    """Characters of the first piece."""
    chances: dict[str, float] = field(default_factory=dict[str, float])
    """What an answer could have begun with, told in OpenAI's form to who asks for that."""
    hold: Event = field(default_factory=Event)
    """Cleared, the first piece of an answer is sent, and the rest when it is set again."""
    left: int = 0
    """Answers that whoever asked did not read to their end."""
    received: bytearray = field(default_factory=bytearray)
    """Every byte of every body."""

    def __post_init__(self) -> None:
        self.hold.set()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cloud: ClassVar[CloudServer]

    def setup(self) -> None:
        self.cloud.connections += 1
        super().setup()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.cloud.received += body
        headers = {name.lower(): value for name, value in self.headers.items()}
        told = json.loads(body)
        self.cloud.requests.append((self.path, headers, told))
        if self.path.endswith("/messages"):
            pieces = [*_anthropic(self.cloud.answer, told["model"], self.cloud.first)]
        else:
            chances = self.cloud.chances if told.get("logprobs") else {}
            pieces = [*_openai(self.cloud.answer, told["model"], self.cloud.first, chances)]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(sum(map(len, pieces))))
        self.end_headers()
        try:
            for piece in pieces:
                self.wfile.write(piece)
                self.cloud.hold.wait(HOLD_SECONDS)
        except ConnectionError:  # who has stopped reads no more
            self.cloud.left += 1

    def do_GET(self) -> None:
        listing = b'{"data": [{"id": "m"}]}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(listing)))
        self.end_headers()
        self.wfile.write(listing)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


def _event(content: dict[str, Any]) -> bytes:
    kind = content.get("type")
    name = b"" if kind is None else f"event: {kind}\n".encode()
    return name + b"data: " + json.dumps(content).encode() + b"\n\n"


def _openai(answer: str, model: str, first: int, chances: dict[str, float]) -> Generator[bytes]:
    likely = [{"token": token, "logprob": math.log(each)} for token, each in chances.items()]
    for text, finish in ((answer[:first], None), (answer[first:], "stop")):
        delta = {"content": text}
        choice: dict[str, Any] = {"index": 0, "delta": delta, "finish_reason": finish}
        if likely and finish is None:
            choice["logprobs"] = {"content": [{"token": text, "top_logprobs": likely}]}
        yield _event({"id": "x", "model": model, "choices": [choice]})
    usage = {"prompt_tokens": 1000, "completion_tokens": 5,
             "prompt_tokens_details": {"cached_tokens": 400}}  # fmt: skip
    yield _event({"id": "x", "model": model, "choices": [], "usage": usage})
    yield b"data: [DONE]\n\n"


def _anthropic(answer: str, model: str, first: int) -> Generator[bytes]:
    usage = {
        "input_tokens": 500,
        "cache_read_input_tokens": 400,
        "cache_creation_input_tokens": 100,
    }
    yield _event({"type": "message_start", "message": {"model": model, "usage": usage}})
    yield _event({"type": "content_block_start", "index": 0})
    for text in (answer[:first], answer[first:]):
        delta = {"type": "text_delta", "text": text}
        yield _event({"type": "content_block_delta", "index": 0, "delta": delta})
    yield _event(
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"},
         "usage": {"output_tokens": 5}}
    )  # fmt: skip
    yield _event({"type": "message_stop"})


@contextmanager
def cloud_server() -> Generator[CloudServer]:
    """Run one."""
    cloud = CloudServer()
    handler = type("Handler", (_Handler,), {"cloud": cloud})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        cloud.url = f"http://0.0.0.0:{server.server_port}"
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield cloud
        finally:
            server.shutdown()
            thread.join()
