"""The ledger: what it keeps, what it survives, and how it goes quiet."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from filelock import FileLock

from coai_routing.errors import LedgerError
from coai_routing.records import private_sqlite
from coai_routing.records import usage_file as ledger_file
from coai_routing.records import usage_log as ledger_module
from coai_routing.records.usage_file import UnusableFileError, location, open_ledger, open_to_read
from coai_routing.records.usage_log import UsageLog
from coai_routing.records.usage_reading import reading
from coai_routing.records.usage_rows import Fate, RequestRow, SuggestionRow, fate_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Anything: TypeAlias = Any

SECONDS = 20.0
NOW = datetime(2026, 3, 5, 12, 0, 0, tzinfo=UTC)
posix = pytest.mark.skipif(sys.platform == "win32", reason="modes of files are POSIX's")


def request(number: int = 0, **changes: Anything) -> RequestRow:
    fields: dict[str, Any] = {
        "at": NOW + timedelta(seconds=number),
        "uri": "file:///work/a.py",
        "line": number,
        "trigger": "automatic",
        "language": "python",
        "elapsed_ms": 12.5,
        **changes,
    }
    return RequestRow(**fields)


def suggestion(identity: int = 1, **changes: Anything) -> SuggestionRow:
    fields: dict[str, Any] = {
        "shown_at": NOW,
        "identity": identity,
        "uri": "file:///work/a.py",
        "language": "python",
        "backend": "embedded",
        "model": "m",
        "characters": 10,
        "lines": 1,
        **changes,
    }
    return SuggestionRow(**fields)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.sqlite3"


@pytest.fixture
def new(path: Path) -> Iterator[Callable[..., UsageLog]]:
    """Return how to make ledgers that are open and are closed after the test."""
    made: list[UsageLog] = []

    def make(**options: Anything) -> UsageLog:
        ledger = UsageLog(path, batch_seconds=0.0, now=lambda: NOW, **options)
        ledger.open()
        made.append(ledger)
        return ledger

    yield make
    for ledger in made:
        assert ledger.close(SECONDS)


def lines(path: Path, last: int = 1000) -> list[int]:
    with reading(path) as reader:
        return [past.request.line for past in reader.requests(last)]


# ----------------------------------------------------------------- what it keeps


def test_a_request_is_kept_as_it_was(new: Callable[..., UsageLog], path: Path) -> None:
    ledger = new()
    suggested = request(
        1,
        origin="model",
        backend="embedded",
        model="m",
        identity=7,
        evaluated_tokens=3,
        cached_tokens=2,
        output_tokens=1,
    )
    refused = request(2, reason="excluded", detail="`*.min.js` excludes it.")
    for row in (suggested, refused, suggestion(7, fate=Fate.ACCEPTED, taken=10)):
        ledger.record(row)
    assert ledger.flush(SECONDS)
    with reading(path) as reader:
        newest, oldest = reader.requests(5)
        assert (newest.request, newest.suggestion) == (refused, None)
        assert oldest.request == suggested
        assert oldest.suggestion == suggestion(7, fate=Fate.ACCEPTED, taken=10)
        assert [past.request.line for past in reader.requests(1)] == [2]


@pytest.mark.parametrize("batched", [True, False])
def test_a_later_row_of_a_suggestion_says_more(
    new: Callable[..., UsageLog], path: Path, *, batched: bool
) -> None:
    ledger = new()
    for row in (
        suggestion(1),
        suggestion(2),
        suggestion(1, fate=Fate.ACCEPTED_IN_PART, taken=4),
        suggestion(1, fate=Fate.ACCEPTED_IN_PART, taken=4, kept_30s=1.0),
        suggestion(1, fate=Fate.ACCEPTED_IN_PART, taken=4, kept_30s=1.0, kept_5min=0.25),
    ):
        ledger.record(row)
        assert batched or ledger.flush(SECONDS)
    assert ledger.flush(SECONDS)
    with reading(path) as reader:
        assert sorted(reader.suggestions(5), key=lambda row: row.identity) == [
            suggestion(1, fate=Fate.ACCEPTED_IN_PART, taken=4, kept_30s=1.0, kept_5min=0.25),
            suggestion(2),
        ]


def test_reasons_are_counted_by_day(new: Callable[..., UsageLog], path: Path) -> None:
    ledger = new()
    day = 24 * 3600
    for number, reason in (
        (0, "superseded"),
        (1, "superseded"),
        (2, ""),
        (-day, "in_comment"),
        (-9 * day, "disabled"),
    ):
        ledger.record(request(number, reason=reason))
    assert ledger.flush(SECONDS)
    with reading(path) as reader:
        counts = reader.reasons_by_day(3, now=NOW)
    assert counts == {
        date(2026, 3, 5): {"superseded": 2, "": 1},
        date(2026, 3, 4): {"in_comment": 1},
    }
    assert list(counts) == [date(2026, 3, 5), date(2026, 3, 4)]


def test_several_daemons_share_one_file_and_their_suggestions_stay_apart(
    new: Callable[..., UsageLog], path: Path
) -> None:
    daemons = [new() for _ in range(3)]
    for number, ledger in enumerate(daemons):
        ledger.record(request(number, identity=1, origin="model"))
        ledger.record(suggestion(1, characters=number))
    assert all(ledger.flush(SECONDS) for ledger in daemons)
    with reading(path) as reader:
        pasts = reader.requests(10)
    assert [past.suggestion and past.suggestion.characters for past in pasts] == [2, 1, 0]


@pytest.mark.parametrize(
    "row",
    [
        request(uri="file:///half/\ud800"),
        request(line=2**80),
        request(detail="x" * 5000),
        suggestion(uri="untitled:\udfff"),
    ],
    ids=["half a surrogate pair", "a huge line", "a long detail", "in a suggestion"],
)
def test_whatever_an_editor_sends_can_be_kept(
    new: Callable[..., UsageLog], path: Path, row: RequestRow | SuggestionRow
) -> None:
    ledger = new()
    ledger.record(row)
    ledger.record(request(5, at=NOW + timedelta(hours=1)))
    assert ledger.flush(SECONDS)
    assert lines(path, 1) == [5]
    assert ledger.problem is None


def test_a_row_that_the_file_refuses_costs_itself_and_what_came_with_it(
    new: Callable[..., UsageLog], path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = new()
    ledger.record(request(1, elapsed_ms=None))
    assert ledger.flush(SECONDS)
    ledger.record(request(2))
    assert ledger.flush(SECONDS)
    assert lines(path) == [2]
    assert "1 rows were not recorded." in caplog.text
    assert ledger.problem is None


def test_a_fate_of_a_newer_version_is_not_known() -> None:
    assert fate_of("accepted") is Fate.ACCEPTED
    assert fate_of("eaten") is Fate.SHOWN


def test_the_ledger_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert location().name == "ledger.sqlite3"
    assert location().parent.name == "coai"


@posix
def test_nobody_else_can_read_it(new: Callable[..., UsageLog], path: Path) -> None:
    path.parent.mkdir(mode=0o755)
    path.touch(mode=0o644)
    ledger = new()
    ledger.record(request())
    assert ledger.flush(SECONDS)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}, modes
    assert {f"{path.name}-wal", path.name} <= set(modes)


# ------------------------------------------------------------------- its upkeep


def test_old_rows_go(new: Callable[..., UsageLog], path: Path) -> None:
    first = new(days=lambda: 30)
    old = NOW - timedelta(days=31)
    for row in (request(1, at=old), request(2), suggestion(1, shown_at=old), suggestion(2)):
        first.record(row)
    assert first.flush(SECONDS)
    assert first.close(SECONDS)
    again = new(days=lambda: 30)
    assert again.flush(SECONDS)
    # A ledger is closed only after it has seen to its file.
    assert again.close(SECONDS)
    assert lines(path) == [2]
    with reading(path) as reader:
        assert [row.identity for row in reader.suggestions(5)] == [2]


def test_a_file_that_grew_too_large_loses_its_oldest_rows_and_shrinks(
    new: Callable[..., UsageLog], path: Path
) -> None:
    first = new()
    for number in range(4000):
        first.record(request(number))
    assert first.flush(SECONDS)
    assert first.close(SECONDS)
    before = path.stat().st_size
    again = new(most_bytes=before // 2)
    assert again.flush(SECONDS)
    assert again.close(SECONDS)
    assert path.stat().st_size < before * 0.6
    kept = lines(path, 5000)
    assert kept == list(range(3999, 3999 - len(kept), -1))
    assert len(kept) > 1000


def test_a_file_without_rows_is_not_pruned_for_ever(
    new: Callable[..., UsageLog], path: Path
) -> None:
    ledger = new(most_bytes=0)
    assert ledger.flush(SECONDS)
    assert ledger.close(SECONDS)
    assert lines(path) == []


def test_more_than_fits_the_queue_is_lost_and_counted(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    monkeypatch.setattr(ledger_module, "CAPACITY", 3)
    ledger = UsageLog(path, now=lambda: NOW)
    for number in range(5):
        ledger.record(request(number))
    assert ledger.lost == 2
    ledger.open()
    assert ledger.close(SECONDS)
    assert lines(path) == [2, 1, 0]


@pytest.mark.parametrize(
    ("quiet_seconds", "most_seconds", "written"),
    [(60.0, 60.0, False), (60.0, 0.01, True), (0.01, 60.0, True)],
    ids=["while it is busy", "busy for too long", "quiet again"],
)
def test_writing_waits_for_a_quiet_moment_but_not_for_ever(
    new: Callable[..., UsageLog],
    path: Path,
    quiet_seconds: float,
    most_seconds: float,
    *,
    written: bool,
) -> None:
    ledger = new(quiet_seconds=quiet_seconds, most_seconds=most_seconds)
    ledger.record(request(1))
    patience = time.monotonic() + (SECONDS if written else 0.2)
    while not path.exists():
        if time.monotonic() > patience:
            break
        time.sleep(0.01)
    assert path.exists() is written
    assert ledger.flush(SECONDS)
    assert lines(path) == [1]


async def test_closing_writes_what_waits(path: Path) -> None:
    ledger = UsageLog(path, now=lambda: NOW)
    ledger.open()
    ledger.open()
    ledger.record(request(1))
    await ledger.aclose()
    assert lines(path) == [1]
    threads = [thread.name for thread in threading.enumerate()]
    assert "coai-ledger" not in threads


def test_a_ledger_that_was_never_opened_closes(path: Path) -> None:
    ledger = UsageLog(path)
    ledger.record(request(1))
    assert ledger.close()
    ledger.open()
    assert not path.exists()


async def test_closing_has_a_deadline(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    go_on = threading.Event()

    def hang(*_: object, **__: object) -> None:
        go_on.wait()
        raise LedgerError("It hangs.")

    monkeypatch.setattr(ledger_module, "open_ledger", hang)
    ledger = UsageLog(path, batch_seconds=0.0)
    ledger.open()
    ledger.record(request(1))
    await ledger.aclose(0.05)
    assert "last rows were not written" in caplog.text
    go_on.set()
    assert await asyncio.to_thread(ledger.close, SECONDS)


# -------------------------------------------------------------- what it survives


def corrupt(path: Path) -> None:
    """Leave a database whose pages are nonsense behind its first."""
    open_ledger(path).close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)


def foreign(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE notes (text)")
    database.commit()
    database.close()


def scribble(path: Path) -> None:
    path.write_bytes(b"no database\n" * 500)


@pytest.mark.parametrize(
    "spoil",
    [corrupt, foreign, scribble],
    ids=["damaged", "somebody else's", "no database"],
)
def test_a_file_of_no_use_is_set_aside_and_named(
    new: Callable[..., UsageLog],
    path: Path,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Path], None],
) -> None:
    path.parent.mkdir(mode=0o700)
    spoil(path)
    content = path.read_bytes()
    ledger = new()
    ledger.record(request(1))
    assert ledger.flush(SECONDS)
    assert ledger.problem is None
    assert lines(path) == [1]
    (aside,) = path.parent.glob("*.set-aside-*")
    assert aside.read_bytes() == content
    assert str(aside) in caplog.text
    assert "a new ledger begins" in caplog.text


def test_its_log_goes_with_the_file_and_only_a_few_are_kept(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    for number in range(private_sqlite.SET_ASIDE_KEPT + 2):
        path.write_bytes(b"x" * 5000)
        path.with_name(f"{path.name}-wal").write_bytes(bytes([number]))
        path.with_name(f"{path.name}-shm").touch()
        private_sqlite.set_aside(path)
    left = sorted(path.parent.iterdir())
    logs = [each for each in left if each.name.endswith("-wal")]
    assert [each.read_bytes() for each in logs] == [b"\x02", b"\x03", b"\x04"]
    assert len(left) == 2 * private_sqlite.SET_ASIDE_KEPT


def test_a_file_damaged_while_it_is_used_is_set_aside(
    new: Callable[..., UsageLog], path: Path
) -> None:
    ledger = new()
    ledger.record(request(1))
    assert ledger.flush(SECONDS)
    other = sqlite3.connect(path)
    other.execute("PRAGMA writable_schema = ON")
    other.execute("UPDATE sqlite_master SET sql = 'CREATE nonsense' WHERE name = 'requests'")
    other.execute("PRAGMA schema_version = 99")
    other.commit()
    other.close()
    ledger.record(request(2))
    assert ledger.flush(SECONDS)
    assert lines(path) == [2]
    assert len([each for each in path.parent.glob("*.set-aside-*") if "-wal" not in each.name]) == 1


@posix
def test_a_file_that_the_user_deletes_is_made_anew(
    new: Callable[..., UsageLog], path: Path
) -> None:
    ledger = new()
    ledger.record(request(1))
    assert ledger.flush(SECONDS)
    for each in path.parent.glob("ledger.sqlite3*"):
        each.unlink()
    ledger.record(request(2))
    assert ledger.flush(SECONDS)
    assert lines(path) == [2]


def no_room(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let databases not grow, as on a full disk; return what frees it."""
    connect = sqlite3.connect
    full = [True]

    def limited(*arguments: Anything, **options: Anything) -> sqlite3.Connection:
        database = connect(*arguments, **options)
        if full[0]:
            database.execute("PRAGMA max_page_count = 1")
        return database

    monkeypatch.setattr(sqlite3, "connect", limited)
    return lambda: full.__setitem__(0, False)


