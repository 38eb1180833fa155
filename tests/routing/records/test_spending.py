"""What calls cost, what budgets leave, and that nothing settled is ever lost."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coai_routing.errors import BooksError, BudgetExceededError, CoaiError
from coai_routing.policy.bandit import BanditStandings, Verdict, judged
from coai_routing.records import spending as books_module
from coai_routing.records.spending import (
    FREE,
    Budgets,
    Spending,
    SpendingLedger,
    location,
    read_days,
    read_spending,
    read_stats,
)
from coai_routing.request import Capability
from coai_routing.router.calls import Call
from tests.routing.providers.dialects import LLAMA_SERVER
from tests.support.faulty_server import FaultyServer, respond, silent, stream
from tests.support.routing import place, question, routing

if TYPE_CHECKING:
    from tests.support.faulty_server import Behaviour

CALL = Call(
    capability="code_analysis",
    alias="cloud.fast",
    endpoint="anthropic",
    model="m",
    local=False,
    prompt_tokens=100,
    cached_tokens=50,
    output_tokens=10,
    cost_usd=0.3,
    first_ms=20.0,
    total_ms=40.0,
    outcome="answered",
)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
ROOT = Path(__file__).parents[3]


def books(
    path: Path, daily: float | None = None, monthly: float | None = None, **parts: object
) -> SpendingLedger:
    return SpendingLedger(path / "books.sqlite3", lambda: Budgets(daily, monthly), **parts)  # type: ignore[arg-type] - what a test sets


def test_what_is_reserved_cannot_be_reserved_twice(tmp_path: Path) -> None:
    ours, theirs = books(tmp_path, daily=1.0), books(tmp_path, daily=1.0)
    first = ours.reserve_now(0.6)
    assert first
    assert theirs.reserve_now(0.6) is None, "another daemon's reservation holds too"
    ours.settle_now(first, CALL)
    assert theirs.reserve_now(0.6) is not None
    assert theirs.refresh().left(Budgets(daily_usd=1.0)) == pytest.approx(0.1)  # pyright: ignore[reportUnknownMemberType] - as above
    ours.close()
    theirs.close()


def test_what_everybody_has_spent_is_read_without_touching_the_file(tmp_path: Path) -> None:
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    path = tmp_path / "books.sqlite3"
    assert read_spending(path, now=now) == Spending()
    assert not path.exists()
    for days, cost in ((40, 8.0), (3, 4.0), (0, 2.0)):
        kept = books(tmp_path, now=lambda days=days: now - timedelta(days=days))
        kept.settle_now(FREE, replace(CALL, cost_usd=cost))
        kept.reserve_now(1.0)
        kept.close()
    # What was set aside days ago was set aside by a process that has died.
    assert read_spending(path, now=now) == Spending(day=2.0, month=6.0, reserved=1.0)
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(BooksError):
        read_spending(path, now=now)


def test_what_was_seen_long_ago_holds_nobody_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = books(tmp_path, daily=0.5)
    assert kept.money_left() == 0.5
    kept.settle_now(FREE, replace(CALL, cost_usd=0.5))
    assert kept.money_left() == 0.0
    monkeypatch.setattr(books_module, "STALE_SECONDS", -1.0)
    assert kept.money_left() == 0.5, "another day may have begun"
    assert kept.reserve_now(0.1) is None, "and reserving looks again"
    kept.close()


def test_days_and_months_begin_anew(tmp_path: Path) -> None:
    now = [datetime(2026, 1, 31, 23, 0, tzinfo=UTC)]
    kept = books(tmp_path, daily=0.5, monthly=0.8, now=lambda: now[0])
    kept.settle_now(FREE, CALL)
    assert kept.reserve_now(0.3) is None
    now[0] += timedelta(hours=2)
    assert kept.reserve_now(0.3) is not None
    kept.settle_now(FREE, replace(CALL, cost_usd=0.7))
    now[0] += timedelta(days=1)
    assert kept.reserve_now(0.3) is None, "the month's budget"
    now[0] += timedelta(days=30)
    assert kept.reserve_now(0.3) is not None
    kept.close()


def test_a_reservation_of_a_process_that_died_is_freed(tmp_path: Path) -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    kept = books(tmp_path, daily=1.0, now=lambda: now[0])
    assert kept.reserve_now(0.9)
    assert kept.reserve_now(0.9) is None
    now[0] += timedelta(minutes=16)
    assert kept.reserve_now(0.9)
    kept.close()


async def test_what_is_free_is_never_refused_and_needs_no_file(tmp_path: Path) -> None:
    kept = books(tmp_path, daily=0.0)
    assert await kept.reserve(0.0) == FREE
    assert not kept.path.exists()
    assert await kept.reserve(0.01) is None
    assert books(tmp_path).money_left() is None
    await kept.aclose()


def test_the_user_is_told_once_when_little_is_left(tmp_path: Path) -> None:
    told: list[str] = []
    kept = books(tmp_path, daily=1.0, monthly=100.0, warn=told.append)
    for _ in range(4):
        kept.settle_now(FREE, CALL)
    (said,) = told
    assert "0.90 of the daily budget of 1.00 USD" in said
    kept.close()


def test_stats_by_model_and_by_day(tmp_path: Path) -> None:
    kept = books(tmp_path)
    kept.settle_now(FREE, CALL)
    kept.settle_now(FREE, replace(CALL, outcome="ProviderError", first_ms=None))
    kept.settle_now(FREE, replace(CALL, alias="local.code", cost_usd=0.0))
    dear, free = read_stats(kept.path, since=LONG_AGO)
    assert (dear.alias, dear.calls, dear.answered, dear.prompt_tokens) == ("cloud.fast", 2, 1, 200)
    assert dear.cost_usd == pytest.approx(0.6)  # pyright: ignore[reportUnknownMemberType] - pytest's own types
    assert dear.first_ms == 20.0
    assert free.alias == "local.code"
    ((_, calls, _),) = read_days(kept.path, since=LONG_AGO)
    assert calls == 3
    assert read_stats(kept.path, since=datetime.now(UTC) + timedelta(days=1)) == ()
    assert read_stats(tmp_path / "none", since=LONG_AGO) == ()
    assert location().name == "books.sqlite3"
    kept.close()


def test_damaged_books_are_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "books.sqlite3").write_bytes(b"nothing of SQLite's" * 100)
    with pytest.raises(BooksError):
        read_stats(tmp_path / "books.sqlite3", since=LONG_AGO)
    kept = books(tmp_path)
    kept.settle_now(FREE, CALL)
    assert len(read_stats(kept.path, since=LONG_AGO)) == 1
    assert list(tmp_path.glob("*.set-aside-*"))
    assert "set aside" in caplog.text
    kept.close()


async def test_books_of_a_newer_version_are_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = books(tmp_path, daily=1.0)
    kept.refresh()
    kept.close()
    with sqlite3.connect(kept.path) as database:
        database.execute("PRAGMA user_version = 9")
    database.close()
    with pytest.raises(BooksError, match="newer COAI"):
        await kept.reserve(0.1)
    await kept.settle(FREE, CALL)
    assert "A call was not recorded" in caplog.text
    await kept.aclose()


_WRITER = """
import sys
from pathlib import Path
from coai_routing.records.spending import SpendingLedger, Budgets
from coai_routing.router.cache import DiskAnswers
from coai_routing.router.calls import Call
from coai_routing.request import ModelReply

