"""The official conformance suite of the Model Context Protocol against `coai http`, both eras.

Most of its scenarios call tools, prompts and resources of a server that the suite describes; COAI
has its own, so only what holds for every server is asked of it. A scenario that this file does not
name fails the test, so that a newer suite is looked at before it counts.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import shutil
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlsplit

import pytest

from tests.integrations.environments import KEPT, LOCKS
from tests.server.http.support import running

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.server.http.support import Door

SUITE: Final = "node_modules/@modelcontextprotocol/conformance/dist/index.js"

_RESULT: Final = re.compile(r"server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z")
"""The folder of a scenario's results: its name, and when it ended."""

KEPT_BY_ALL: Final = {
    "tools-list",
    "tools-call-simple-text",
    "tools-call-error",
    "resources-list",
    "prompts-list",
    "dns-rebinding-protection",
    "server-sse-multiple-streams",
}
KEPT_PROMISES: Final = {
    "2025-11-25": KEPT_BY_ALL | {"server-initialize", "server-session-lifecycle", "ping"},
    "2026-07-28": KEPT_BY_ALL
    | {
        "caching",
        "http-header-validation",
        "input-required-result-ignore-extra-params",
        "input-required-result-missing-input-response",
        "input-required-result-unsupported-methods",
        "input-required-result-validate-input",
        "sep-2164-resource-not-found",
        "server-stateless",
        "tasks-capability-negotiation",
        "tasks-dispatch-and-envelope",
        "tasks-status-notifications",
    },
}
"""By revision, the scenarios of which every check that COAI can be asked has to pass."""

NOT_ASKED: Final = {
    # These need a tool of the suite's own server.
    "sep-2575-server-rejects-undeclared-capability",
    "sep-2575-missing-capability-http-400",
    "tasks-per-request-meta-opt-in",
    "tasks-server-directed-creation-no-hint",
    "sep-2663-durable-create-strong-consistency",
}
"""Checks of those scenarios that need what only the suite's own server has."""

ANOTHER_SERVER: Final = (
    "elicitation-",
    "http-custom-header-",
    "input-required-result-",
    "json-schema-2020-12",
    "prompts-get-",
    "resources-read-",
    "resources-templates-read",
    "server-sse-polling",
    "tasks-",
    "tools-call-",
)
"""How scenarios begin that use tools, prompts and resources of the suite's own server."""

NOT_OFFERED: Final = {
    # COAI declares none of these capabilities; logging is deprecated since 2026-07-28.
    "completion-complete",
    "logging-set-level",
    "resources-subscribe",
    "resources-unsubscribe",
}


@pytest.fixture(scope="module")
def suite() -> Path:
    """Return the folder where the suite is installed as its lock says, with the Node it needs."""
    npm = shutil.which("npm")
    if npm is None:
        if os.environ.get("CI") == "true":
            raise FileNotFoundError("npm is not there, and installs the conformance suite")
        pytest.skip("npm is not there, and installs the conformance suite")
    lock = LOCKS / "conformance"
    digest = hashlib.sha256((lock / "package-lock.json").read_bytes()).hexdigest()
    folder = KEPT / "conformance"
    made = folder / "lock.sha256"
    if not made.is_file() or made.read_text() != digest:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(lock, folder)
        command = [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=folder, check=True)
        made.write_text(digest)
    return folder


class _WithToken(BaseHTTPRequestHandler):
    """Passes requests on, with the token that the suite has no option for."""

    door: ClassVar[str]
    token: ClassVar[str]

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        address = urlsplit(self.door)
        there = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
        try:
            there.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("authorization", "connection"):
                    there.putheader(name, value)
            there.putheader("Authorization", f"Bearer {self.token}")
            there.endheaders(body)
            answer = there.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                    self.send_header(name, value)
            self.end_headers()
            while chunk := answer.read1():
                self.wfile.write(chunk)
        except (OSError, http.client.HTTPException):
            pass  # a stream that either side has ended
        finally:
            there.close()

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def do_DELETE(self) -> None:
        self._pass_on()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@contextmanager
def open_to_the_suite(door: Door) -> Generator[str]:
    """Give an address of the door that needs no token."""
    handler = type("Handler", (_WithToken,), {"door": door.url, "token": door.token()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://localhost:{server.server_port}/mcp"
        finally:
            server.shutdown()


def checks_of(suite: Path, url: str, revision: str, results: Path) -> dict[str, dict[str, str]]:
    """Return by scenario what became of each of its checks."""
    subprocess.run(
        [suite / "node_modules/.bin/node", suite / SUITE, "server", "--url", url,
         "--requirements", revision, "--output-dir", results],
        capture_output=True,
        timeout=600,
        check=False,
    )  # fmt: skip
    found: dict[str, dict[str, str]] = {}
    for file in sorted(results.glob("server-*/checks.json")):
        named = _RESULT.fullmatch(file.parent.name)
        assert named is not None, file
        checks: list[dict[str, Any]] = json.loads(file.read_text("utf-8"))
        found[named[1]] = {each["id"]: f"{each['status']}" for each in checks}
    return found


@pytest.mark.parametrize("revision", KEPT_PROMISES)
def test_what_holds_for_every_server_holds(suite: Path, revision: str, tmp_path: Path) -> None:
    results = tmp_path / "results"
    with (
        running(tmp_path, None, "--rate", "100000") as door,
        open_to_the_suite(door) as url,
    ):
        found = checks_of(suite, url, revision, results)
    kept = KEPT_PROMISES[revision]
    assert kept <= found.keys(), "scenarios that were not tried"
    broken = {
        f"{scenario}: {check}"
        for scenario in kept
        for check, status in found[scenario].items()
        if status == "FAILURE" and check not in NOT_ASKED
    }
    assert broken == set()
    passed = [each for scenario in kept for each in found[scenario].values() if each == "SUCCESS"]
    assert len(passed) > len(kept)
    unknown = {
        each for each in found.keys() - kept - NOT_OFFERED if not each.startswith(ANOTHER_SERVER)
    }
    assert unknown == set(), "scenarios of which this file says nothing"
