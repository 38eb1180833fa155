"""Access tokens of an issuer: which count, and every way in which one does not."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from coai_server.http.config import OAuth
from coai_server.http.security.oauth import Issuer, IssuerError
from coai_server.http.security.passes import Sessions, Tickets
from coai_server.http.security.principals import Principal, Role
from coai_server.http.security.rates import Rates
from tests.server.http.support import made_door

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

AUDIENCE: Final = "https://coai.example"
KEY: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CURVE: Final = ec.generate_private_key(ec.SECP256R1())


class Served:
    """An issuer's server: what it answers by path, and how often it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: dict[str, bytes] = {}
        self.asked: list[str] = []


@contextmanager
def serving() -> Generator[Served]:
    served = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            body = served.answers.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("location", f"{served.url}/moved")
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *args: object, **more: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_port}"
        keys = [
            {**json.loads(RSAAlgorithm.to_jwk(KEY.public_key())), "kid": "one"},
            {**json.loads(ECAlgorithm.to_jwk(CURVE.public_key())), "kid": "curve"},
        ]
        served.answers["/keys"] = json.dumps({"keys": keys}).encode()
        about = {"issuer": served.url, "jwks_uri": f"{served.url}/keys"}
        served.answers["/.well-known/openid-configuration"] = json.dumps(about).encode()
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as one:
        yield one


def claims_of(served: Served, **other: Any) -> dict[str, Any]:  # noqa: ANN401 - claims may be anything
    now = int(time.time())
    known = {
        "iss": served.url,
        "aud": AUDIENCE,
        "sub": "somebody",
        "iat": now,
        "exp": now + 300,
        "scope": "openid coai:runner",
    }
    return {name: value for name, value in {**known, **other}.items() if value is not None}


def signed(claims: dict[str, Any], **header: Any) -> str:  # noqa: ANN401 - as above
    return jwt.encode(claims, KEY, "RS256", headers={"kid": "one", **header})


async def test_a_token_of_the_issuer_counts_with_its_role_and_is_a_tenant_alone(
    served: Served,
) -> None:
    issuer = Issuer(OAuth(served.url, AUDIENCE))
    first = await issuer.holder(signed(claims_of(served)))
    assert first is not None
    assert first.role is Role.RUNNER
    second = await issuer.holder(signed(claims_of(served, sub="another", scope="coai:viewer")))
    assert second is not None
    assert (second.role, second.tenant != first.tenant) == (Role.VIEWER, True)
    curved = jwt.encode(claims_of(served), CURVE, "ES256", headers={"kid": "curve"})
    assert await issuer.holder(curved) == first
    # Its keys were fetched once for all of them.
    assert served.asked == ["/.well-known/openid-configuration", "/keys"]


