"""What the daemon keeps of completions: rows without code, and habits that outlive it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from coai_agents.completion.feedback.tuning import UNTUNED
from coai_agents.completion.outcome import Event, NoSuggestion, Reason, Suggestion, Trigger
from coai_agents.source import Source
from coai_routing.records.usage_log import UsageLog
from coai_routing.records.usage_reading import reading
from coai_routing.records.usage_rows import Fate
from coai_routing.settings.schema import LedgerSettings
from coai_server.daemon.recording import Recorder, row_of
from tests.routing.records.test_usage_log import suggestion

if TYPE_CHECKING:
    from pathlib import Path

    from coai_agents.completion.outcome import Outcome

URI = "file:///work/a.py"
SECRET = "the_users_own_code(42)"
SHOWN = Suggestion(
    text=SECRET,
    replaces=0,
    origin="model",
    backend="embedded",
    model="m",
    elapsed_ms=12.0,
    identity=3,
    evaluated_tokens=5,
    cached_tokens=4,
    output_tokens=3,
)


def event(outcome: Outcome, uri: str = URI) -> Event:
    return Event(1.0, uri, 7, Trigger.AUTOMATIC, outcome, "python")


class Switch:
    """Settings that a test changes."""

    def __init__(self, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self.off: set[str] = set()

    def __call__(self, uri: str) -> LedgerSettings:
        return LedgerSettings(enabled=self.enabled and uri not in self.off)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.sqlite3"


async def kept(recorder: Recorder, path: Path) -> list[tuple[str, str]]:
    await recorder.aclose()
    with reading(path) as reader:
        return [(past.request.uri, past.request.reason) for past in reader.requests(1000)]


def test_a_suggestion_becomes_a_row_without_its_text() -> None:
    row = row_of(event(SHOWN))
    assert SECRET not in repr(row)
    assert (row.origin, row.backend, row.model, row.identity) == ("model", "embedded", "m", 3)
    assert (row.evaluated_tokens, row.cached_tokens, row.output_tokens) == (5, 4, 3)
    assert (row.uri, row.line, row.trigger, row.language) == (URI, 7, "automatic", "python")
    assert abs((row.at - datetime.now(UTC)).total_seconds()) < 60


@pytest.mark.parametrize("reason", list(Reason))
def test_a_backends_own_words_are_not_kept(reason: Reason) -> None:
    # They may quote the prompt.
    row = row_of(event(NoSuggestion(reason, SECRET)))
    ours = reason.value in {
        "disabled_for_language",
        "snoozed",
        "excluded",
        "secret_file",
        "too_large",
        "no_backend",
        "egress_refused",
    }
    assert row.reason == reason.value
    assert row.detail == (SECRET if ours else "")


async def test_no_code_is_in_the_file(path: Path) -> None:
    source = Source(URI, "total = \n", "python")
    recorder = Recorder(Switch(), lambda _: source, path=path)
    recorder.open()
    await recorder.learn()
    recorder.ended(event(SHOWN), source, 8)
    recorder.ended(event(NoSuggestion(Reason.BACKEND_FAILED, SECRET)), source, 8)
    await recorder.aclose()
    for file in path.parent.iterdir():
        assert SECRET.encode() not in file.read_bytes()
    with reading(path) as reader:
        failed, shown = reader.requests(5)
    assert failed.request.reason == "backend_failed"
    assert shown.suggestion is not None
    assert shown.suggestion.characters == len(SECRET)


async def test_a_project_may_have_its_requests_not_recorded(path: Path) -> None:
    settings = Switch()
    settings.off.add("file:///private/b.py")
    recorder = Recorder(settings, lambda _: None, path=path)
    recorder.open()
    await recorder.learn()
    refused = NoSuggestion(Reason.SUPERSEDED)
    recorder.ended(event(refused), None, 0)
    recorder.ended(event(refused, "file:///private/b.py"), None, 0)
    recorder.suggestion(suggestion(uri="file:///private/b.py"))
    for number in range(300):
        recorder.ended(event(refused, f"file:///many/{number}"), None, 0)
    rows = await kept(recorder, path)
    assert len(rows) == 301
    assert ("file:///private/b.py", "superseded") not in rows


async def test_it_is_switched_off_and_on_while_it_runs(path: Path) -> None:
    settings = Switch(enabled=False)
    recorder = Recorder(settings, lambda _: None, path=path)
    recorder.open()
    await recorder.learn()
    await recorder.apply()

    def refuse(reason: Reason) -> None:
        recorder.ended(event(NoSuggestion(reason)), None, 0)

    refuse(Reason.SNOOZED)
    assert recorder.problem is None
    settings.enabled = True
    await recorder.apply()
    await recorder.apply()
    refuse(Reason.DISABLED)
    settings.enabled = False
    await recorder.apply()
    refuse(Reason.EXCLUDED)
    assert await kept(recorder, path) == [(URI, "disabled")]


async def test_habits_outlive_the_daemon(path: Path) -> None:
    first = UsageLog(path)
    first.open()
    for identity in range(60):
        first.record(
            suggestion(
                identity,
                shown_at=datetime.now(UTC),
                fate=Fate.ACCEPTED if identity % 2 else Fate.REJECTED,
                language="python" if identity % 2 else "go",
            )
        )
    await first.aclose()
    recorder = Recorder(Switch(), lambda _: None, path=path)
    assert recorder.tuning("python") == UNTUNED
    recorder.open()
    await recorder.learn()
    python, go = recorder.tuning("python").acceptance, recorder.tuning("go").acceptance
    other = recorder.tuning("rust").acceptance
    assert python is not None
    assert go is not None
    assert other is not None
    assert go < 0.4 < other < 0.6 < python
    for identity in range(60):
        recorder.suggestion(suggestion(identity, fate=Fate.REJECTED))
    later = recorder.tuning("python").acceptance
    assert later is not None
    assert later < python
    await recorder.aclose()


async def test_only_a_fate_is_a_habit(path: Path) -> None:
    recorder = Recorder(Switch(enabled=False), lambda _: None, path=path)
    for identity in range(100):
        recorder.suggestion(suggestion(identity))
        recorder.suggestion(suggestion(identity, fate=Fate.ACCEPTED, kept_30s=1.0))
    assert recorder.tuning("python") == UNTUNED


LATER_FATES = {
    "taken back": (Fate.ACCEPTED, Fate.REJECTED),
    "said to be accepted later": (Fate.REJECTED, Fate.ACCEPTED),
    "accepted in pieces": (Fate.ACCEPTED_IN_PART, Fate.ACCEPTED),
    "told twice": (Fate.ACCEPTED, Fate.ACCEPTED),
}


@pytest.mark.parametrize("fates", LATER_FATES.values(), ids=LATER_FATES)
async def test_a_later_fate_takes_the_earlier_ones_place(
    fates: tuple[Fate, Fate], path: Path
) -> None:
    told: list[tuple[Fate, Fate | None]] = []
    recorder = Recorder(
        Switch(enabled=False),
        lambda _: None,
        path=path,
        judged=lambda row, before: told.append((row.fate, before and before.fate)),
    )
    only = Recorder(Switch(enabled=False), lambda _: None, path=path)
    for identity in range(40):
        first, second = fates
        recorder.suggestion(suggestion(identity, fate=first))
        recorder.suggestion(suggestion(identity, fate=second))
        only.suggestion(suggestion(identity, fate=second))
    assert recorder.tuning("python") == only.tuning("python")
    assert told[:2] == [(fates[0], None), (fates[1], fates[0])]


async def test_a_ledger_that_cannot_be_written_is_a_problem_and_nothing_else(path: Path) -> None:
    path.parent.write_text("in the way")
    recorder = Recorder(Switch(), lambda _: None, path=path)
    recorder.open()
    await recorder.learn()
    recorder.ended(event(NoSuggestion(Reason.DISABLED)), None, 0)
    await recorder.aclose()
    assert recorder.problem is not None
    assert "cannot be opened" in recorder.problem.message