def test_a_full_disk_is_a_problem_until_there_is_room(
    new: Callable[..., UsageLog],
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    free = no_room(monkeypatch)
    ledger = new(retry_seconds=0.01)
    ledger.record(request(1))
    assert not ledger.flush(0.3)
    problem = ledger.problem
    assert problem is not None
    assert "no room" in problem.message
    assert problem.remedy == "Free some space on it."
    # It is said once, however often it is tried.
    said = [record for record in caplog.records if "Nothing is recorded" in record.message]
    assert len(said) == 1
    free()
    ledger.record(request(2))
    assert ledger.flush(SECONDS)
    assert ledger.problem is None
    assert "written to again" in caplog.text
    assert lines(path) == [2, 1]


def test_what_cannot_be_pruned_is_a_problem_and_costs_no_row(
    new: Callable[..., UsageLog], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise sqlite3.OperationalError("the disk is tired")

    monkeypatch.setattr(ledger_module, "number", refuse)
    ledger = new()
    ledger.record(request(1))
    assert ledger.flush(SECONDS)
    assert ledger.close(SECONDS)
    assert lines(path) == [1]
    assert ledger.problem is not None
    assert "the disk is tired" in ledger.problem.message


def test_a_folder_that_cannot_be_had_is_a_problem(new: Callable[..., UsageLog], path: Path) -> None:
    path.parent.write_text("a file is in the way")
    ledger = new()
    ledger.record(request(1))
    assert not ledger.flush(0.2)
    assert ledger.problem is not None
    assert "ledger.enabled" in str(ledger.problem)


@posix
def test_somebody_elses_folder_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    with pytest.raises(LedgerError, match="not a directory of yours") as raised:
        open_ledger(path)
    assert raised.value.remedy


def test_a_lock_that_is_held_is_waited_for_and_then_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir(mode=0o700)
    monkeypatch.setattr(ledger_file, "BUSY_SECONDS", 0.01)
    with (
        FileLock(f"{path}.lock"),
        pytest.raises(LedgerError, match=r"Another process holds .*\.lock"),
    ):
        open_ledger(path)


def test_a_newer_ledger_is_left_alone(path: Path) -> None:
    database = open_ledger(path)
    database.execute("PRAGMA user_version = 999")
    database.close()
    with pytest.raises(LedgerError, match="A newer COAI wrote") as raised:
        open_ledger(path)
    assert not isinstance(raised.value, UnusableFileError)
    with pytest.raises(LedgerError, match="A newer COAI wrote"):
        open_to_read(path)
    assert [each.name for each in path.parent.glob("*set-aside*")] == []


def test_a_python_without_sqlite_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    with pytest.raises(LedgerError, match="without SQLite"):
        open_ledger(path)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (sqlite3.SQLITE_CORRUPT, "damaged"),
        (sqlite3.SQLITE_FULL, "no room"),
        (sqlite3.SQLITE_BUSY, "busy"),
        (sqlite3.SQLITE_READONLY, "cannot be written"),
        (sqlite3.SQLITE_IOERR | 3 << 8, "failed"),
    ],
)
def test_what_sqlite_says_is_told_in_words(path: Path, code: int, words: str) -> None:
    error = sqlite3.OperationalError("as SQLite has it")
    error.sqlite_errorcode = code
    assert words in ledger_file.told(error, path).message


