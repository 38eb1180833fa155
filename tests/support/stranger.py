"""A model server that runs as another user of this machine: a real process with a user id."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import pytest

if TYPE_CHECKING:
    from types import TracebackType

MODEL: Final = "qwen2.5-coder:7b"

needs_root: Final = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0,
    reason="only root can run a process as another user",
)

_TAGS: Final = {"models": [{"name": MODEL, "size": 3, "capabilities": ["completion", "insert"]}]}

_SERVER: Final = f"""
# After the change of user, nothing of this Python may be readable any more.
import encodings.idna, html, http.server, json, os, socket, stringprep, sys

host, port, user = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
replies = {{
    "/api/version": {{"version": "0.40.12"}},
    "/api/tags": {_TAGS!r},
    "/api/ps": {{}},
}}

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply()
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.reply(body)
    def reply(self, body=b""):
        print(self.command, self.path, body.decode(errors="replace"), flush=True)
        said = json.dumps(replies.get(self.path, {{"response": "x", "done": True}})).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(said)
    def log_message(self, *_):
        pass

class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

if user:
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
server = Server((host, port), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@dataclass
class Stranger:
    """A server that says it is Ollama; use it as a context."""

    user: int
    """The user that it runs as; 0 stays who we are."""
    host: str = "127.0.0.1"
    port: int = 0

    def __enter__(self) -> Self:
        """Start it."""
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _SERVER, self.host, str(self.port), str(self.user)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.received: list[str] = []
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it, and take what it received."""
        self._process.kill()
        said, _ = self._process.communicate()
        self.received = said.splitlines()

    @property
    def base_url(self) -> str:
        """Where it answers."""
        host = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"
