"""The page without a browser: who gets in, what a form needs, and that text stays text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import pytest

from coai_server.http.page.drawing import drawn
from coai_server.http.page.rendering import rendered
from tests.server.http.support import PATIENCE, Door
from tests.server.http.test_watching import begun, watched

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = ("/", "/findings", "/usage")


def browser(door: Door) -> httpx.Client:
    """Return what keeps cookies and shows no token in a header."""
    return httpx.Client(base_url=door.url, timeout=PATIENCE, trust_env=False)


@pytest.fixture
def signed_in(door: Door, own_token: str) -> Iterator[httpx.Client]:
    with browser(door) as client:
        answer = client.post("/login", data={"token": own_token})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        yield client


def secret_of(page: httpx.Response) -> str:
    found = re.search(r'name="secret" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


def test_whoever_has_not_signed_in_is_asked_to(door: Door, own_token: str) -> None:
    with browser(door) as stranger:
        for path in (*PAGES, "/runs/000000000000", "/page/runs/000000000000/events"):
            answer = stranger.get(path)
            assert (answer.status_code, answer.headers["location"]) == (303, "/login"), path
            # A program's token opens no page: nothing but the page's own forms begins a session.
            bearer = {"authorization": f"Bearer {own_token}"}
            assert stranger.get(path, headers=bearer).status_code == 303
        wrong = stranger.post("/login", data={"token": "coai_wrong"})
        assert (wrong.status_code, "taken back" in wrong.text) == (401, True)
        assert not stranger.cookies


def test_a_session_is_a_cookie_that_no_script_and_no_other_site_gets(
    door: Door, own_token: str
) -> None:
    with browser(door) as client:
        answer = client.post("/login", data={"token": own_token})
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert own_token not in cookie
        # It is no key to what programs ask, so no other site's request can use it.
        assert client.get("/v1/runs").status_code == 401
        assert client.post("/v1/audit", json={}).status_code == 401


def test_every_page_forbids_scripts_that_stand_in_it(signed_in: httpx.Client) -> None:
    for path in (*PAGES, "/login", "/static/style.css", "/static/live.js"):
        answer = signed_in.get(path)
        assert answer.status_code == 200, path
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        if path in PAGES:
            assert not re.search(r"<script(?! src=\"/static/)|\son\w+=|style=", answer.text)
    for name in ("../page.py", "%2e%2e/page.py", "x.css"):
        assert signed_in.get(f"/static/{name}").status_code in (303, 404)


def test_a_question_is_answered_by_a_form_of_the_page_alone(
    signed_in: httpx.Client, own: httpx.Client
) -> None:
    run = begun(own, "asking")
    watched(own, run)
    page = signed_in.get(f"/runs/{run}")
    assert "Shall it go on?" in page.text
    form = {"step": "first", "answer": "yes"}
    for secret in ("", "x", "é"):
        refused = signed_in.post(f"/runs/{run}/answer", data={**form, "secret": secret})
        assert refused.status_code == 403
    evil = {"origin": "https://evil.example"}
    own_secret = {**form, "secret": secret_of(page)}
    refused = signed_in.post(f"/runs/{run}/answer", data=own_secret, headers=evil)
    assert refused.status_code == 403
    done = signed_in.post(f"/runs/{run}/answer", data=own_secret)
    assert (done.status_code, done.headers["location"]) == (303, f"/runs/{run}")
    watched(own, run)
    assert own.get(f"/v1/runs/{run}").json()["state"] == "done"


def test_a_key_that_is_taken_back_ends_its_sessions(door: Door) -> None:
    key = door.key("of-a-page", "--role", "viewer")
    with browser(door) as client:
        client.post("/login", data={"token": key})
        page = client.get("/")
        assert page.status_code == 200
        cancel = {"secret": secret_of(page)}
        assert client.post("/runs/0/cancel", data=cancel).status_code == 403, "it may only look"
        door.run("keys", "revoke", "of-a-page")
        assert client.get("/").status_code == 303


def test_signing_out_ends_the_session(signed_in: httpx.Client) -> None:
    kept = dict(signed_in.cookies)
    secret = secret_of(signed_in.get("/"))
    assert signed_in.post("/logout", data={"secret": secret}).status_code == 303
    signed_in.cookies.update(kept)
    assert signed_in.get("/").status_code == 303, "replayed"


def test_findings_are_shown_and_paths_are_confined(signed_in: httpx.Client) -> None:
    assert "weak-hash" in signed_in.get("/findings").text
    outside = signed_in.get("/findings", params={"path": "../outside"})
    assert "outside of the folders" in outside.text


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", '" onmouseover="x', "\u202egnp.exe", "\x1b[2J"]
)
def test_what_is_shown_is_text_and_cannot_mislead(text: str) -> None:
    page = bytes(
        rendered(
            "findings.html", secret="s", who=text, may_run=True, path=text, files=1, problem=text,
            rows=[{"path": text, "line": 1, "severity": text, "rule": text, "message": text}],
        ).body
    ).decode()  # fmt: skip
    assert text not in page
    assert "<script>alert" not in page


def test_a_plan_is_drawn_with_each_node_to_the_right_of_what_it_waits_for() -> None:
    waits = {"b": ["a"], "c": ["a"], "d": ["b", "c"], "e": []}
    picture = drawn(["a", "b", "c", "d", "e"], waits, {"a": "done"})
    at = {box.name: (box.x, box.y) for box in picture.boxes}
    assert at["a"][0] < at["b"][0] == at["c"][0] < at["d"][0]
    assert len(set(at.values())) == 5
    assert len(picture.arrows) == 4
    assert {box.name: box.state for box in picture.boxes}["a"] == "done"
