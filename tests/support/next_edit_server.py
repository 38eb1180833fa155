"""A model server with a model that predicts edits, whose answers a test says.

It speaks what llama.cpp's server and Ollama document of finding a model and of streaming a raw
prompt's continuation; the model itself is fetched by nobody who runs tests.
"""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


@dataclass
class EditServer:
    """What it has, what it answers, and what it was asked."""

    model: str
    ollama: bool
    answer: Callable[[str], str]
    finish: str = "stop"
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def edits(self) -> list[dict[str, Any]]:
        """The requests that were no measurement of speed: they name a file of the tests'."""
        return [body for body in self.asked if "app" in body["prompt"]]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    edits: ClassVar[EditServer]

    def do_GET(self) -> None:
        model = self.edits.model
        if self.edits.ollama:
            listed = {"name": model, "model": model, "size": 1, "digest": "1",
                      "details": {"family": "qwen2"}, "capabilities": ["completion", "insert"],
                      "context_length": 8192}  # fmt: skip
            known: dict[str, Any] = {
                "/api/version": {"version": "0.40.12"},
                "/api/tags": {"models": [listed]},
                "/api/ps": {"models": [listed]},
            }
        else:
            known = {
                "/health": {"status": "ok"},
                "/props": {"default_generation_settings": {"n_ctx": 8192}, "build_info": "b1"},
                "/v1/models": {"data": [{"id": model, "object": "model", "owned_by": "llamacpp"}]},
            }
        self._say(200 if self.path in known else 404, known.get(self.path, {"error": "unknown"}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/show":
            about = {"details": {"family": "llama"}, "model_info": {}, "template": ""}
            self._say(200, {**about, "capabilities": ["completion", "insert"]})
            return
        if self.path not in {"/completion", "/api/generate"}:
            self._say(404, {"error": "unknown"})
            return
        self.edits.asked.append(body)
        text = self.edits.answer(body["prompt"]) if body.get("prompt") else ""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        with suppress(ConnectionError):
            for at in range(0, len(text), 7):
                self._event(text[at : at + 7])
            self._event("", end=True)
        self.close_connection = True

    def _event(self, text: str, *, end: bool = False) -> None:
        finish = self.edits.finish
        if self.edits.ollama:
            event: dict[str, Any] = {"model": self.edits.model, "response": text, "done": end}
            event |= (
                {"done_reason": finish, "prompt_eval_count": 100, "eval_count": 9} if end else {}
            )
            self.wfile.write(json.dumps(event).encode() + b"\n")
            return
        event = {"content": text, "stop": end}
        stop = "limit" if finish == "length" else "word"
        event |= {"stop_type": stop, "tokens_evaluated": 100, "tokens_predicted": 9} if end else {}
        self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")

    def _say(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        """Name the server as llama.cpp does."""
        return "llama.cpp"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@contextmanager
def edit_server(
    model: str, answer: Callable[[str], str], *, ollama: bool = False
) -> Generator[EditServer]:
    """Run a server of one kind or the other on a loopback port of its own."""
    edits = EditServer(model, ollama, answer)
    handler = type("Handler", (_Handler,), {"edits": edits})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        edits.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield edits
        finally:
            server.shutdown()
            thread.join()