def test_reading_makes_nothing_and_names_what_is_wrong(path: Path) -> None:
    with pytest.raises(LedgerError, match="There is no ledger"), reading(path):
        pass
    path.parent.mkdir()
    assert list(path.parent.iterdir()) == []
    foreign(path)
    with pytest.raises(UnusableFileError, match="not COAI's"), reading(path):
        pass
    path.write_bytes(b"no database\n" * 500)
    with pytest.raises(UnusableFileError, match="damaged"), reading(path):
        pass


def test_a_question_that_fails_is_told(new: Callable[..., UsageLog], path: Path) -> None:
    ledger = new()
    assert ledger.flush(SECONDS)
    with pytest.raises(LedgerError), reading(path) as reader:
        reader._database.execute("SELECT nothing")  # pyright: ignore[reportPrivateUsage] - to fail


def test_a_ledger_that_is_not_written_to_imports_no_sqlite() -> None:
    probe = (
        # What measures coverage has imported it already.
        "import sys; sys.modules.pop('sqlite3', None); from pathlib import Path;"
        "from coai_routing.records.usage_log import UsageLog;"
        "import coai_routing.records.usage_reading;"
        "UsageLog(Path('x')).flush(0); print('sqlite3' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", probe], capture_output=True, check=True, text=True)
    assert ran.stdout.strip() == "False"


