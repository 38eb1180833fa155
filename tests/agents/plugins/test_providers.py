"""A plug-in that speaks to a model server: through the router, and with the kit's check."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_agents.runs import Extras, open_runner
from coai_agents.testing import check_provider
from coai_routing.privacy.egress import Egress
from coai_routing.providers.openai_compatible import OpenAICompatibleProvider
from coai_routing.settings.schema import Settings
from tests.support.cloud_server import cloud_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cloud_server import CloudServer

MODELS = """
[[models]]
alias = "mine.model"
title = "A model of a plug-in's"
tier = "fast"
quality = 0.9
typical_ms = 100
context_tokens = 8192
deployments = [{ endpoint = "mine", model = "m" }]
"""
PLAN = "{name: p, nodes: [{kind: agent, name: a, prompt: Say something., given: {text: input}}]}"


class Mine:
    """As a package would offer it."""

    def __init__(self, url: str) -> None:
        self.base_url = url

    def __call__(self, egress: Egress) -> OpenAICompatibleProvider:
        return OpenAICompatibleProvider(name="mine", base_url=self.base_url, egress=egress)


class Careless(Mine):
    """Asks nobody whether it may."""

    def __call__(self, egress: Egress) -> OpenAICompatibleProvider:
        return super().__call__(Egress(allow=True))


@pytest.fixture
def server() -> Iterator[CloudServer]:
    with cloud_server() as cloud:
        cloud.answer = "words of a plug-in's model"
        yield cloud


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CONFIG", "STATE", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    (tmp_path / "CONFIG" / "coai").mkdir(parents=True)
    (tmp_path / "CONFIG" / "coai" / "models.toml").write_text(MODELS)
    return tmp_path


def settings(*, allow: bool) -> Settings:
    return Settings.model_validate({"routing": {"allow_cloud": allow}})


async def test_a_step_is_answered_by_it(home: Path, server: CloudServer) -> None:
    extras = Extras(providers={"mine": Mine(f"{server.url}/v1")})
    async with open_runner(
        home, extras=extras, alias="mine.model", settings=settings(allow=True), journal=home / "r"
    ) as runner:
        outcome = await runner.run(runner.plan(PLAN), "hello")
        assert outcome.result == "words of a plug-in's model", outcome
        secret = await runner.run(runner.plan(PLAN), "password = 'hunter2-Zq81xT'")
        assert secret.state == "failed", "what is sensitive does not leave by it"


async def test_nothing_leaves_by_it_that_may_not(home: Path, server: CloudServer) -> None:
    extras = Extras(providers={"mine": Mine(f"{server.url}/v1")})
    async with open_runner(
        home, extras=extras, alias="mine.model", settings=settings(allow=False), journal=home / "r"
    ) as runner:
        assert (await runner.run(runner.plan(PLAN), "hello")).state == "failed"


async def test_the_kit_knows_who_asks_nobody(server: CloudServer) -> None:
    await check_provider(Mine(f"{server.url}/v1"))
    with pytest.raises(AssertionError, match="may not go there"):
        await check_provider(Careless(f"{server.url}/v1"))
