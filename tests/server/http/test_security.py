"""What is refused: other hosts, other sites, tokens in addresses, bodies too large or too slow."""

from __future__ import annotations

import asyncio
import socket
import stat
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from coai_server.http.problems import RefusedError
from coai_server.http.security.gate import Body
from tests.server.http.support import SECRET, Door, error_of, made_door, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

# ------------------------------------------------------------------ roles and routes

ROLES: Final = ("nobody", "viewer", "runner", "admin")
RUN: Final = "000000000000"
HELLO: Final = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
MATRIX: Final[list[tuple[str, str, dict[str, Any] | None, str]]] = [
    # method, path, body, the least role that may
    ("GET", "/v1/me", None, "viewer"),
    ("POST", "/v1/tickets", None, "viewer"),
    ("GET", "/v1/models", None, "viewer"),
    ("GET", "/v1/ensembles", None, "viewer"),
    ("GET", "/v1/stats", None, "viewer"),
    ("POST", "/v1/audit", {}, "viewer"),
    ("POST", "/v1/route/explain", {}, "viewer"),
    ("GET", "/v1/runs", None, "viewer"),
    ("GET", f"/v1/runs/{RUN}", None, "viewer"),
    ("GET", f"/v1/runs/{RUN}/events", None, "viewer"),
    ("GET", f"/v1/runs/{RUN}/artifacts", None, "viewer"),
    ("GET", f"/v1/runs/{RUN}/artifacts/x", None, "viewer"),
    ("GET", "/openapi.json", None, "viewer"),
    ("POST", "/v1/chat/completions", HELLO, "runner"),
    ("POST", "/v1/completions", {"prompt": "x", "max_tokens": 1}, "runner"),
    ("POST", "/v1/explain", {"what": "shop.py:signature", "model": False}, "runner"),
    ("POST", "/v1/review", {"diff": "x", "model": False}, "runner"),
    ("POST", "/v1/document", {"what": "shop.py", "model": False}, "runner"),
    ("POST", "/v1/complete", {"path": "nothing.py", "line": 1, "column": 1}, "runner"),
    ("POST", "/v1/runs", {"ensemble": "none"}, "runner"),
    ("POST", "/v1/batch", {"ensemble": "none", "inputs": [""]}, "runner"),
    ("POST", f"/v1/runs/{RUN}/answers", {"step": "x", "answer": "y"}, "runner"),
    ("POST", f"/v1/runs/{RUN}/cancel", None, "runner"),
    ("POST", f"/v1/runs/{RUN}/pause", None, "runner"),
    ("POST", f"/v1/runs/{RUN}/resume", None, "runner"),
    ("POST", f"/v1/runs/{RUN}/fork", {}, "runner"),
    ("GET", "/v1/privacy", None, "admin"),
    ("GET", "/v1/access", None, "admin"),
]


@pytest.fixture(scope="module")
def clients(door: Door) -> Iterator[dict[str, httpx.Client]]:
    keys = {role: door.key(f"a-{role}", "--role", role) for role in ROLES[1:]}
    with ExitStack() as opened:
        yield {role: opened.enter_context(door.client(keys.get(role, ""))) for role in ROLES}


@pytest.mark.parametrize(("method", "path", "body", "least"), MATRIX)
def test_each_role_may_what_the_table_says_and_nothing_more(
    clients: dict[str, httpx.Client],
    method: str,
    path: str,
    body: dict[str, Any] | None,
    least: str,
) -> None:
    for role, client in clients.items():
        response = client.request(method, path, json=body)
        if role == "nobody":
            assert (response.status_code, error_of(response)["type"]) == (401, "missing_token")
            assert response.headers["www-authenticate"].startswith("Bearer")
        elif ROLES.index(role) < ROLES.index(least):
            assert (response.status_code, error_of(response)["type"]) == (403, "role_too_low")
        else:
            assert response.status_code in (200, 201, 404, 409), response.text


def test_the_table_has_every_operation(own: httpx.Client) -> None:
    document = own.get("/openapi.json").json()
    listed = {(m, p.replace(RUN, "{run}").replace("/x", "/{step}")) for m, p, _, _ in MATRIX}
    for path, operations in document["paths"].items():
        for method in operations:
            if path not in ("/healthz", "/readyz"):
                assert (method.upper(), path) in listed


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_needs_no_token_and_tells_nothing(door: Door, path: str) -> None:
    with door.client("") as stranger:
        assert stranger.get(path).json() == {"state": "ok"}


