"""The places that the settings name, ready or with a reason why not."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from coai_routing.pool.endpoints import cloud_places, server_places
from coai_routing.providers.discovery import Found
from coai_routing.request import ModelDescription
from coai_routing.settings.schema import Settings
from coai_routing.wiring.configured_routing import routing_egress, sensitivity_rules
from tests.support.settings import settings_of

MODEL = ModelDescription(name="m", provider="ollama")


def found(*models: ModelDescription, ok: bool = True) -> Found:
    return Found(
        name="ollama",
        kind="ollama",
        base_url="http://127.0.0.1:11434",
        ok=ok,
        detail="Nothing answers." if not ok else "fine",
        models=models,
    )


@pytest.mark.parametrize(
    ("seen", "ready", "detail"),
    [
        ((found(MODEL),), True, ""),
        ((found(),), False, "It has no model."),
        ((found(ok=False),), False, "Nothing answers."),
        ((), False, "It was not looked for yet."),
    ],
)
def test_a_server_is_ready_if_it_was_found_with_a_model(
    seen: tuple[Found, ...], ready: bool, detail: str
) -> None:
    places = {place.endpoint: place for place in server_places(Settings(), seen)}
    ollama = places["ollama"]
    assert (ollama.ready, ollama.detail) == (ready, detail)
    assert ollama.local
    assert not ollama.billed


@pytest.mark.parametrize("name", ["anthropic", "openai"])
async def test_a_vendor_is_ready_with_a_key_and_changes_with_it(name: str) -> None:
    key = {f"{name.upper()}_API_KEY": " k "}
    settings = settings_of({"routing": {"allow_cloud": True}})
    with_key, other_key, without = (
        {place.endpoint: place for place in cloud_places(settings, environment)}[name]
        for environment in (key, {**key, f"{name.upper()}_API_KEY": "other"}, {})
    )
    assert with_key.ready
    assert with_key.billed
    assert not with_key.local
    assert with_key.bound != other_key.bound
    assert not without.ready
    provider = with_key.connect()
    assert provider.name == name
    assert provider.base_url.startswith("https://api.")
    await provider.aclose()


def test_what_may_leave_and_what_is_sensitive_follow_the_settings() -> None:
    assert not routing_egress(Settings()).allow
    allowed = settings_of({"routing": {"allow_cloud": True}})
    assert routing_egress(allowed).allow
    private = settings_of(
        {
            "routing": {"allow_cloud": True},
            "privacy": {"mode": True, "exclude": ["a/"], "private": ["b/"], "patterns": ["X[0-9]"]},
        }
    )
    assert not routing_egress(private).allow
    rules = sensitivity_rules(private)
    assert rules.privacy_mode
    assert rules.private_files == ("a/", "b/")
    assert rules.patterns == ("X[0-9]",)


def test_a_pattern_must_be_a_regular_expression() -> None:
    with pytest.raises(ValidationError, match="no regular expression"):
        Settings.model_validate({"privacy": {"patterns": ["("]}})
