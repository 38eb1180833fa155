"""`coai why`: what it says of each kind of request, and where nothing was recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from coai_agents.completion.outcome import Reason
from coai_routing.records.usage_file import location
from coai_routing.records.usage_log import UsageLog
from coai_routing.records.usage_rows import Fate, RequestRow, SuggestionRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.server.cli.conftest import InProcess, Json

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def ledger(empty_home: Path) -> Iterator[UsageLog]:
    """Give a ledger that a daemon has open while the command runs."""
    ledger = UsageLog(location(), batch_seconds=0.0)
    ledger.open()
    yield ledger
    assert ledger.close(20)


@pytest.fixture
def record(ledger: UsageLog, empty_home: Path) -> Callable[..., RequestRow]:
    """Return how to record a request in `a.py`, each one a second later."""
    count = 0

    def add(**changes: Json) -> RequestRow:
        nonlocal count
        count += 1
        fields: dict[str, Json] = {"uri": (empty_home / "a.py").as_uri(), **changes}
        row = RequestRow(
            at=NOW + timedelta(seconds=count),
            line=count,
            trigger="automatic",
            language="python",
            elapsed_ms=12.4,
            **fields,
        )
        ledger.record(row)
        assert ledger.flush(20)
        return row

    return add


SUGGESTED = {"origin": "model", "backend": "embedded", "model": "m", "identity": 1}


def test_the_newest_comes_first_with_its_place_and_reason(
    coai: InProcess, record: Callable[..., RequestRow]
) -> None:
    first = record(reason="no_backend", detail="embedded: m is not here.")
    record(uri="untitled:Untitled-1", **SUGGESTED)
    ran = coai("why")
    assert (ran.code, ran.err) == (0, "")
    when = [f"{first.at.astimezone() + timedelta(seconds=n):%Y-%m-%d %H:%M:%S}" for n in (0, 1)]
    assert ran.out.splitlines() == [
        f"{when[1]}  untitled:Untitled-1:3  12 ms",
        "    Suggested (asked the model) by m (embedded).",
        f"{when[0]}  a.py:2  12 ms",
        f"    no_backend: {Reason.NO_BACKEND.meaning} embedded: m is not here.",
        f"    {Reason.NO_BACKEND.remedy}",
    ]


@pytest.mark.parametrize(
    ("fate", "said"),
    [
        (Fate.ACCEPTED, "(embedded), and accepted."),
        (Fate.ACCEPTED_IN_PART, "(embedded), and accepted in part."),
        (Fate.TYPED, "(embedded), and typed by hand."),
        (Fate.REJECTED, "(embedded), and not taken."),
        (Fate.SHOWN, "(embedded)."),
    ],
)
def test_what_became_of_a_suggestion(
    coai: InProcess, ledger: UsageLog, record: Callable[..., RequestRow], fate: Fate, said: str
) -> None:
    record(**SUGGESTED)
    ledger.record(
        SuggestionRow(NOW, 1, "", "", "embedded", "m", 10, 1, fate, 4, kept_30s=1.0, kept_5min=0.5)
    )
    assert ledger.flush(20)
    assert coai("why").out.rstrip().endswith(said)
    (told,) = coai("why", "--json").document["requests"]
    assert (told["fate"], told["takenCharacters"]) == (fate.value, 4)
    assert (told["kept30s"], told["kept5min"]) == (1.0, 0.5)


def test_scripts_get_everything(
    coai: InProcess, empty_home: Path, record: Callable[..., RequestRow]
) -> None:
    refused = record(reason="timed_out")
    suggested = record(evaluated_tokens=3, cached_tokens=2, output_tokens=1, **SUGGESTED)
    said = coai("why", "--json").document
    shared = {"uri": suggested.uri, "trigger": "automatic", "language": "python", "elapsedMs": 12.4}
    assert said == {
        "ok": True,
        "enabled": True,
        "ledger": str(location()),
        "requests": [
            {
                "kind": "suggestion",
                "at": suggested.at.isoformat(),
                "line": 3,
                **shared,
                "origin": "model",
                "backend": "embedded",
                "model": "m",
                "evaluatedTokens": 3,
                "cachedTokens": 2,
                "outputTokens": 1,
                "fate": None,
                "takenCharacters": None,
                "kept30s": None,
                "kept5min": None,
            },
            {
                "kind": "none",
                "at": refused.at.isoformat(),
                "line": 2,
                **shared,
                "reason": "timed_out",
                "sentence": Reason.TIMED_OUT.meaning,
                "remedy": Reason.TIMED_OUT.remedy,
            },
        ],
    }


def test_so_many_as_were_asked_for(coai: InProcess, record: Callable[..., RequestRow]) -> None:
    for _ in range(3):
        record(reason="superseded")
    lines = [each["line"] for each in coai("why", "--last", "2", "--json").document["requests"]]
    assert lines == [4, 3]
    assert coai("why", "--last", "0").code == 2


def test_what_another_version_recorded_is_shown_as_it_is(
    coai: InProcess, record: Callable[..., RequestRow]
) -> None:
    record(reason="eclipsed", detail="By the moon.")
    record(reason="eclipsed")
    record(origin="dreamt", backend="b", model="m", uri="")
    out = coai("why").out
    assert "eclipsed: By the moon." in out
    assert "eclipsed: Another version of COAI recorded this." in out
    assert "Suggested (dreamt) by m (b)." in out
    assert "unknown:4" in out


def test_nothing_that_was_recorded_steers_the_terminal(
    coai: InProcess, record: Callable[..., RequestRow]
) -> None:
    record(reason="excluded", detail="\x1b[31mred", uri="untitled:\x1b]0;title\x07")
    assert "\x1b" not in coai("why").out


def test_where_nothing_was_recorded_it_says_so(coai: InProcess) -> None:
    ran = coai("why")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.startswith(f"Nothing was recorded yet in {location()}.")
    assert coai("why", "--json").document["requests"] == []
    assert not location().exists()


def test_where_the_ledger_is_off_it_says_so(
    coai: InProcess, record: Callable[..., RequestRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    record(reason="superseded")
    monkeypatch.setenv("COAI_LEDGER__ENABLED", "false")
    ran = coai("why")
    assert "superseded" in ran.out
    assert "The ledger is off (`ledger.enabled`)" in ran.err
    assert coai("why", "--json").document["enabled"] is False


def test_a_ledger_that_cannot_be_read_is_an_error(coai: InProcess) -> None:
    location().parent.mkdir(parents=True, exist_ok=True)
    location().write_bytes(b"no database\n" * 500)
    ran = coai("why")
    assert (ran.code, ran.out) == (1, "")
    assert "no database" in " ".join(ran.err.split())
    said = coai("why", "--json")
    assert said.code == 1
    assert said.document["ok"] is False


def test_every_remedy_is_a_sentence() -> None:
    for reason in Reason:
        assert reason.remedy == "" or reason.remedy.endswith(".")
