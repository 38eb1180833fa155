"""`coai privacy`, `coai cache`, `coai stats`, `coai auth`: what the router did, for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from coai_routing.errors import NoAnswerError
from coai_routing.policy.bandit import BanditStandings, Verdict
from coai_routing.privacy import departures as egress_log
from coai_routing.records import spending as books
from coai_routing.records import usage_file as ledger_file
from coai_routing.records.usage_log import UsageLog
from coai_routing.records.usage_rows import RequestRow
from coai_routing.request import Capability, ModelReply
from coai_routing.router.cache import DiskAnswers
from coai_routing.router.calls import Call, Departure
from coai_routing.wiring.assembly import answers_directory, open_routing
from coai_server.cli.plotting import bars
from tests.support.routing import question
from tests.support.settings import settings_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.cli.conftest import InProcess

CALL = Call(
    capability="code_analysis",
    alias="cloud.fast",
    endpoint="anthropic",
    model="m",
    local=False,
    prompt_tokens=9,
    cached_tokens=3,
    output_tokens=2,
    cost_usd=0.25,
    first_ms=5.0,
    total_ms=9.0,
    outcome="answered",
)


def test_what_left_is_listed(coai: InProcess) -> None:
    assert "No request of the router's has left" in coai("privacy", "log").out
    log = egress_log.EgressLog(egress_log.location())
    log.write(
        Departure("https://api.example.org/v1", "openai", "m", "performance", 1234, "allowed")
    )
    ran = coai("privacy", "log")
    assert "api.example.org" in ran.out
    assert "1,234" in ran.out
    (one,) = coai("privacy", "log", "--json").document
    assert (one["host"], one["bytes"], one["why"]) == ("api.example.org", 1234, "allowed")


def test_the_cache_is_counted_and_cleared(coai: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "0 answers" in coai("cache", "info").out
    answers = DiskAnswers(answers_directory(), 10_000_000)
    answers.put("a", ModelReply(text="x", finish="stop", model="m", provider="p"))
    answers.close()
    assert coai("cache", "info", "--json").document["entries"] == 1
    assert "1 answers forgotten" in coai("cache", "clear").err
    assert coai("cache", "info", "--json").document["entries"] == 0
    monkeypatch.setenv("COAI_CACHE__ENABLED", "false")
    assert "switched off" in coai("cache", "info").out
    assert coai("cache", "info", "--json").document["enabled"] is False
    assert "0 answers" in coai("cache", "clear").err


def test_what_models_did_and_cost(
    coai: InProcess, empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No model was asked" in coai("stats").out
    kept = books.SpendingLedger(books.location())
    kept.settle_now(books.FREE, CALL)
    kept.close()
    monkeypatch.setenv("COAI_BUDGET__DAILY_USD", "2")
    ran = coai("stats", "--plot", "cost.svg")
    assert "cloud.fast (m)" in ran.out
    assert "0.2500 USD in 30 days." in ran.out
    assert "The budget is 2.00 USD a day." in ran.out
    image = ET.fromstring((empty_home / "cost.svg").read_text(encoding="utf-8"))
    assert image.tag.endswith("svg")
    assert 'endpoint="anthropic"' in coai("stats", "--prometheus").out
    (row,) = coai("stats", "--json").document
    assert (row["calls"], row["costUsd"]) == (1, 0.25)


def test_completions_by_models_here_are_listed_beside_what_the_router_asked(
    coai: InProcess,
) -> None:
    ledger = UsageLog(ledger_file.location(), batch_seconds=0.0)
    ledger.open()
    for origin, reason in (("model", ""), ("joined", ""), ("cache", ""), ("", "timed_out")):
        ledger.record(
            RequestRow(
                at=datetime.now(UTC),
                uri="file:///a.py",
                line=1,
                trigger="automatic",
                language="python",
                elapsed_ms=100.0,
                origin=origin,
                backend="embedded" if origin else "",
                model="m" if origin else "",
                reason=reason,
                evaluated_tokens=5,
                cached_tokens=95,
                output_tokens=7,
            )
        )
    assert ledger.close(20)
    out = coai("stats").out
    assert "No model was asked through the router" in out
    (line,) = (line for line in out.splitlines() if "embedded" in line)
    assert line.split() == ["embedded", "(m)", "2", "200", "190", "14", "100", "ms"]


def test_what_was_learned(coai: InProcess) -> None:
    assert "Nothing was learned" in coai("stats", "--models").out
    kept = books.SpendingLedger(books.location())
    BanditStandings(kept).note(Capability.PERFORMANCE, "cloud.fast", Verdict.ACCEPTED)
    kept.close()
    assert "performance: cloud.fast 0.67 (on 1 verdicts)" in coai("stats", "--models").out
    (one,) = coai("stats", "--models", "--json").document
    assert one["alias"] == "cloud.fast"


def test_keys_are_told_and_never_shown(coai: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = coai("auth")
    assert "`coai auth login anthropic`, or ANTHROPIC_API_KEY" in ran.out
    assert "routing.allow_cloud" in ran.out
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-nobody's")
    monkeypatch.setenv("COAI_CLOUD__OPENAI__API_KEY", "sk-nobody's")
    monkeypatch.setenv("COAI_ROUTING__ALLOW_CLOUD", "true")
    ran = coai("auth")
    assert ran.out.splitlines()[:2] == [
        "anthropic: set, in the environment.",
        "openai: set, in the settings.",
    ]
    told = coai("auth", "--json").document
    assert told["openai"] == {"set": True, "source": "settings", "hides": None}
    assert told["mistral"] == {"set": False, "source": None, "hides": None}
    assert "nobody" not in ran.out + ran.err


def test_an_image_of_nothing_is_an_image() -> None:
    assert ET.fromstring(bars([], title="a < b", unit="USD")).tag.endswith("svg")


@pytest.mark.usefixtures("empty_home")
async def test_the_router_as_the_settings_describe_it() -> None:
    settings = settings_of({"routing": {"objective": "quality", "hedge": True}})
    routing = await open_routing(lambda: settings)
    with pytest.raises(NoAnswerError) as caught:
        await routing.router.answer(question("hi"))
    assert "openai: It is not on this machine" in caught.value.explanation()
    await routing.aclose()
    off = settings_of({"cache": {"enabled": False}})
    routing = await open_routing(lambda: off)
    assert routing.cache is None
    await routing.aclose()
