"""What a client said at its start stays when it has nothing more to say."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from coai_routing.settings.loading import load
from coai_server.daemon.client_settings import ClientSettings
from tests.server.test_editor_commands import run
from tests.server.test_serve import Daemon
from tests.support.engine import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

START: dict[str, Any] = {"completion": {"maxTokens": 77}, "privacy": {"mode": True}}

NOTHING_SAID: list[object] = [
    None,
    {"coai": None},
    {"coai": {"coai": None}},
    [],
    [None],
    "",
    0,
    False,
    {},
    {"coai": {}},
    {"completion": {}, "privacy": None},
    {"completion": {"maxTokens": None}, "privacy": {"mode": None}},
    {"completion.maxTokens": None, "privacy.mode": None},
]


def in_force(settings: ClientSettings, folder: Path) -> tuple[int, bool]:
    loaded = load(
        client=settings.layers, environ={}, user_file=folder / "none.toml", directory=folder
    )
    return loaded.settings.completion.max_tokens, loaded.settings.privacy.mode


@pytest.mark.parametrize("start", [START, {"coai": START}, {"completion.maxTokens": 77} | START])
@pytest.mark.parametrize("nothing", NOTHING_SAID, ids=repr)
def test_who_says_nothing_takes_nothing_away(
    start: object, nothing: object, tmp_path: Path
) -> None:
    settings = ClientSettings(start)
    settings.tell(nothing)
    assert in_force(settings, tmp_path) == (77, True)


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ({"completion": {"maxTokens": 50}}, (50, True)),
        ({"completion.max_tokens": 50}, (50, True)),
        ({"coai": {"completion": {"maxTokens": 50}}}, (50, True)),
        ({"completion": {"maxTokens": "many"}}, (77, True)),
        ({"completion": {"cacheEntries": 3}}, (77, True)),
        ({"privacy": {"mode": False}}, (77, False)),
    ],
)
def test_what_is_said_later_is_laid_over_it_setting_by_setting(
    told: object, outcome: tuple[int, bool], tmp_path: Path
) -> None:
    settings = ClientSettings(START)
    settings.tell(told)
    assert in_force(settings, tmp_path) == outcome


def test_what_a_client_that_tells_everything_leaves_out_was_taken_away(tmp_path: Path) -> None:
    default = in_force(ClientSettings(), tmp_path)
    settings = ClientSettings(START)
    settings.tell(START)
    settings.tell({"privacy": {"mode": True}})
    assert in_force(settings, tmp_path) == (default[0], True)
    settings.tell({})
    assert in_force(settings, tmp_path) == default
    settings.tell(None)
    assert in_force(settings, tmp_path) == (77, True)


def row(daemon: Daemon, key: str) -> tuple[str, str]:
    rows = run(daemon, "coai.settings")
    return next((each["value"], each["origin"]) for each in rows if each["key"] == key)


@pytest.mark.parametrize("answer", [[None], [], [{}], "refused"], ids=repr)
def test_the_daemon_keeps_what_it_was_started_with(answer: object, tmp_path: Path) -> None:
    workspace = {"configuration": True, "didChangeConfiguration": {"dynamicRegistration": True}}
    with Daemon(tmp_path, COAI_ENGINE__ENABLED="false") as server:
        server.begin(options=START, capabilities={"workspace": workspace})
        server.refuse(server.server_request("client/registerCapability"))
        wanted = server.server_request("workspace/configuration")
        if answer == "refused":
            server.refuse(wanted)
        else:
            server.answer(wanted, answer)
        # Pushed without a section by a client that knows none of our name.
        server.notify(
            "workspace/didChangeConfiguration", {"settings": {"completion.cacheEntries": 3}}
        )
        server.answer(server.server_request("workspace/configuration"), [None])
        deadline = time.monotonic() + PATIENCE
        while row(server, "completion.cache_entries") != ("3", "editor"):
            assert time.monotonic() < deadline
        assert row(server, "completion.max_tokens") == ("77", "editor")
        assert row(server, "privacy.mode") == ("true", "editor")