folder = Path(sys.argv[1])
books = SpendingLedger(folder / "books.sqlite3", lambda: Budgets(daily_usd=1e9))
answers = DiskAnswers(folder / "answers", 10_000_000)
number = int(sys.argv[2])
while True:
    reservation = books.reserve_now(0.01)
    call = Call("c", "a", "e", f"call-{number}", False, 1, 0, 1, 0.01, 1.0, 1.0, "answered")
    books.settle_now(reservation, call)
    print(number, flush=True)
    answers.put(f"key-{number}", ModelReply(text="x" * 200, finish="stop", model="m", provider="p"))
    number += 1
"""


def kill_while_writing(folder: Path, times: int, draw: random.Random) -> int:
    """Kill a process that writes, so many times; return how many entries it had settled."""
    settled = 0
    for _ in range(times):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(folder), str(settled)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert writer.stdout is not None
        for _ in range(draw.randrange(1, 8)):
            settled = int(writer.stdout.readline()) + 1
        writer.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
        # What it said before it died counts too.
        for line in writer.stdout.read().splitlines():
            settled = int(line) + 1
        writer.wait()
        writer.stdout.close()
    return settled


def assert_whole(folder: Path, settled: int) -> None:
    """Judge whether both files are whole and nothing that was settled is missing."""
    for file in (folder / "books.sqlite3", folder / "answers" / "cache.db"):
        database = sqlite3.connect(file)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        database.close()
    database = sqlite3.connect(folder / "books.sqlite3")
    names = {name for (name,) in database.execute("SELECT model FROM calls")}
    database.close()
    assert {f"call-{number}" for number in range(settled)} <= names
    assert not list(folder.glob("*.set-aside-*"))


def test_a_process_that_is_killed_loses_nothing_settled(tmp_path: Path) -> None:
    settled = kill_while_writing(tmp_path, 4, random.Random(1))
    assert settled
    assert_whole(tmp_path, settled)


# ------------------------------------------------------------------------- with the router

GOOD = stream([LLAMA_SERVER.piece("good"), *LLAMA_SERVER.last], LLAMA_SERVER.content_type)


async def test_the_router_books_every_call_and_stops_at_the_budget(tmp_path: Path) -> None:
    kept = books(tmp_path, daily=0.0004)
    async with FaultyServer(GOOD) as paid, FaultyServer(GOOD) as free:
        dear = place("dear", paid.base_url, billed=True)
        async with routing(dear, book=kept) as router:
            await router.answer(question("one"))
            with pytest.raises(BudgetExceededError, match="No model could answer"):
                await router.answer(question("x" * 3000))
        local = place("free", free.base_url)
        async with routing(dear, local, book=kept) as router:
            routed = await router.answer(question("x" * 3000))
            assert routed.alias == "test.free"
    found = {row.alias: row for row in read_stats(kept.path, since=LONG_AGO)}
    assert found["test.dear"].calls == 1
    assert found["test.free"].cost_usd == 0.0
    await kept.aclose()


@pytest.mark.parametrize(
    ("behaviour", "outcome", "costs"),
    [
        (respond(500, {"error": "boom"}), "ProviderError", False),
        (
            stream([LLAMA_SERVER.piece("half")], LLAMA_SERVER.content_type, ending="cut"),
            "cut_off",
            True,
        ),
    ],
)
async def test_failures_and_broken_streams_are_priced_right(
    tmp_path: Path, behaviour: Behaviour, outcome: str, costs: bool
) -> None:
    kept = books(tmp_path)
    async with (
        FaultyServer(behaviour) as server,
        routing(place("a", server.base_url, billed=True), book=kept) as router,
    ):
        with pytest.raises(CoaiError):
            await router.answer(question())
    rows = read_stats(kept.path, since=LONG_AGO)
    assert rows
    assert all((row.cost_usd > 0) is costs for row in rows)
    database = sqlite3.connect(kept.path)
    assert {name for (name,) in database.execute("SELECT outcome FROM calls")} == {outcome}
    assert database.execute("SELECT count(*) FROM reservations").fetchone() == (0,)
    database.close()
    await kept.aclose()


async def test_a_cancelled_call_is_settled_too(tmp_path: Path) -> None:
    kept = books(tmp_path, daily=1.0)
    async with (
        FaultyServer(silent) as server,
        routing(place("a", server.base_url, billed=True), book=kept) as router,
    ):
        task = asyncio.create_task(router.answer(question()))
        async with asyncio.timeout(10):
            await server.asked.wait()
        task.cancel()
        await asyncio.wait((task,))
    database = sqlite3.connect(kept.path)
    assert database.execute("SELECT outcome FROM calls").fetchall() == [("cancelled",)]
    assert database.execute("SELECT count(*) FROM reservations").fetchone() == (0,)
    database.close()
    await kept.aclose()


async def test_who_has_had_enough_of_an_answer_pays_for_what_had_come(tmp_path: Path) -> None:
    kept = books(tmp_path, daily=1.0)
    hang = stream([LLAMA_SERVER.piece("a")], LLAMA_SERVER.content_type, ending="hang")
    async with (
        FaultyServer(hang) as server,
        routing(place("a", server.base_url, billed=True), book=kept) as router,
        aclosing(router.stream(question())) as deltas,
    ):
        assert (await anext(deltas)).text == "a"
    (row,) = read_stats(kept.path, since=LONG_AGO)
    assert (row.calls, row.answered) == (1, 1)
    assert row.cost_usd > 0
    database = sqlite3.connect(kept.path)
    assert database.execute("SELECT outcome FROM calls").fetchall() == [("stopped",)]
    database.close()
    await kept.aclose()


@pytest.mark.parametrize(
    ("budgets", "asked"),
    [(Budgets(), "test.billed"), (Budgets(daily_usd=1.0), "test.free")],
    ids=["no budget", "a budget"],
)
async def test_books_that_cannot_be_used_stop_nobody_whom_no_budget_stops(
    budgets: Budgets, asked: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "books.sqlite3").mkdir()
    kept = SpendingLedger(tmp_path / "books.sqlite3", lambda: budgets)
    async with FaultyServer(GOOD) as server:
        billed = place("billed", server.base_url, billed=True)
        free = place("free", server.base_url)
        async with routing(billed, free, book=kept) as router:
            assert (await router.answer(question())).alias == asked
        if budgets.daily_usd:
            async with routing(billed, book=kept) as router:
                with pytest.raises(BudgetExceededError) as caught:
                    await router.answer(question())
            assert "cannot be used" in caught.value.explanation()
    assert "cannot be used" in caplog.text
    await kept.aclose()


# ------------------------------------------------------------------------------- learning


def test_what_is_accepted_is_preferred_and_what_became_worse_is_found_out() -> None:
    learning = BanditStandings(draw=random.Random(7))
    for _ in range(30):
        learning.note(Capability.PERFORMANCE, "good", Verdict.ACCEPTED)
        learning.note(Capability.PERFORMANCE, "bad", Verdict.REJECTED)
    drawn = [learning.standings(Capability.PERFORMANCE) for _ in range(200)]
    assert sum(one["good"] > one["bad"] for one in drawn) > 195
    assert learning.standings(Capability.DOCUMENTATION) == {}
    for _ in range(80):
        learning.note(Capability.PERFORMANCE, "good", Verdict.REJECTED)
    mean, weight = learning.means()["performance", "good"]
    assert mean < 0.3
    assert weight < 60, "old verdicts count less and less"


def test_little_known_models_are_tried_now_and_then() -> None:
    learning = BanditStandings(draw=random.Random(7))
    for _ in range(3):
        learning.note(Capability.PERFORMANCE, "known", Verdict.KEPT)
    learning.note(Capability.PERFORMANCE, "new", Verdict.VERIFIED)
    drawn = [learning.standings(Capability.PERFORMANCE) for _ in range(300)]
    assert 30 < sum(one["new"] > one["known"] for one in drawn) < 200
    assert judged((0.0, 0.0), [Verdict.REJECTED]) == (0.0, 1.0)


def test_learning_can_be_switched_off_and_outlives_the_process(tmp_path: Path) -> None:
    kept = books(tmp_path)
    BanditStandings(kept).note(Capability.PERFORMANCE, "a", Verdict.ACCEPTED)
    later = BanditStandings(kept)
    later.load()
    assert later.means() == {("performance", "a"): (2 / 3, 1.0)}
    off = BanditStandings(kept, on=False)
    off.load()
    assert off.standings(Capability.PERFORMANCE) == {}
    nothing = BanditStandings()
    nothing.load()
    assert nothing.means() == {}
    kept.close()


def test_what_two_processes_learn_of_a_model_is_both_kept(tmp_path: Path) -> None:
    one, other = books(tmp_path), books(tmp_path)
    first, second = BanditStandings(one), BanditStandings(other)
    for learning in (first, second):
        learning.load()
    for _ in range(3):
        first.note(Capability.PERFORMANCE, "a", Verdict.ACCEPTED)
        second.note(Capability.PERFORMANCE, "a", Verdict.REJECTED)
    _, weight = second.means()["performance", "a"]
    assert weight > 5.5, "six verdicts, the older ones discounted"
    later = BanditStandings(one)
    later.load()
    assert later.means() == second.means()
    one.close()
    other.close()


def test_a_verdict_that_was_withdrawn_leaves_the_one_that_holds() -> None:
    learning = BanditStandings()
    learning.note(Capability.PERFORMANCE, "a", Verdict.ACCEPTED)
    learning.note(Capability.PERFORMANCE, "a", Verdict.REJECTED, withdrawn=[Verdict.ACCEPTED])
    assert learning.means() == {("performance", "a"): (1 / 3, 1.0)}


def test_standings_are_drawn_while_a_thread_learns() -> None:
    learning = BanditStandings()
    for number in range(2000):
        learning.note(Capability.PERFORMANCE, f"m{number}", Verdict.ACCEPTED)

    class Interrupted(random.Random):
        """Learns of one more model in another thread at each draw."""

        drawn = 0

        def betavariate(self, alpha: float, beta: float) -> float:
            self.drawn += 1
            if self.drawn < 50:
                alias = f"new{self.drawn}"
                learner = threading.Thread(
                    target=learning.note, args=(Capability.PERFORMANCE, alias, Verdict.KEPT)
                )
                learner.start()
                learner.join()
            return super().betavariate(alpha, beta)

    learning.draw = Interrupted(7)
    assert len(learning.standings(Capability.PERFORMANCE)) == 2000
    assert len(learning.means()) == 2049


def test_learning_begins_anew_where_the_books_cannot_be_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "books.sqlite3").mkdir()
    learning = BanditStandings(books(tmp_path))
    learning.load()
    assert learning.means() == {}
    assert "cannot be read" in caplog.text
