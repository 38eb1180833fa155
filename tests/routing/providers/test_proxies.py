"""Proxies that the environment names: no server that is near waits for them, and none kills us."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from coai_routing.errors import ProviderUnavailableError
from coai_routing.privacy.egress import Egress
from coai_routing.providers.description import describe_openai_compatible
from coai_routing.providers.proxies import environment_set_aside, proxy_options

AWAY = "https://gpu.example.org/v1"
FREE = Egress(allow=True)
TRUSTING = Egress(allow=True, trusted_hosts=frozenset({"gpu.example.org"}))
HTTP = "http://proxy.example:3128"
SOCKS = "socks5://proxy.example:1080"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def surroundings(**chosen: str) -> dict[str, str]:
    """Return this environment with no other proxies than those given."""
    ours = {n: v for n, v in os.environ.items() if n.upper() not in VARIABLES}
    return ours | chosen


@pytest.mark.parametrize(
    ("chosen", "url", "egress", "expected"),
    [
        ({}, AWAY, FREE, {"trust_env": True}),
        ({"HTTPS_PROXY": HTTP}, AWAY, FREE, {"trust_env": True}),
        # What may see something sensitive is asked without a third party, whatever it says there.
        ({"HTTPS_PROXY": HTTP}, "http://127.0.0.1:9/v1", FREE, {"trust_env": False}),
        ({"HTTPS_PROXY": HTTP}, AWAY, TRUSTING, {"trust_env": False}),
        ({"ALL_PROXY": SOCKS}, "http://localhost:9/v1", Egress(), {"trust_env": False}),
        # One that cannot be used, beside the one that can.
        (
            {"ALL_PROXY": SOCKS, "HTTPS_PROXY": HTTP},
            AWAY,
            FREE,
            {"trust_env": True, "proxy": HTTP},
        ),
        (
            {"ALL_PROXY": SOCKS, "https_proxy": "proxy.example:3128"},
            AWAY,
            FREE,
            {"trust_env": True, "proxy": HTTP},
        ),
        ({"ALL_PROXY": SOCKS, "NO_PROXY": ".example.org"}, AWAY, FREE, {"trust_env": False}),
        ({"ALL_PROXY": SOCKS, "NO_PROXY": "*"}, AWAY, FREE, {"trust_env": True}),
        # No address at all.
        ({"HTTPS_PROXY": "http://proxy.example:port"}, AWAY, FREE, {"trust_env": False}),
        ({"HTTPS_PROXY": "http://[::1"}, AWAY, FREE, {"trust_env": False}),
        ({"HTTPS_PROXY": "://"}, AWAY, FREE, {"trust_env": False}),
    ],
)
def test_which_proxy_carries_a_request(
    chosen: dict[str, str],
    url: str,
    egress: Egress,
    expected: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "environ", surroundings(**chosen))
    backend = describe_openai_compatible("mine", url)
    assert proxy_options(backend, egress) == expected


def test_a_proxy_of_another_kind_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", surroundings(ALL_PROXY=SOCKS))
    with pytest.raises(ProviderUnavailableError, match="socks5 proxy") as caught:
        proxy_options(describe_openai_compatible("mine", AWAY), FREE)
    assert "NO_PROXY" in caught.value.remedy


def test_an_environment_set_aside_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", SOCKS)
    monkeypatch.setenv("OLLAMA_HOST", "http://[")
    with environment_set_aside():
        assert "ALL_PROXY" not in os.environ
        assert "OLLAMA_HOST" not in os.environ
    assert os.environ["ALL_PROXY"] == SOCKS
    assert os.environ["OLLAMA_HOST"] == "http://["


BUILD = """
from coai_routing.providers.anthropic import AnthropicProvider
from coai_routing.providers.description import describe_ollama
from coai_routing.providers.ollama import OllamaProvider
from coai_routing.providers.openai_compatible import OpenAICompatibleProvider
OllamaProvider()._build()
for kind in (OpenAICompatibleProvider, AnthropicProvider):
    kind(name="p", base_url="http://127.0.0.1:9")._build()
print("built")
"""


@pytest.mark.parametrize(
    "chosen",
    [
        {"ALL_PROXY": SOCKS, "HTTP_PROXY": "socks5h://proxy.example:1080"},
        {"HTTP_PROXY": "http://[", "NO_PROXY": "[::1,*:x", "OLLAMA_HOST": "http://[::1:port"},
    ],
    ids=["SOCKS", "malformed"],
)
def test_every_client_can_be_imported_whatever_the_proxies(chosen: dict[str, str]) -> None:
    # In a process of its own: here they are all imported already.
    ended = subprocess.run(
        [sys.executable, "-c", BUILD],
        env=surroundings(**chosen),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.stdout == "built\n", ended.stderr