# ---------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "0.0.0.0", "", "[::2]", "[::2", "localhost@evil"],
)
def test_another_host_is_refused_before_anything_is_looked_at(own: httpx.Client, host: str) -> None:
    for path in ("/v1/models", "/healthz", "/"):
        response = own.get(path, headers={"host": host})
        assert response.status_code in (400, 403), host
        if response.status_code == 403:
            assert error_of(response)["type"] == "wrong_host"


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "LOCALHOST", "localhost."])
def test_the_names_of_this_machine_are_no_other_host(own: httpx.Client, name: str) -> None:
    assert own.get("/v1/models", headers={"host": f"{name}:{own.base_url.port}"}).is_success


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_another_sites_page_is_refused(own: httpx.Client, headers: dict[str, str]) -> None:
    response = own.post("/v1/audit", json={}, headers=headers)
    assert (response.status_code, error_of(response)["type"]) == (403, "cross_site")


def test_a_page_of_its_own_may_ask(own: httpx.Client) -> None:
    origin = str(own.base_url).rstrip("/")
    assert own.post("/v1/audit", json={}, headers={"origin": origin}).is_success


@pytest.mark.parametrize(
    "query", ["token={}", "access_token=x", "api_key=x", "anything={}", "key=", "Authorization=x"]
)
def test_a_token_in_the_address_is_refused_even_with_the_right_header(
    own: httpx.Client, own_token: str, query: str
) -> None:
    response = own.get(f"/v1/models?{query.format(own_token)}")
    assert (response.status_code, error_of(response)["type"]) == (400, "token_in_address")


@pytest.mark.parametrize(
    "shown",
    ["Basic {}", "bearer", "Bearer ", "Bearer {}x", "Bearer coai_", "Token {}", "Bearer a.b.c"],
)
def test_what_is_no_token_is_refused(door: Door, own_token: str, shown: str) -> None:
    with door.client("", authorization=shown.format(own_token).strip()) as stranger:
        assert stranger.get("/v1/models").status_code == 401


def raw(door: Door, head: str, *bodies: bytes) -> bytes:
    """Send bytes as they are; return what comes back until the server closes."""
    host, port = door.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 60) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode())
        for body in bodies:
            connection.sendall(body)
        received = b""
        while b"\r\n\r\n" not in received and (piece := connection.recv(65536)):
            received += piece
    return received


def head_of(door: Door, token: str, length: str) -> str:
    host = door.url.removeprefix("http://")
    return (
        f"POST /v1/audit HTTP/1.1\nHost: {host}\nAuthorization: Bearer {token}\n"
        f"Content-Type: application/json\n{length}\n\n"
    )


def test_a_body_that_says_it_is_too_large_is_not_read(door: Door, own_token: str) -> None:
    told = raw(door, head_of(door, own_token, "Content-Length: 9000000000"))
    assert told.startswith(b"HTTP/1.1 413 ")


def test_a_body_that_becomes_too_large_is_not_read_to_its_end(door: Door, own_token: str) -> None:
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    told = raw(door, head_of(door, own_token, "Transfer-Encoding: chunked"), *[chunk] * 9)
    assert told.startswith(b"HTTP/1.1 413 ")


async def test_a_body_that_comes_too_slowly_is_given_up() -> None:
    async def never() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(RefusedError) as refused:
        await Body(never, 10, 0.01)()
    assert (refused.value.status, refused.value.kind) == (408, "too_slow")


OUTSIDE: Final = ["../outside/secret.py", "link.py", "/", "/etc/passwd", "x\0y", "a/../../outside"]
PATHS: Final[list[tuple[str, str, dict[str, Any]]]] = [
    ("/v1/audit", "path", {}),
    ("/v1/explain", "what", {"model": False}),
    ("/v1/review", "path", {"model": False}),
    ("/v1/document", "what", {"model": False}),
    ("/v1/complete", "path", {"line": 1, "column": 1}),
    ("/v1/runs", "folder", {"ensemble": "asking"}),
    ("/v1/batch", "folder", {"ensemble": "asking", "inputs": [""]}),
]


@pytest.mark.parametrize("path", OUTSIDE)
def test_paths_that_lead_out_of_the_roots_are_refused_everywhere(
    own: httpx.Client, path: str
) -> None:
    for route, name, more in PATHS:
        response = own.post(route, json={**more, name: path})
        assert response.status_code in (403, 404), (route, response.text)
        assert SECRET not in response.text
        assert error_of(response)["type"] in ("outside", "no_such_path")


# ----------------------------------------------------------------- keys and tenants


