"""A vendor's API as its reference describes it: strict where the vendor is, in its own forms.

Each differs in where it fills in, what it refuses, how it lists models and counts what was cached.
"""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Generator

KEY: Final = "sk-of-the-tests-0123456789abcdef"

_OPENAI: Final = frozenset({
    "model", "messages", "prompt", "suffix", "stream", "temperature", "stop", "max_tokens",
    "response_format", "stream_options", "logprobs", "top_logprobs",
})  # fmt: skip


@dataclass(frozen=True)
class Form:
    """How one vendor's API differs."""

    root: str
    """The path of its address."""
    fim: str = ""
    """The path that takes a prompt and a suffix; empty where none does."""
    fim_says_deltas: bool = False
    """Whether completions come in the form of chats."""
    takes: frozenset[str] = _OPENAI
    refuses: bool = False
    """Whether it refuses what it does not take, and does not only pass it over."""
    list_prefix: str = ""
    cached: str = "prompt_tokens_details"
    key_header: str = "authorization"


FORMS: Final = {
    "openai": Form("/v1", takes=_OPENAI - {"max_tokens"} | {"max_completion_tokens"}, refuses=True),
    "gemini": Form(
        "/v1beta/openai",
        takes=_OPENAI - {"logprobs", "top_logprobs"},
        refuses=True,
        list_prefix="models/",
    ),
    "mistral": Form(
        "/v1",
        fim="/v1/fim/completions",
        fim_says_deltas=True,
        takes=_OPENAI - {"stream_options", "logprobs", "top_logprobs"},
        refuses=True,
    ),
    "deepseek": Form("/v1", fim="/beta/completions", cached="prompt_cache_hit_tokens"),
    "openrouter": Form("/api/v1"),
    "azure": Form(
        "/openai/v1",
        takes=_OPENAI - {"max_tokens"} | {"max_completion_tokens"},
        refuses=True,
        key_header="api-key",
    ),
}


@dataclass
class VendorServer:
    """What it offers, and what it was sent."""

    form: Form
    models: list[str]
    url: str = ""
    answer: str = "a + b"
    requests: list[tuple[str, dict[str, Any]]] = field(
        default_factory=list[tuple[str, dict[str, Any]]]
    )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    vendor: ClassVar[VendorServer]

    def do_GET(self) -> None:
        form = self.vendor.form
        if self._refused() or self._missing({f"{form.root}/models"}):
            return
        listed = [{"id": form.list_prefix + name, "object": "model"} for name in self.vendor.models]
        self._say(200, {"object": "list", "data": listed})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        form = self.vendor.form
        if self._refused() or self._missing({f"{form.root}/chat/completions", form.fim}):
            return
        self.vendor.requests.append((self.path, body))
        if body["model"] not in self.vendor.models:
            self._say(404, {"error": {"message": f"The model `{body['model']}` does not exist",
                                      "code": "model_not_found"}})  # fmt: skip
            return
        if form.refuses and (unknown := sorted(body.keys() - form.takes)):
            said = f"Unsupported parameter: '{unknown[0]}' is not supported"
            if unknown[0] == "max_tokens":
                said += ". Use 'max_completion_tokens' instead."
            self._say(400, {"error": {"message": said, "param": unknown[0]}})
            return
        fills_in = self.path == form.fim
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        with suppress(ConnectionError):
            for event in self._events(body, fills_in=fills_in):
                self.wfile.write(b"data: " + event + b"\n\n")
        self.close_connection = True

    def _events(self, body: dict[str, Any], *, fills_in: bool) -> Generator[bytes]:
        as_text = fills_in and not self.vendor.form.fim_says_deltas
        for text, finish in ((self.vendor.answer, None), ("", "stop")):
            said = {"text": text} if as_text else {"delta": {"content": text}}
            choice = {"index": 0, "finish_reason": finish, **said}
            yield json.dumps({"id": "x", "model": body["model"], "choices": [choice]}).encode()
        usage: dict[str, Any] = {"prompt_tokens": 100, "completion_tokens": 5}
        if self.vendor.form.cached == "prompt_tokens_details":
            usage["prompt_tokens_details"] = {"cached_tokens": 40}
        else:
            usage[self.vendor.form.cached] = 40
        yield json.dumps({"model": body["model"], "choices": [], "usage": usage}).encode()
        yield b"[DONE]"

    def _refused(self) -> bool:
        given = self.headers.get(self.vendor.form.key_header, "").removeprefix("Bearer ")
        if given == KEY:
            return False
        self._say(401, {"error": {"message": "Incorrect API key provided."}})
        return True

    def _missing(self, known: set[str]) -> bool:
        if self.path in known:
            return False
        self._say(404, {"error": {"message": f"There is no {self.path}."}})
        return True

    def _say(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@contextmanager
def vendor_server(name: str, *models: str, elsewhere: bool = False) -> Generator[VendorServer]:
    """Run a vendor's API; `elsewhere` if its address is not to count as this machine."""
    vendor = VendorServer(FORMS[name], list(models))
    handler = type("Handler", (_Handler,), {"vendor": vendor})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        host = "0.0.0.0" if elsewhere else "127.0.0.1"
        vendor.url = f"http://{host}:{server.server_port}{vendor.form.root}"
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield vendor
        finally:
            server.shutdown()
            thread.join()
