"""`coai route`: the plan for people and for scripts, without a model being asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.cli.conftest import InProcess

CLOUD = {"COAI_ROUTING__ALLOW_CLOUD": "true", "ANTHROPIC_API_KEY": "sk-ant-nobody's"}
DEEP = (
    "--for",
    "architecture_design",
    "plan the migration of this monolith to services with boundaries, data ownership and risks",
)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, empty_home: Path) -> None:
    for name, value in CLOUD.items():
        monkeypatch.setenv(name, value)


def test_without_models_it_says_what_is_missing(coai: InProcess) -> None:
    ran = coai("route", "explain", "what does this do")
    assert ran.code == 1
    assert "No model may answer this." in ran.out
    assert "coai models pull" in ran.out


@pytest.mark.usefixtures("cloud")
def test_a_plan_for_people(coai: InProcess) -> None:
    ran = coai("route", "explain", *DEEP)
    assert ran.code == 0, ran.err
    assert "Architecture design, preferring the best" in ran.out
    assert "1. cloud.strong at anthropic" in ran.out
    assert "strategic" in ran.out
    assert "words of designs" in ran.out
    assert "There is no key for OpenAI. Set OPENAI_API_KEY." in ran.out
    assert "nobody's" not in ran.out


@pytest.mark.usefixtures("cloud")
def test_a_plan_for_scripts(coai: InProcess) -> None:
    ran = coai("route", "explain", *DEEP, "--json", "--objective", "cost", "--complexity", "0.1")
    plan = ran.document
    assert plan["objective"] == "cost"
    assert plan["complexity"]["score"] == 0.1
    assert [one["alias"] for one in plan["candidates"]] == ["cloud.balanced", "cloud.strong"]
    assert all(not one["local"] and one["costUsdAtMost"] > 0 for one in plan["candidates"])
    assert {one["endpoint"] for one in plan["rejected"]} >= {"embedded", "openai"}


@pytest.mark.usefixtures("cloud")
def test_a_file_with_a_secret_stays_here(coai: InProcess, empty_home: Path) -> None:
    secret = "ghp_" + "k3Rt9Wq2Zx7Lm4Nb8Vc1Yd6Hf5Gj0Ps3Qa7u"
    (empty_home / "deploy.py").write_text(f"TOKEN = '{secret}'\n")
    ran = coai("route", "explain", "--file", "deploy.py", "review this")
    assert ran.code == 1
    assert "a secret (github-token)" in ran.out
    assert "the request is sensitive" in ran.out
    assert secret not in ran.out
    ran = coai("route", "explain", "--file", "deploy.py", "--json")
    assert ran.document["sensitive"]
    assert ran.document["candidates"] == []


def test_nothing_goes_to_a_cloud_unless_it_is_allowed(
    coai: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    ran = coai("route", "explain", *DEEP)
    assert ran.code == 1
    assert "Set `routing.allow_cloud`" in ran.out
    monkeypatch.setenv("COAI_CLOUD__ANTHROPIC__ENABLED", "false")
    monkeypatch.setenv("COAI_ROUTING__ALLOW_CLOUD", "true")
    assert "Set `cloud.anthropic.enabled`." in coai("route", "explain", *DEEP).out


def test_the_models_that_can_be_asked(coai: InProcess, empty_home: Path) -> None:
    ran = coai("route", "models")
    assert "local.code" in ran.out
    assert "cloud.strong" in ran.out
    (empty_home / "coai").mkdir(exist_ok=True)
    aliases = [model["alias"] for model in coai("route", "models", "--json").document]
    assert aliases[0] == "local.code"
