"""Signing in with a code, against a server that speaks RFC 8628."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs

import pytest

from coai_routing.credentials.device_flow import GRANT, Code, sign_in
from coai_routing.credentials.keys import CredentialError
from coai_routing.errors import EgressRefusedError
from coai_routing.privacy.egress import Egress
from coai_routing.registry.vendors import DeviceFlow

if TYPE_CHECKING:
    from collections.abc import Generator

TOKEN = "token-of-the-tests-0123456789"
PENDING = {"error": "authorization_pending"}
SLOWER = {"error": "slow_down"}


@dataclass
class Server:
    """What it answers to questions for the token, in order, and what it was asked."""

    answers: list[dict[str, Any]]
    begin: dict[str, Any] = field(default_factory=dict[str, Any])
    url: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(
        default_factory=list[tuple[str, dict[str, str]]]
    )


class _Handler(BaseHTTPRequestHandler):
    server_state: ClassVar[Server]

    def do_POST(self) -> None:
        state = self.server_state
        length = int(self.headers["Content-Length"])
        form = {name: one[0] for name, one in parse_qs(self.rfile.read(length).decode()).items()}
        state.asked.append((self.path, form))
        if self.path == "/authorize":
            said = {
                "device_code": "device", "user_code": "ABCD-EFGH", "expires_in": 60, "interval": 5,
                "verification_uri": "https://vendor.example/activate", **state.begin,
            }  # fmt: skip
        else:
            said = state.answers.pop(0) if state.answers else PENDING
        body = json.dumps(said).encode()
        self.send_response(400 if "error" in said else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@contextmanager
def serving(*answers: dict[str, Any], **begin: Any) -> Generator[Server]:  # noqa: ANN401 - JSON
    state = Server(list(answers), begin)
    handler = type("Handler", (_Handler,), {"server_state": state})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


async def signed_in(state: Server) -> tuple[str | CredentialError, list[Code], list[float]]:
    """Sign in; return what came of it, the codes that were shown, and how long was waited."""
    flow = DeviceFlow(
        client_id="coai", scope="models", authorize_url=f"{state.url}/authorize",
        token_url=f"{state.url}/token",
    )  # fmt: skip
    shown: list[Code] = []
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    try:
        return await sign_in(flow, Egress(allow=True), shown.append, sleep), shown, waited
    except CredentialError as error:
        return error, shown, waited


async def test_a_token_comes_when_the_user_has_allowed_it() -> None:
    with serving(PENDING, SLOWER, PENDING, {"access_token": TOKEN}) as state:
        token, shown, waited = await signed_in(state)
    assert token == TOKEN
    assert shown == [Code("ABCD-EFGH", "https://vendor.example/activate")]
    assert waited == [5, 5, 10, 10]
    (_, begun), *asked = state.asked
    assert begun == {"client_id": "coai", "scope": "models"}
    assert {each["grant_type"] for _, each in asked} == {GRANT}
    assert {each["device_code"] for _, each in asked} == {"device"}


@pytest.mark.parametrize(
    ("answers", "begin", "words"),
    [
        ([{"error": "access_denied", "error_description": TOKEN}], {}, "refused"),
        ([{"error": "expired_token"}], {}, "run out"),
        ([], {"expires_in": 12}, "run out"),
        ([{"error": "invalid_client"}], {}, "no token"),
        ([{"access_token": ""}], {}, "no key"),
        ([{"access_token": "two\nlines"}], {}, "no key"),
        ([], {"user_code": "\x1b[2J"}, "no token"),
        ([], {"device_code": None}, "no token"),
    ],
)
async def test_what_goes_wrong_is_told_without_what_the_server_says(
    answers: list[dict[str, Any]], begin: dict[str, Any], words: str
) -> None:
    with serving(*answers, **begin) as state:
        error, _, waited = await signed_in(state)
    assert isinstance(error, CredentialError)
    assert words in str(error)
    assert TOKEN not in str(error)
    assert len(waited) <= 3


async def test_nothing_is_asked_where_nothing_may_leave_or_it_is_not_secure() -> None:
    flow = DeviceFlow(
        client_id="coai", authorize_url="http://0.0.0.0:1/a", token_url="http://0.0.0.0:1/t"
    )
    with pytest.raises(EgressRefusedError):
        await sign_in(flow, Egress(), print)
    with pytest.raises(CredentialError, match="not secure"):
        await sign_in(flow, Egress(allow=True), print)