# --------------------------------------------------------------- killed any time

WRITERS = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from coai_routing.engine import record  # what opening imports, once for all
from coai_routing.records.usage_log import UsageLog
from coai_routing.records.usage_rows import RequestRow, SuggestionRow

def write(name):
    ledger = UsageLog(Path(sys.argv[1]), batch_seconds=0.0)
    ledger.open()
    for number in range(1_000_000):
        ledger.record(RequestRow(datetime.now(UTC), name, number, "", "", 1.0))
        ledger.record(SuggestionRow(datetime.now(UTC), number, name, "", "", "", 1, 1))
        settled = ledger.flush(30)
        os.write(1, f"{name} {os.getpid()} {number if settled else ledger.problem}\\n".encode())

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for name in sys.stdin:
    if os.fork() == 0:
        write(name.strip())
"""

KILLS = 200
AT_ONCE = 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked, to have 200 in seconds")
def test_killed_at_any_instant_it_opens_and_has_every_row_that_was_settled(path: Path) -> None:
    chance = random.Random(5)
    settled: dict[str, int] = {}
    alive: dict[str, int] = {}
    killed: set[str] = set()
    with subprocess.Popen(
        [sys.executable, "-c", WRITERS, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        start_new_session=True,
    ) as writers:
        assert writers.stdin is not None
        assert writers.stdout is not None
        for name in range(AT_ONCE):
            writers.stdin.write(f"{name}\n")
        while len(killed) < KILLS:
            name, pid, number = writers.stdout.readline().split(maxsplit=2)
            settled[name] = int(number)
            if name not in killed:
                alive[name] = int(pid)
            # Whoever dies is anywhere in what it does, as it does not wait for us.
            victim = chance.choice([*alive, None])
            if victim is not None:
                os.kill(alive.pop(victim), signal.SIGKILL)
                writers.stdin.write(f"{AT_ONCE + len(killed)}\n")
                killed.add(victim)
        os.killpg(writers.pid, signal.SIGKILL)
        for line in writers.stdout:
            name, _, number = line.split(maxsplit=2)
            settled[name] = int(number)
    open_ledger(path, suspect=True).close()
    assert [each for each in path.parent.iterdir() if "set-aside" in each.name] == []
    with reading(path) as reader:
        requests = [past.request for past in reader.requests(1_000_000)]
        shown = reader.suggestions(1_000_000)
    kept: dict[str, list[int]] = {}
    for row in reversed(requests):
        kept.setdefault(row.uri, []).append(row.line)
    for name, last in settled.items():
        # What was under way may be there or not, and never half of it.
        assert sorted(kept[name]) in (list(range(last + 1)), list(range(last + 2)))
    assert len(shown) == len(requests)
    assert len(killed) == KILLS


def test_what_goes_wrong_is_told_in_the_log_only_as_a_warning(
    new: Callable[..., UsageLog], path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.write_text("in the way")
    ledger = new()
    ledger.record(request(1))
    assert not ledger.flush(0.1)
    levels = {
        r.levelno for r in caplog.records if r.name.startswith("coai_routing.records.usage_log")
    }
    assert levels == {logging.WARNING}
