"""Keys that an editor hands over, and what its reports ask, of the real `coai serve`."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from coai_routing.privacy.departures import EgressLog
from coai_routing.records.spending import FREE, SpendingLedger
from coai_routing.records.usage_log import UsageLog
from coai_routing.records.usage_rows import Fate, RequestRow, SuggestionRow
from coai_routing.router.calls import Call, Departure
from tests.server.test_editor_commands import run
from tests.server.test_serve import Daemon
from tests.support.engine import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.lsp_client import Json

KEY = "sk-ant-api03-keep-this-to-yourself"
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


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def daemon(home: Path) -> Iterator[Daemon]:
    variables = {"OPENAI_API_KEY": "from the environment", "ANTHROPIC_API_KEY": ""}
    with Daemon(home, COAI_ENGINE__ENABLED="false", COAI_LOG__LEVEL="debug", **variables) as server:
        server.initialize()
        yield server


def sources(daemon: Daemon) -> dict[str, str]:
    """Return where each vendor's key comes from."""
    return {vendor["name"]: vendor["source"] for vendor in run(daemon, "coai.vendors")}


def settings(daemon: Daemon) -> dict[str, Json]:
    return {row["key"]: row for row in run(daemon, "coai.settings")}


def test_a_key_of_the_editors_is_used_until_it_is_taken_back(daemon: Daemon) -> None:
    others = dict.fromkeys(("gemini", "mistral", "deepseek", "openrouter"), "")
    assert sources(daemon) == {"anthropic": "", "openai": "environment", **others}
    (anthropic, openai, *_) = run(daemon, "coai.signIn", "anthropic", f" {KEY}\n")
    assert anthropic == {
        "name": "anthropic",
        "variable": "ANTHROPIC_API_KEY",
        "source": "editor",
        "enabled": True,
        "allowed": False,
    }
    assert openai["source"] == "environment"
    shown = settings(daemon)["cloud.anthropic.api_key"]
    assert (shown["value"], shown["origin"]) == ("********", "editor")
    # Settings that the editor sends later leave it as it is.
    daemon.notify(
        "workspace/didChangeConfiguration",
        {"settings": {"coai": {"routing": {"allowCloud": True}}}},
    )
    deadline = time.monotonic() + PATIENCE
    while not all(vendor["allowed"] for vendor in run(daemon, "coai.vendors")):
        assert time.monotonic() < deadline
    assert sources(daemon)["anthropic"] == "editor"
    run(daemon, "coai.signIn", "mistral", KEY)
    assert sources(daemon)["mistral"] == "editor"
    assert KEY not in str(settings(daemon))
    run(daemon, "coai.signOut", "mistral")
    assert sources(daemon)["mistral"] == ""
    run(daemon, "coai.signOut", "anthropic")
    assert sources(daemon)["anthropic"] == ""
    assert settings(daemon)["cloud.anthropic.api_key"]["value"] == "not set"


@pytest.mark.parametrize("key", ["", "   ", "sk-two\nlines", "x" * 5000], ids=len)
def test_what_is_no_key_is_refused_without_being_repeated(daemon: Daemon, key: str) -> None:
    error = daemon.error(
        "workspace/executeCommand", {"command": "coai.signIn", "arguments": ["anthropic", key]}
    )
    assert "This is no key." in error["message"]
    assert "sk-" not in str(error)
    assert "xxx" not in str(error)


@pytest.mark.parametrize(("command", "more"), [("coai.signIn", [KEY]), ("coai.signOut", [])])
def test_a_vendor_that_is_not_known_is_refused(
    daemon: Daemon, command: str, more: list[str]
) -> None:
    asked: Json = {"command": command, "arguments": ["elsewhere", *more]}
    error = daemon.error("workspace/executeCommand", asked)
    assert "anthropic, openai" in error["message"]


