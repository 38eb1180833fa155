"""How the server may be set up: what is not safe is refused, and TLS is spoken."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from coai_server.http.config import Config, SetupError, checked
from tests.server.http.support import Door, error_of, running

SETUPS: Final[list[tuple[dict[str, Any], str]]] = [
    ({"host": "0.0.0.0"}, "unencrypted"),
    ({"host": "192.0.2.7"}, "unencrypted"),
    ({"host": "::"}, "unencrypted"),
    ({"certificate": Path("there.pem")}, "needs its key"),
    ({"certificate": Path("none.pem"), "key": Path("none.pem")}, "is not there"),
    ({"host": "0.0.0.0", "proxy": "proxy.example", "names": ("x",)}, "no IP address"),
    ({"host": "0.0.0.0", "proxy": "192.0.2.1"}, "by which name"),
    ({"names": ("https://x",)}, "no host name"),
    ({"names": ("*",)}, "no host name"),
]


@pytest.mark.parametrize(("wanted", "said"), SETUPS)
def test_a_setup_that_is_not_safe_is_refused(wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(SetupError, match=said) as refused:
        checked(Config(roots=(Path(),), **wanted))
    assert refused.value.remedy


def test_behind_a_proxy_nobody_else_may_connect(tmp_path: Path) -> None:
    options = ("--behind-proxy", "192.0.2.1", "--host-name", "coai.example")
    with running(tmp_path, None, *options) as door, door.client() as client:
        response = client.get("/v1/me", headers={"host": "coai.example"})
        assert (response.status_code, error_of(response)["type"]) == (403, "not_the_proxy")
        assert client.get("/healthz").is_success, "the container's own check"


def certificate_in(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for this machine, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, SHA256())
    )
    files = folder / "cert.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(Encoding.PEM))
    plain = NoEncryption()
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, plain))
    return files


def test_it_speaks_tls_and_its_sessions_are_for_tls_alone(tmp_path: Path) -> None:
    certificate, key = certificate_in(tmp_path)
    options = ("--tls-cert", str(certificate), "--tls-key", str(key))
    with running(tmp_path, None, *options) as door:
        assert door.url.startswith("https://")
        port = door.url.rpartition(":")[2]
        trusted = ssl.create_default_context(cafile=str(certificate))
        token = door.token()
        with httpx.Client(base_url=f"https://localhost:{port}", verify=trusted) as client:
            shown = {"authorization": f"Bearer {token}"}
            assert client.get("/v1/me", headers=shown).json()["role"] == "admin"
            cookie = client.post("/login", data={"token": token}).headers["set-cookie"]
            assert "secure" in cookie.lower()
        mixed = door.run("--port", "0", "--tls-cert", str(key), "--tls-key", str(certificate))
        assert (mixed.returncode, "PEM form" in mixed.stderr) == (2, True)


def test_a_port_that_is_taken_is_said(door: Door) -> None:
    ended = door.run("--port", door.url.rpartition(":")[2])
    assert ended.returncode == 2
    assert "--port" in ended.stderr