def test_a_key_is_shown_once_and_counts_no_more_when_it_is_taken_back(door: Door) -> None:
    key = door.key("for-a-while", "--role", "viewer")
    assert key.startswith("coai_")
    listed = door.run("keys", "list").stdout
    assert "for-a-while" in listed
    assert key not in listed
    home = Path(door.environment["HOME"])
    kept = [each for each in home.rglob("*") if each.is_file()]
    assert any(each.name == "keys.sqlite3" for each in kept)
    assert not [each for each in kept if key.encode() in each.read_bytes()]
    with door.client(key) as client:
        assert client.get("/v1/me").json()["role"] == "viewer"
        assert door.run("keys", "revoke", "for-a-while").returncode == 0
        assert client.get("/v1/me").status_code == 401
    assert door.run("keys", "revoke", "for-a-while").returncode == 2


def test_a_key_that_has_expired_counts_no_more(door: Door) -> None:
    with door.client(door.key("short", "--days", "0.0000001")) as client:
        assert client.get("/v1/me").status_code == 401


def test_a_key_for_a_folder_sees_nothing_beside_it(door: Door) -> None:
    inner = door.folder / "inner"
    inner.mkdir()
    (inner / "own.py").write_text("import hashlib\nhashlib.new('md5')\n")
    with door.client(door.key("inner", "--role", "runner", "--folder", str(inner))) as client:
        found = client.post("/v1/audit", json={}).json()
        assert [each["path"] for each in found["findings"]] == ["own.py"]
        assert client.post("/v1/audit", json={"path": "../shop.py"}).status_code == 403
        begun = client.post("/v1/runs", json={"ensemble": "asking"}).json()["run"]
    with door.client() as owner:
        listed = [each["run"] for each in owner.get("/v1/runs").json()]
        assert begun in listed, "who runs the server sees all of the folders"
    beside = door.key("beside", "--role", "runner", "--folder", str(door.folder.parent))
    with door.client(beside) as client:
        assert error_of(client.post("/v1/audit", json={}))["type"] == "no_folder"


def test_tenants_see_nothing_of_one_another(door: Door, own: httpx.Client) -> None:
    begun = own.post("/v1/runs", json={"ensemble": "asking"}).json()["run"]
    tenants = [
        door.key(name, "--role", "admin", "--tenant", name) for name in ("tenant-a", "tenant-b")
    ]
    runs: list[str] = []
    for key in tenants:
        with door.client(key) as client:
            assert client.get("/v1/runs").json() == []
            # Nobody finds out by an answer that was kept what another one asked.
            answers = [client.post("/v1/chat/completions", json=HELLO) for _ in range(2)]
            assert [each.headers["x-coai-source"] for each in answers] == ["model"] * 2
            assert client.get(f"/v1/runs/{begun}").status_code == 404
            assert client.get("/v1/stats").status_code == 403
            assert client.get("/v1/privacy").status_code == 403
            runs.append(client.post("/v1/runs", json={"ensemble": "asking"}).json()["run"])
            seen = client.get("/v1/access").json()
            assert {each["tenant"] for each in seen} <= {client.get("/v1/me").json()["tenant"]}
    assert not {each["run"] for each in own.get("/v1/runs").json()} & set(runs)
    home = Path(door.environment["HOME"])
    for name in ("tenant-a", "tenant-b"):
        (journal,) = home.rglob(f"{name}/runs.sqlite3")
        assert stat.S_IMODE(journal.stat().st_mode) == 0o600


def test_the_log_of_access_says_who_and_nothing_of_what(own: httpx.Client) -> None:
    marked = "a_word_that_nobody_else_says"
    own.post("/v1/route/explain", json={"question": marked})
    own.get(f"/{marked}")
    seen = own.get("/v1/access", params={"limit": 1000}).json()
    assert marked not in str(seen)
    explained = [each for each in seen if each["path"] == "/v1/route/explain"]
    assert (explained[0]["who"], explained[0]["status"]) == ("own token", 200)


def test_the_token_is_its_users_alone_and_a_new_one_is_made_where_it_was_emptied(
    tmp_path: Path,
) -> None:
    door = made_door(tmp_path, None)
    first = door.token()
    (file,) = Path(door.environment["HOME"]).rglob("token")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    assert door.token() == first
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text("")
    assert len(door.token()) > 40
    assert door.token() != first


def test_too_many_requests_of_one_key_are_refused_and_others_are_not(tmp_path: Path) -> None:
    with (
        running(tmp_path, None, "--rate", "60") as door,
        door.client(door.key("greedy")) as greedy,
        door.client() as other,
    ):
        statuses = [greedy.get("/v1/me").status_code for _ in range(40)]
        refused = greedy.get("/v1/me")
        assert statuses[:10] == [200] * 10
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert other.get("/v1/me").status_code == 200
