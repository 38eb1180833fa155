"""Each setting that an editor makes reaches the server by the name that package.json declares."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.server.test_editor_commands import run
from tests.server.test_serve import Daemon
from tests.support.engine import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.lsp_client import Json

VALUES: Final[dict[str, Any]] = {
    "coai.completion.cacheEntries": 7,
    "coai.ledger.days": 3,
    "coai.privacy.patterns": ["ACME-[0-9]{6}"],
    "coai.routing.objective": "cost",
    "coai.routing.hedge": True,
    "coai.routing.redact": True,
    "coai.cloud.anthropic.url": "https://anthropic.example.org",
    "coai.cloud.openai.enabled": False,
    "coai.cloud.openai.url": "https://openai.example.org/v1",
    "coai.cloud.vendors.gemini.enabled": False,
    "coai.cache.entries": 11,
    "coai.cache.minutes": 13,
    "coai.cache.diskMegabytes": 17,
    "coai.budget.monthlyUsd": 19.5,
    "coai.endpoints.ollama.model": "one",
    "coai.endpoints.lmstudio.enabled": False,
    "coai.endpoints.lmstudio.url": "http://127.0.0.1:1/v1",
    "coai.endpoints.lmstudio.model": "two",
    "coai.endpoints.llamaServer.model": "three",
    "coai.endpoints.vllm.model": "four",
}
"""What no test of a feature's own sets through an editor."""


def nested(values: dict[str, Any]) -> Json:
    """Return settings as VS Code's extension sends them."""
    settings: Json = {}
    for name, value in values.items():
        inner = settings
        *path, last = name.split(".")
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return settings


def shown(daemon: Daemon) -> dict[str, Json]:
    """Return the settings in force by the names that the server gives them."""
    return {row["key"]: row for row in run(daemon, "coai.settings")}


def server_name(setting: str) -> str:
    """Return the server's name for a setting of an editor's."""
    path = setting.split(".")[1:]
    return ".".join(re.sub("([A-Z])", r"_\1", part).lower() for part in path)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    home = tmp_path_factory.mktemp("home")
    # What the environment says of an endpoint would do as well, but the editor's word counts.
    with Daemon(home, COAI_ENGINE__ENABLED="false") as server:
        server.initialize()
        deadline = time.monotonic() + PATIENCE
        before = shown(server)
        server.notify("workspace/didChangeConfiguration", {"settings": nested(VALUES)})
        while shown(server) == before:
            assert time.monotonic() < deadline
        yield server


@pytest.mark.parametrize("setting", VALUES)
def test_what_an_editor_sets_is_in_force(daemon: Daemon, setting: str) -> None:
    row = shown(daemon)[server_name(setting)]
    assert (json.loads(row["value"]), row["origin"]) == (VALUES[setting], "editor")


def test_none_of_them_is_refused(daemon: Daemon) -> None:
    assert daemon.status()["problems"] == []