def test_a_key_is_written_nowhere(daemon: Daemon, home: Path) -> None:
    run(daemon, "coai.signIn", "anthropic", KEY)
    run(daemon, "coai.signIn", "openai", KEY)
    files = [path for path in home.rglob("*") if path.is_file()]
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    assert KEY not in daemon.log()
    assert KEY not in str([*daemon.call("coai/status").values(), run(daemon, "coai.settings")])


def test_nothing_used_is_an_empty_report(tmp_path: Path) -> None:
    with Daemon(tmp_path, COAI_ENGINE__ENABLED="false", COAI_LEDGER__ENABLED="false") as server:
        server.initialize()
        usage = run(server, "coai.usage")
        assert (usage["models"], usage["perDay"], usage["completions"]) == ([], [], None)
        assert run(server, "coai.departures") == []
        assert server.status()["spending"] == {
            "todayUsd": 0,
            "monthUsd": 0,
            "reservedUsd": 0,
            "dailyBudgetUsd": None,
            "monthlyBudgetUsd": None,
        }


def test_what_was_used_spent_and_sent_is_reported(tmp_path: Path) -> None:
    state = tmp_path / "state" / "coai"
    books = SpendingLedger(state / "books.sqlite3")
    books.settle_now(FREE, CALL)
    books.close()
    log = EgressLog(state / "egress.sqlite3")
    log.write(
        Departure("https://api.example.org/v1", "openai", "m", "performance", 1234, "allowed")
    )
    with Daemon(tmp_path, COAI_ENGINE__ENABLED="false", COAI_BUDGET__DAILY_USD="2") as server:
        server.initialize()
        # This daemon has asked no cloud model: what others have spent counts for the budget.
        spending = server.status()["spending"]
        assert spending["todayUsd"] == spending["monthUsd"] == pytest.approx(0.25)
        assert (spending["dailyBudgetUsd"], spending["monthlyBudgetUsd"]) == (2, None)
        usage = run(server, "coai.usage")
        assert usage["spending"] == spending
        (model,) = usage["models"]
        assert (model["alias"], model["calls"], model["promptTokens"]) == ("cloud.fast", 1, 9)
        (day,) = usage["perDay"]
        assert (day["calls"], day["usd"]) == (1, 0.25)
        (departed,) = run(server, "coai.departures")
        assert (departed["host"], departed["bytes"]) == ("api.example.org", 1234)


async def test_what_completions_came_to_is_reported(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    ledger = UsageLog(tmp_path / "state" / "coai" / "ledger.sqlite3", days=lambda: 90)
    ledger.open()
    for number, reason in enumerate(("", "", "disabled")):
        ledger.record(
            RequestRow(
                at=now, uri="file:///a.py", line=0, trigger="automatic", language="python",
                elapsed_ms=100.0 * (number + 1), reason=reason, identity=number, output_tokens=5,
            )
        )  # fmt: skip
    ledger.record(
        SuggestionRow(identity=0, shown_at=now, uri="file:///a.py", language="python",
                      backend="embedded", model="m", fate=Fate.ACCEPTED, characters=10, lines=1)
    )  # fmt: skip
    await ledger.aclose()
    with Daemon(tmp_path, COAI_ENGINE__ENABLED="false") as server:
        server.initialize()
        assert run(server, "coai.usage")["completions"] == {
            "requests": 3,
            "suggestions": 2,
            "medianMs": 150.0,
            "outputTokens": 15,
            "fates": {"accepted": 1},
        }


@pytest.mark.skipif(sys.platform == "win32", reason="any mode can be read there")
def test_books_that_cannot_be_read_leave_the_status_without_a_sum(tmp_path: Path) -> None:
    books = tmp_path / "state" / "coai" / "books.sqlite3"
    books.parent.mkdir(parents=True)
    books.write_bytes(b"this is no database" * 100)
    with Daemon(tmp_path, COAI_ENGINE__ENABLED="false") as server:
        server.initialize()
        assert server.status()["spending"] is None
        asked: Json = {"command": "coai.usage", "arguments": []}
        assert "cannot be used" in server.error("workspace/executeCommand", asked)["message"]
