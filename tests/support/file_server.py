"""A real HTTP server for files, with the faults that real ones have."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import ssl
    from collections.abc import Generator

PIECE = 1 << 16
"""Bytes that are sent at a time."""


@dataclass
class Served:
    """A file, and how the server treats whoever asks for it."""

    content: bytes
    statuses: list[int] = field(default_factory=list[int])
    """Answered before anything else, one per request."""
    cuts: list[int] = field(default_factory=list[int])
    """The connection is cut after so many bytes of the body, one entry per request."""
    ranges: bool = True
    length: bool = True
    """Whether the length is told beforehand; if not, the end of the connection ends the body."""
    etag: str | None = None
    """The content's hash where none is given."""
    content_range: str | None = None
    """Said in place of the right one."""
    corrupt: list[bool] = field(default_factory=list[bool])
    """Whether the first byte sent is wrong, one entry per request."""
    password: str | None = None
    """For the user `user`."""
    hold_at: int | None = None
    """Stop at this place in the file until `release` is set."""
    release: threading.Event = field(default_factory=threading.Event)
    redirect: str | None = None


@dataclass(frozen=True)
class Request:
    """What one client asked for, and what it got."""

    path: str
    range: str | None
    if_range: str | None
    status: int


class FileServer:
    """The files by path, and the requests for them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.files: dict[str, Served] = {}
        self.requests: list[Request] = []

    def serve(self, path: str, content: bytes) -> Served:
        """Serve a file at a path that begins with a slash."""
        served = self.files[path] = Served(content)
        return served

    def asked(self, path: str) -> list[Request]:
        """Return the requests for one file."""
        return [request for request in self.requests if request.path == path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def _files(self) -> FileServer:
        return cast("_Server", self.server).files

    def do_GET(self) -> None:
        served = self._files.files.get(self.path)
        if served is None:
            self._refuse(404)
        elif served.password is not None and not self._knows(served.password):
            self._refuse(401)
        elif served.statuses:
            self._refuse(served.statuses.pop(0))
        elif served.redirect is not None:
            self._refuse(302, Location=served.redirect)
        else:
            self._send(served)

    def _send(self, served: Served) -> None:
        etag = served.etag or f'"{hashlib.sha256(served.content).hexdigest()}"'
        begin = self._begin(served, etag)
        total = len(served.content)
        if begin is None:
            begin, status, headers = 0, 200, {}
        elif begin >= total:
            self._refuse(416, **{"Content-Range": f"bytes */{total}"})
            return
        else:
            status = 206
            headers = {"Content-Range": f"bytes {begin}-{total - 1}/{total}"}
        if served.content_range is not None and status == 206:
            headers["Content-Range"] = served.content_range
        headers["ETag"] = etag
        if served.length:
            headers["Content-Length"] = str(total - begin)
        else:
            headers["Connection"] = "close"
        if self.path.endswith("/"):
            headers["Content-Type"] = "text/html"
        self._answer(status, headers)
        self._body(served, begin)

    def _body(self, served: Served, begin: int) -> None:
        content = served.content[begin:]
        if served.corrupt and served.corrupt.pop(0):
            content = bytes([content[0] ^ 0xFF]) + content[1:]
        cut = served.cuts.pop(0) if served.cuts else None
        hold = None if served.hold_at is None else max(0, served.hold_at - begin)
        stops = sorted({len(content), *(s for s in (cut, hold) if s is not None)})
        sent = 0
        try:
            for stop in stops:
                while sent < min(stop, len(content)):
                    piece = content[sent : min(sent + PIECE, stop)]
                    self.wfile.write(piece)
                    sent += len(piece)
                if sent == cut:
                    break
                if sent == hold:
                    served.release.wait(60)
        except OSError:
            pass  # the client went away, as some tests have it do
        if cut is not None or not served.length:
            self.close_connection = True

    def _begin(self, served: Served, etag: str) -> int | None:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked is None or not served.ranges:
            return None
        if self.headers.get("If-Range", etag) != etag:
            return None
        return int(asked[1])

    def _knows(self, password: str) -> bool:
        secret = base64.b64encode(f"user:{password}".encode()).decode()
        return self.headers.get("Authorization") == f"Basic {secret}"

    def _refuse(self, status: int, **headers: str) -> None:
        if status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="files"'
        self._answer(status, {**headers, "Content-Length": "0"})

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        request = Request(
            self.path, self.headers.get("Range"), self.headers.get("If-Range"), status
        )
        self._files.requests.append(request)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing: the requests are kept."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    files: FileServer

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that are killed are part of the tests."""


@contextmanager
def file_server(tls: ssl.SSLContext | None = None) -> Generator[FileServer]:
    """Run a server on a free loopback port."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        port = cast("tuple[str, int]", server.server_address)[1]
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        server.files = FileServer(f"{'http' if tls is None else 'https'}://127.0.0.1:{port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.files
        finally:
            for served in server.files.files.values():
                served.release.set()
            server.shutdown()
            thread.join()
