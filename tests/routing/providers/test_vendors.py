"""Vendors of cloud models, each asked in its own protocol, as the settings have it built."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest
from pydantic import ValidationError

from coai_routing.errors import (
    AuthenticationError,
    EgressRefusedError,
    ModelNotFoundError,
    SettingsError,
)
from coai_routing.pool.endpoints import cloud_places
from coai_routing.processes import KEY_VARIABLES
from coai_routing.registry.capabilities import builtin_capabilities
from coai_routing.registry.generations import newest, replacements
from coai_routing.registry.prices import builtin_prices
from coai_routing.registry.vendors import builtin_vendors, load_vendors
from coai_routing.request import Message, ModelRequest
from coai_routing.settings.schema import Settings
from coai_routing.settings.types import VENDOR_NAMES
from tests.support.vendor_server import FORMS, KEY, vendor_server

if TYPE_CHECKING:
    from pathlib import Path

    from coai_routing.pool.place import Place

CHAT: Final = ModelRequest(
    messages=(Message(role="user", content="Add."),), max_tokens=9, model="m"
)
FIM: Final = ModelRequest(
    prompt="def add(a, b):\n    return ", suffix="\n", max_tokens=9, model="m"
)


def settings(name: str, url: str, **more: object) -> Settings:
    section = {"url": url, "api_key": KEY}
    cloud = {name: section} if name == "openai" else {"vendors": {name: section}}
    return Settings.model_validate({"routing": {"allow_cloud": True}, "cloud": cloud, **more})


def place_of(name: str, known: Settings) -> Place:
    return next(each for each in cloud_places(known, {}) if each.endpoint == name)


@pytest.mark.parametrize("name", FORMS)
async def test_a_vendor_is_listed_and_asked_in_its_own_protocol(name: str) -> None:
    with vendor_server(name, "m", "other") as server:
        place = place_of(name, settings(name, server.url))
        assert place.ready
        assert place.billed
        provider = place.connect()
        try:
            assert [each.name for each in await provider.models()] == ["m", "other"]
            reply = await provider.chat(CHAT)
        finally:
            await provider.aclose()
    assert (reply.text, reply.finish, reply.provider) == ("a + b", "stop", name)
    # Nothing was tried that the vendor's data could have told.
    assert len(server.requests) == (2 if name == "openai" else 1)
    assert reply.usage.cached_tokens == 40


@pytest.mark.parametrize("name", [name for name, form in FORMS.items() if form.fim])
async def test_a_vendor_fills_in_where_it_does(name: str) -> None:
    with vendor_server(name, "m") as server:
        provider = place_of(name, settings(name, server.url)).connect()
        try:
            reply = await provider.complete(FIM)
        finally:
            await provider.aclose()
    ((path, body),) = server.requests
    assert path == FORMS[name].fim
    assert (body["prompt"], body["suffix"]) == (FIM.prompt, FIM.suffix)
    assert (reply.text, reply.finish) == ("a + b", "stop")


@pytest.mark.parametrize("name", FORMS)
async def test_a_wrong_key_is_told_and_not_repeated(name: str) -> None:
    with vendor_server(name, "m") as server:
        known = settings(name, server.url)
        wrong = known.model_validate(
            {
                "cloud": {"openai": {"url": server.url, "api_key": f"{KEY}-wrong"}}
                if name == "openai"
                else {"vendors": {name: {"url": server.url, "api_key": f"{KEY}-wrong"}}}
            }
        )
        provider = place_of(name, wrong).connect()
        with pytest.raises(AuthenticationError) as refused:
            await provider.chat(CHAT)
        await provider.aclose()
    assert KEY not in str(refused.value)
    assert KEY not in repr(wrong)


@pytest.mark.parametrize("name", FORMS)
async def test_every_vendor_is_a_cloud(name: str) -> None:
    with vendor_server(name, "m", elsewhere=True) as server:
        for known, request in [
            (settings(name, server.url, routing={"allow_cloud": False}), CHAT),
            (settings(name, server.url, privacy={"mode": True}), CHAT),
            (settings(name, server.url), CHAT.model_copy(update={"sensitive": True})),
        ]:
            place = place_of(name, known)
            assert not place.local
            provider = place.connect()
            with pytest.raises(EgressRefusedError):
                await provider.chat(request)
            await provider.aclose()
        assert server.requests == []


@pytest.mark.parametrize("name", ["mistral", "gemini", "azure"])
async def test_a_model_that_is_gone_says_which_took_its_place(name: str) -> None:
    with vendor_server(name, "some-large-4", "some-large-3-5", "some-small-5") as server:
        provider = place_of(name, settings(name, server.url)).connect()
        with pytest.raises(ModelNotFoundError, match="some-large-4 took its place") as gone:
            await provider.chat(CHAT.model_copy(update={"model": "some-large-3"}))
        with pytest.raises(ModelNotFoundError) as unknown:
            await provider.chat(CHAT.model_copy(update={"model": "other"}))
        await provider.aclose()
    assert "models.toml" in gone.value.remedy
    assert "took its place" not in str(unknown.value)


NEWEST: Final[list[tuple[str, list[str], str | None]]] = [
    ("gemini-3.5-flash", ["gemini-3.8-flash", "gemini-3.9-flash-preview"], "gemini-3.8-flash"),
    ("gemini-3.5-flash", ["gemini-3.8-flash-lite", "gemini-4-pro"], None),
    ("gemini-3-pro", ["gemini-3.1-pro-preview"], "gemini-3.1-pro-preview"),
    ("claude-opus-4-1", ["claude-opus-4-6", "claude-opus-5-5", "claude-hal-6"], "claude-opus-5-5"),
    ("claude-3-5-haiku-20241022", ["claude-haiku-4-5-20251001"], "claude-haiku-4-5-20251001"),
    ("gpt-5.4", ["gpt-5.6", "gpt-5.10", "gpt-5.6-luna"], "gpt-5.10"),
    ("mistral-large-2411", ["mistral-large-2512", "mistral-large-latest"], "mistral-large-latest"),
    ("codestral-2501", ["codestral-2508", "codestral-mamba-2407"], "codestral-2508"),
    ("deepseek-v3", ["deepseek-v3.2", "deepseek-v4-pro"], "deepseek-v3.2"),
    ("anthropic/claude-sonnet-4", ["anthropic/claude-sonnet-5", "x/claude-sonnet-6"],
     "anthropic/claude-sonnet-5"),
    ("m", [], None),
]  # fmt: skip


@pytest.mark.parametrize(("gone", "offered", "after"), NEWEST)
def test_the_newest_of_a_family_is_found_by_its_name(
    gone: str, offered: list[str], after: str | None
) -> None:
    assert newest(gone, offered) == after
    assert replacements([gone, *offered], offered) == {gone: after}


def test_every_vendor_is_whole() -> None:
    vendors = builtin_vendors()
    assert set(vendors) == {"anthropic", "openai", *VENDOR_NAMES}
    assert set(FORMS) == set(vendors) - {"anthropic"}
    assert {each.variable for each in vendors.values()} == KEY_VARIABLES
    registry, prices = builtin_capabilities(), builtin_prices()
    placed = [each for model in registry.models for each in model.deployments]
    for each in placed:
        if each.endpoint in vendors:
            assert each.model
            # A price of its own, not that of the dearest.
            name = re.sub(r"-latest$", "", each.model.rpartition("/")[2])
            assert prices.of(each.model).name == name
        if each.fills_in:
            assert vendors[each.endpoint].fim is not None
    # Whose models depend on what the user has deployed is not in the registry.
    assert {each.endpoint for each in placed} >= set(vendors) - {"azure"}


def test_azure_needs_an_address() -> None:
    assert "azure" not in Settings().cloud.by_name()
    known = settings("azure", "https://mine.openai.azure.com/openai/v1")
    assert place_of("azure", known).ready


ELSEWHERE: Final = """\
name = "x"
title = "X"
variable = "X"
protocol = "openai"
url = "https://x/v1"
fim = { url = "https://other/fim" }
"""


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ('name = "x"', "title"),
        ('name = "X"\ntitle = "X"\nvariable = "X"\nprotocol = "openai"', "name"),
        ('name = "x"\ntitle = "X"\nvariable = "X"\nprotocol = "grpc"', "protocol"),
        ('name = "x"\ntitle = "X"\nvariable = "X"\nprotocol = "openai"\nurl = "ftp://x"', "url"),
        (ELSEWHERE, "another host"),
    ],
)
def test_a_wrong_entry_is_told_by_file_and_key(tmp_path: Path, entry: str, wrong: str) -> None:
    path = tmp_path / "vendors.toml"
    path.write_text(f"[[vendors]]\n{entry}\n")
    with pytest.raises(SettingsError, match=wrong):
        load_vendors(path)


def test_an_unknown_vendor_is_no_setting() -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"cloud": {"vendors": {"nobody": {}}}})