def forged(served: Served) -> dict[str, str]:
    claims = claims_of(served)
    now = int(time.time())
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    unsigned = jwt.encode(claims, "", "none", headers={"kid": "one"})
    header, body, signature = signed(claims).split(".")
    # PyJWT itself will not make this one.
    import base64  # noqa: PLC0415 - for this alone
    import hashlib  # noqa: PLC0415 - as above
    import hmac  # noqa: PLC0415 - as above

    def encoded(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    confused = f"{encoded(json.dumps({'alg': 'HS256', 'kid': 'one'}).encode())}.{body}"
    mac = encoded(hmac.new(public, confused.encode(), hashlib.sha256).digest())
    return {
        "no algorithm": unsigned,
        "a public key as a secret": f"{confused}.{mac}",
        "a shared secret": jwt.encode(claims, "x" * 32, "HS256", headers={"kid": "one"}),
        "an algorithm that is not listed": jwt.encode(claims, KEY, "RS512", headers={"kid": "one"}),
        "another key": jwt.encode(claims, OTHER, "RS256", headers={"kid": "one"}),
        "an unknown key": signed(claims, kid="two"),
        "no key's name": jwt.encode(claims, KEY, "RS256"),
        "a key of another kind": jwt.encode(claims, KEY, "RS256", headers={"kid": "curve"}),
        "expired": signed(claims_of(served, iat=now - 900, exp=now - 600)),
        "not yet": signed(claims_of(served, nbf=now + 600)),
        "no end": signed(claims_of(served, exp=None)),
        "another issuer": signed(claims_of(served, iss="https://evil.example")),
        "another audience": signed(claims_of(served, aud="https://other.example")),
        "no audience": signed(claims_of(served, aud=None)),
        "nobody": signed(claims_of(served, sub=None)),
        "no role": signed(claims_of(served, scope="openid")),
        "no text as scope": signed(claims_of(served, scope=["coai:admin"])),
        "other claims": f"{header}.{encoded(json.dumps({**claims, 'x': 1}).encode())}.{signature}",
        "no signature": f"{header}.{body}.",
        "no token": "a.b.c",
        "too long": f"{header}.{body}.{'x' * 20_000}",
    }


async def test_every_forged_or_foreign_token_is_refused(served: Served) -> None:
    issuer = Issuer(OAuth(served.url, AUDIENCE))
    assert await issuer.holder(signed(claims_of(served))) is not None
    for kind, token in forged(served).items():
        assert await issuer.holder(token) is None, kind


async def test_unknown_keys_do_not_make_the_issuer_be_asked_again_and_again(
    served: Served,
) -> None:
    now = 1000.0
    issuer = Issuer(OAuth(served.url, AUDIENCE, f"{served.url}/keys"), clock=lambda: now)
    for _ in range(5):
        assert await issuer.holder(signed(claims_of(served), kid="unknown")) is None
    assert served.asked == ["/keys"]
    now += 31
    assert await issuer.holder(signed(claims_of(served), kid="unknown")) is None
    assert served.asked == ["/keys"] * 2


@pytest.mark.parametrize(
    "answer", [None, b"", b"[]", b"no JSON", b'{"keys": []}', b" " * 300_000, b'{"keys": 1}']
)
async def test_keys_that_cannot_be_had_are_said(served: Served, answer: bytes | None) -> None:
    served.answers.pop("/keys")
    if answer is not None:
        served.answers["/keys"] = answer
    issuer = Issuer(OAuth(served.url, AUDIENCE))
    with pytest.raises(IssuerError):
        await issuer.holder(signed(claims_of(served)))


async def test_keys_come_over_tls_and_from_the_issuer_that_says_so(served: Served) -> None:
    for url in ("http://192.0.2.1/keys", "ftp://x", ""):
        with pytest.raises(IssuerError, match="not encrypted"):
            await Issuer(OAuth(served.url, AUDIENCE, url)).holder(signed(claims_of(served)))
    about = {"issuer": "https://evil.example", "jwks_uri": f"{served.url}/keys"}
    served.answers["/.well-known/openid-configuration"] = json.dumps(about).encode()
    with pytest.raises(IssuerError, match="another issuer"):
        await Issuer(OAuth(served.url, AUDIENCE)).holder(signed(claims_of(served)))


# ------------------------------------------------------------------------------ passes


def test_a_ticket_counts_once_and_not_for_long() -> None:
    now = 0.0
    tickets = Tickets(clock=lambda: now)
    who = Principal("a", Role.VIEWER)
    ticket = tickets.give(who)
    assert tickets.take(ticket) is who
    assert tickets.take(ticket) is None, "replayed"
    late = tickets.give(who)
    now += 31
    assert tickets.take(late) is None


def test_a_session_ends() -> None:
    now = 0.0
    sessions = Sessions(clock=lambda: now)
    name = sessions.begin(Principal("a", Role.VIEWER), "token")
    assert sessions.get(name) is not None
    now += 13 * 3600
    assert sessions.get(name) is None


def test_a_bucket_fills_again_and_each_caller_has_one() -> None:
    now = 0.0
    rates = Rates(60, clock=lambda: now)
    assert [rates.refusal("a") for _ in range(11)] == [None] * 10 + [1]
    assert rates.refusal("b") is None
    now += 2.0
    assert [rates.refusal("a") for _ in range(3)] == [None, None, 1]


def test_the_users_settings_name_the_issuer(served: Served, tmp_path: Path) -> None:
    door = made_door(tmp_path, None)
    door.environment["COAI_HTTP__OAUTH_ISSUER"] = served.url
    refused = door.run("--port", "0")
    assert (refused.returncode, "http.oauth_audience" in refused.stderr) == (2, True)
    door.environment["COAI_HTTP__OAUTH_AUDIENCE"] = AUDIENCE
    door.start()
    try:
        with door.client(signed(claims_of(served))) as client:
            me = client.get("/v1/me").json()
            assert (me["role"], me["tenant"].startswith("oauth-")) == ("runner", True)
            assert client.get("/v1/access").status_code == 403
        with door.client(forged(served)["expired"]) as client:
            assert client.get("/v1/me").status_code == 401
        with door.client("") as stranger:
            challenge = stranger.get("/v1/me").headers["www-authenticate"]
            assert "resource_metadata" in challenge
            about = stranger.get("/.well-known/oauth-protected-resource").json()
            assert about == {"resource": AUDIENCE, "authorization_servers": [served.url]}
    finally:
        assert door.stop() == 0
