"""What counts as this machine, and what may leave it."""

from __future__ import annotations

import pytest

from coai_routing.errors import EgressRefusedError
from coai_routing.privacy.egress import Egress, check_egress, is_loopback, is_trusted
from coai_routing.request import ModelRequest

PLAIN = ModelRequest(prompt="x = 1")
SENSITIVE = ModelRequest(prompt="password = 1", sensitive=True)
CLOUD = "https://api.example.com/v1"
TRUSTED = frozenset({"gpu.example.org"})

LOOPBACK = [
    "http://localhost",
    "http://LocalHost:11434/",
    "http://127.0.0.1:8080/v1",
    "https://127.0.0.1",
    "http://127.1.2.3:80",
    "http://[::1]:8080",
    "http://[0:0:0:0:0:0:0:1]/v1",
    "http://[::ffff:127.0.0.1]:1234",
    "HTTP://127.0.0.1:1234",
]

ELSEWHERE = [
    "http://127.0.0.1.evil.com",
    "http://localhost.evil.com",
    "http://evil.com/127.0.0.1",
    "http://evil.com#@127.0.0.1/",
    "http://127.0.0.1#@evil.com/",
    "http://127.0.0.1?@evil.com/",
    "http://evil.com?http://localhost",
    "http://127.0.0.1@evil.com",
    "http://localhost:80@evil.com",
    "http://user:secret@127.0.0.1:8080",  # parsers disagree about user names too often
    "http://127.0.0.1\\@evil.com",
    "http://evil.com\\.127.0.0.1",
    "http://127.0.0.1%2eevil.com",
    "http://2130706433",
    "http://0x7f000001",
    "http://0x7f.0.0.1",
    "http://0177.0.0.1",
    "http://127.0.0.01",
    "http://127.1",
    "http://0.0.0.0:11434",
    "http://0",
    "http://[::]:8080",
    "http://[::ffff:8.8.8.8]",
    "http://[::1%25lo]",
    "http://[::127.0.0.1]",
    "http://[fe80::1]",
    "http://127.0.0.1.",
    "http://localhost.",
    "http://foo.localhost",
    "http://localhost.localdomain",
    "http://ip6-localhost",
    "http://\u24dbocalhost",
    "http://127.0.0.\uff11",
    "http://127\u30020.0.1",
    "http://127.0.0.1\n.evil.com",
    "http://127.0.0.1:8080\t",
    " http://127.0.0.1",
    "http://127.0.0.1:port",
    "http:/127.0.0.1",
    "http:127.0.0.1",
    "//127.0.0.1",
    "127.0.0.1:8080",
    "localhost",
    "file://localhost/etc/passwd",
    "ftp://127.0.0.1",
    "unix:///run/llama.sock",
    "http://",
    "",
    "http://192.168.1.5:11434",
    "http://10.0.0.1",
    CLOUD,
]


@pytest.mark.parametrize("url", LOOPBACK)
def test_plain_forms_of_loopback_are_this_machine(url: str) -> None:
    assert is_loopback(url)
    check_egress(SENSITIVE, url, trusted_hosts=frozenset(), allow_egress=False)


@pytest.mark.parametrize("url", ELSEWHERE)
def test_everything_else_is_elsewhere(url: str) -> None:
    assert not is_loopback(url)
    with pytest.raises(EgressRefusedError):
        check_egress(PLAIN, url, trusted_hosts=frozenset(), allow_egress=False)
    with pytest.raises(EgressRefusedError):
        check_egress(SENSITIVE, url, trusted_hosts=frozenset(), allow_egress=True)


@pytest.mark.parametrize(
    ("url", "trusted", "expected"),
    [
        ("http://gpu.example.org:8000", {"gpu.example.org"}, True),
        ("http://GPU.example.org", {"gpu.Example.org"}, True),
        ("http://gpu.example.org:8000", {"gpu.example.org:8000"}, True),
        ("https://gpu.example.org", {"gpu.example.org:443"}, True),
        ("http://gpu.example.org:8001", {"gpu.example.org:8000"}, False),
        ("http://[fd00::5]:8000", {"fd00::5"}, True),
        ("http://[fd00::5]:8000", {"[fd00::5]"}, True),
        ("http://sub.gpu.example.org", {"gpu.example.org"}, False),
        ("http://gpu.example.org.evil.com", {"gpu.example.org"}, False),
        ("http://gpu.example.org@evil.com", {"gpu.example.org"}, False),
        ("http://gpu.example.org\\@evil.com", {"gpu.example.org"}, False),
        ("not an address", {"not an address"}, False),
        ("http://gpu.example.org", set[str](), False),
    ],
)
def test_a_host_is_trusted_only_by_its_own_name(
    url: str, trusted: set[str], expected: bool
) -> None:
    assert is_trusted(url, frozenset(trusted)) is expected


@pytest.mark.parametrize(
    ("request_", "url", "allow", "refused"),
    [
        (PLAIN, CLOUD, True, False),
        (PLAIN, CLOUD, False, True),
        (SENSITIVE, CLOUD, True, True),
        (SENSITIVE, CLOUD, False, True),
        (None, CLOUD, True, False),
        (None, CLOUD, False, True),
        (SENSITIVE, "http://gpu.example.org:8000/v1", True, False),
        (SENSITIVE, "http://gpu.example.org:8000/v1", False, True),
        (PLAIN, "http://gpu.example.org:8000/v1", False, True),
        (SENSITIVE, "http://127.0.0.1:1", False, False),
        (None, "http://127.0.0.1:1", False, False),
    ],
)
def test_egress(request_: ModelRequest | None, url: str, allow: bool, refused: bool) -> None:
    egress = Egress(trusted_hosts=TRUSTED, allow=allow)
    if not refused:
        egress.check(request_, url, provider="p")
        return
    with pytest.raises(EgressRefusedError) as caught:
        egress.check(request_, url, provider="p")
    assert caught.value.provider == "p"
    assert caught.value.remedy


def test_a_refusal_names_the_host_when_no_provider_is_given() -> None:
    with pytest.raises(EgressRefusedError) as caught:
        check_egress(SENSITIVE, CLOUD, trusted_hosts=frozenset(), allow_egress=True)
    assert caught.value.provider == "api.example.com"
    assert "privacy.trusted_hosts" in str(caught.value)


def test_nothing_may_leave_by_default() -> None:
    with pytest.raises(EgressRefusedError):
        Egress().check(PLAIN, CLOUD, provider="p")


@pytest.mark.parametrize(
    ("url", "direct"),
    [("http://127.0.0.1:1", True), ("https://gpu.example.org/v1", True), (CLOUD, False)],
)
def test_proxies_are_left_out_where_sensitive_requests_may_go(url: str, direct: bool) -> None:
    assert Egress(trusted_hosts=TRUSTED, allow=True).goes_direct(url) is direct
