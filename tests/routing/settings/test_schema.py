"""The model of settings: names, types, bounds, defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from coai_routing.settings.fields import Leaf, bound, dotted, leaves
from coai_routing.settings.schema import (
    CompletionSettings,
    CustomEndpoint,
    EndpointSettings,
    EngineSettings,
    LogSettings,
    ModelSettings,
    OllamaEndpoint,
    PrivacySettings,
    Settings,
    VllmEndpoint,
)
from coai_routing.settings.types import RESERVED_ENDPOINT_NAMES

NUMBERS = [leaf for leaf in leaves() if leaf.unit is not None or "number" in leaf.expected]


def test_every_setting_says_what_it_means() -> None:
    assert [dotted(leaf.path) for leaf in leaves() if not leaf.description] == []


@pytest.mark.parametrize("leaf", NUMBERS, ids=lambda leaf: dotted(leaf.path))
def test_every_number_has_a_unit_and_bounds(leaf: Leaf) -> None:
    schema = leaf.adapter.json_schema()
    assert leaf.unit
    assert schema["minimum"] < schema["maximum"]


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().completion.enabled = False  # type: ignore[misc] - it must fail at run time too


@pytest.mark.parametrize(
    "document",
    [
        {"completion": {"targetLatencyMs": 500}, "endpoints": {"llamaServer": {"enabled": False}}},
        {
            "completion": {"target_latency_ms": 500},
            "endpoints": {"llama_server": {"enabled": False}},
        },
    ],
    ids=["camelCase", "snake_case"],
)
def test_both_spellings_are_names(document: dict[str, Any]) -> None:
    settings = Settings.model_validate(document)
    assert settings.completion.target_latency_ms == 500
    assert not settings.endpoints.llama_server.enabled


def test_names_that_are_unknown_to_the_model_are_refused() -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"completion": {"target_latency": 500}})


@pytest.mark.parametrize(
    ("languages", "language", "served"),
    [
        ({}, "python", True),
        ({"python": False}, "python", False),
        ({"python": False}, "go", True),
        ({"*": False}, "go", False),
        ({"*": False, "go": True}, "go", True),
        ({"*": True, "go": False}, "go", False),
    ],
)
def test_a_language_is_served_by_its_own_entry_or_the_star(
    languages: dict[str, bool], language: str, served: bool
) -> None:
    assert CompletionSettings(languages=languages).serves(language) is served


def test_no_language_is_served_when_completion_is_off() -> None:
    assert not CompletionSettings(enabled=False, languages={"python": True}).serves("python")


def test_endpoints_are_found_under_the_names_that_a_backend_can_have() -> None:
    endpoints = EndpointSettings(custom={"box": CustomEndpoint(url="http://box:1", kind="ollama")})
    assert {name: endpoint.kind for name, endpoint in endpoints.by_name().items()} == {
        "ollama": "ollama",
        "lmstudio": "openai_compatible",
        "llama_server": "llama_server",
        "vllm": "openai_compatible",
        "box": "ollama",
    }
    assert set(EndpointSettings().by_name()) < set(RESERVED_ENDPOINT_NAMES)


def test_a_built_in_endpoint_has_its_key_in_the_settings() -> None:
    assert OllamaEndpoint().key() is None
    assert VllmEndpoint(api_key=SecretStr("k")).key() == "k"


@pytest.mark.parametrize(
    ("environ", "variable", "key"),
    [
        ({"BOX_KEY": "k"}, "BOX_KEY", "k"),
        ({"BOX_KEY": ""}, "BOX_KEY", None),
        ({}, "BOX_KEY", None),
        ({"BOX_KEY": "k"}, None, None),
    ],
)
def test_a_custom_endpoint_has_its_key_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    variable: str | None,
    key: str | None,
) -> None:
    monkeypatch.delenv("BOX_KEY", raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert CustomEndpoint(url="http://box:1", api_key_env=variable).key() == key


@pytest.mark.parametrize(
    "url",
    [
        "box:8080",
        "ftp://box",
        "http://",
        "http://user:pass@box",
        "http://127.0.0.1\\@box",
        "http://box?key=1",
        "http://box#x",
        "http://box:0",
        "http://box:99999",
        "http://bo x",
        "http://box\n",
        "http://a..b",
        "http://.b",
        "http://-b",
        f"http://{'a' * 64}.example",
        f"http://{'a.' * 127}ab",
        "file:///etc/passwd",
    ],
)
def test_an_address_that_readers_could_see_differently_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        CustomEndpoint(url=url)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://box:8080/", "http://box:8080"),
        ("https://box.example/api/v1/", "https://box.example/api/v1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://a.b.:8080", "http://a.b.:8080"),
        ("http://my_box", "http://my_box"),
    ],
)
def test_an_address_is_kept_without_the_slash_at_its_end(url: str, kept: str) -> None:
    assert CustomEndpoint(url=url).url == kept


@pytest.mark.parametrize("pattern", ["", "  ", "!", "! ", "a\\", "a\n!b", "a\0", "x" * 501])
def test_a_pattern_that_is_no_gitignore_line_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError):
        CompletionSettings(exclude=(pattern,))


@pytest.mark.parametrize("pattern", ["*.pem", "!x", "\\!x", "a/**/b/", "a\\\\", "ümlaut"])
def test_a_gitignore_line_is_a_pattern(pattern: str) -> None:
    assert CompletionSettings(exclude=(pattern,)).exclude == (pattern,)


@pytest.mark.parametrize(
    "host", ["localhost", "gpu.example.org", "gpu:8080", "10.0.0.1", "::1", "[::1]:8080"]
)
def test_a_host_is_a_name_or_address_with_or_without_a_port(host: str) -> None:
    assert PrivacySettings(trusted_hosts=(host,)).trusted_hosts == (host,)


@pytest.mark.parametrize("host", ["", "*", "http://gpu", "gpu/x", "a b", "gpu:port", "user@gpu"])
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(ValidationError):
        PrivacySettings(trusted_hosts=(host,))


@pytest.mark.parametrize("path", ["models", "./models", "~no-such-user-of-this-machine/models"])
def test_a_path_that_depends_on_who_asks_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        ModelSettings(directory=Path(path))


def test_a_path_may_begin_at_home() -> None:
    assert ModelSettings(directory=Path("~/models")).directory == Path.home() / "models"


def test_defaults_keep_code_here_and_fit_a_laptop() -> None:
    settings = Settings()
    assert settings.completion == CompletionSettings(
        target_latency_ms=300, max_tokens=128, allow_cloud=False, timeout_ms=10_000
    )
    assert settings.engine == EngineSettings(
        model="qwen2.5-coder-0.5b", context_tokens=4096, idle_unload_minutes=15, download="ask"
    )
    assert settings.models == ModelSettings(sources=("path", "huggingface", "wheels"))
    assert settings.privacy == PrivacySettings(mode=False, personal_data=True)
    assert settings.log == LogSettings(level="info")


def test_bounds_that_are_not_stated_are_none() -> None:
    assert bound([], "ge") is None
