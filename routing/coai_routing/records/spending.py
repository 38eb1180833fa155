"""What model calls used and cost, and what the budgets leave: reserved before, settled after.

Money is written through to the disk: what `settle` has returned for is there after a `kill -9` and
after a power cut. So the books are a file of their own beside the ledger, which trades that for
speed. All daemons of a user share them; a reservation of one holds for all.

One file, because what is reserved, settled and left is one ledger with one lock.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import platformdirs

from coai_routing.errors import BooksError
from coai_routing.records.private_sqlite import (
    open_private,
    open_read_only,
    set_aside,
    transaction,
    write_ahead,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from coai_routing.router.calls import Call

logger = logging.getLogger(__name__)

WARN_AT: Final = 0.8
"""The share of a budget from which the user is told."""

RESERVED_MINUTES: Final = 15
"""After this a reservation that nobody settled is taken for that of a process that died."""

KEPT_DAYS: Final = 400

STALE_SECONDS: Final = 60.0
"""After this, days may have changed and other processes may have freed what they had reserved."""

FREE: Final = 0
"""The reservation of a call that costs nothing."""

_APPLICATION_ID: Final = 0x434F4142
_VERSION: Final = 1
_TABLES: Final = (
    """CREATE TABLE calls (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        capability TEXT NOT NULL,
        alias TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        model TEXT NOT NULL,
        local INTEGER NOT NULL,
        prompt_tokens INTEGER NOT NULL,
        cached_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,
        cost_usd REAL NOT NULL,
        first_ms REAL,
        total_ms REAL NOT NULL,
        outcome TEXT NOT NULL
    )""",
    "CREATE INDEX calls_at ON calls (at)",
    "CREATE TABLE reservations (id INTEGER PRIMARY KEY, at TEXT NOT NULL, cost_usd REAL NOT NULL)",
    """CREATE TABLE standings (
        capability TEXT NOT NULL,
        alias TEXT NOT NULL,
        good REAL NOT NULL,
        bad REAL NOT NULL,
        PRIMARY KEY (capability, alias)
    )""",
)
_COLUMNS: Final = (
    "at, capability, alias, endpoint, model, local, prompt_tokens, cached_tokens, output_tokens,"
    " cost_usd, first_ms, total_ms, outcome"
)


def location() -> Path:
    """Return where the user's books are."""
    return platformdirs.user_state_path("coai", appauthor=False) / "books.sqlite3"


@dataclass(frozen=True, slots=True)
class Budgets:
    """At most so many US dollars a day and a month, in UTC; None for no cap."""

    daily_usd: float | None = None
    monthly_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Spending:
    """What was spent and set aside in the current day and month, in US dollars."""

    day: float = 0.0
    month: float = 0.0
    reserved: float = 0.0

    def left(self, budgets: Budgets) -> float | None:
        """Return what the tighter budget leaves; None without any."""
        left = [
            cap - spent - self.reserved
            for cap, spent in ((budgets.daily_usd, self.day), (budgets.monthly_usd, self.month))
            if cap is not None
        ]
        return max(0.0, min(left)) if left else None


@dataclass(frozen=True, slots=True)
class ModelStats:
    """What the calls of one model came to."""

    alias: str
    model: str
    calls: int
    answered: int
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_usd: float
    first_ms: float | None
    """The mean wait for the first word."""
    total_ms: float

    def as_json(self) -> dict[str, str | int | float | None]:
        """Return it for scripts and editors."""
        return {
            "alias": self.alias,
            "model": self.model,
            "calls": self.calls,
            "answered": self.answered,
            "promptTokens": self.prompt_tokens,
            "cachedTokens": self.cached_tokens,
            "outputTokens": self.output_tokens,
            "costUsd": self.cost_usd,
            "firstMs": self.first_ms,
            "totalMs": self.total_ms,
        }


@dataclass(frozen=True, slots=True)
class CallTotals:
    """What calls of one kind came to."""

    capability: str
    alias: str
    endpoint: str
    model: str
    outcome: str
    calls: int
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_usd: float
    seconds: float
    first_seconds: float


class SpendingLedger:
    """Keeps the books. Its async methods are for one event loop; the file is used in threads."""

    def __init__(
        self,
        path: Path,
        budgets: Callable[[], Budgets] = Budgets,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        warn: Callable[[str], None] = logger.warning,
    ) -> None:
        """Touch no file yet."""
        self.path = path
        self._budgets = budgets
        self._now = now
        self._warn = warn
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._known = Spending()
        self._known_at = -math.inf
        self._warned: set[str] = set()

    @property
    def known(self) -> Spending:
        """What was spent when it was last looked at; reads memory only."""
        return self._known

    # ----------------------------------------------------------- for the router

    def money_left(self) -> float | None:
        """Return what the budgets left when they were last looked at; reads memory only.

        What was seen too long ago counts as nothing spent: `reserve` looks again, and decides.
        """
        stale = time.monotonic() - self._known_at > STALE_SECONDS
        return (Spending() if stale else self._known).left(self._budgets())

    async def reserve(self, cost: float) -> int | None:
        """Set money aside; None if the budgets do not leave it. What is free is never refused.

        Raises BooksError where there is a budget and the books cannot be used.
        """
        if cost <= 0.0:
            return FREE
        try:
            return await asyncio.to_thread(self.reserve_now, cost)
        except BooksError as error:
            if self._budgets() != Budgets():
                raise
            # Nobody wants it counted so much that the answer should be lost for it.
            logger.warning("What a call may cost was not set aside. %s", error)
            return FREE

    def reserve_now(self, cost: float) -> int | None:
        """Do what `reserve` does, in this thread."""
        budgets = self._budgets()
        with self._using() as database, transaction(database):
            self._look(database)
            left = self._known.left(budgets)
            if left is not None and cost > left:
                return None
            row = database.execute(
                "INSERT INTO reservations (at, cost_usd) VALUES (?, ?)", (self._stamp(), cost)
            )
            return int(row.lastrowid or 0)

    async def settle(self, reservation: int, call: Call) -> None:
        """Record a call and free what was set aside for it; on disk when this returns.

        SpendingLedger that cannot be used are logged: an answer that is there is not lost for that.
        """
        try:
            await asyncio.to_thread(self.settle_now, reservation, call)
        except BooksError as error:
            logger.warning("A call was not recorded. %s", error)

    def settle_now(self, reservation: int, call: Call) -> None:
        """Do what `settle` does, in this thread; raises BooksError."""
        with self._using() as database:
            with transaction(database):
                if reservation != FREE:
                    database.execute("DELETE FROM reservations WHERE id = ?", (reservation,))
                database.execute(
                    f"INSERT INTO calls ({_COLUMNS}) VALUES ({', '.join('?' * 13)})",  # noqa: S608 - names of our own
                    (
                        self._stamp(),
                        call.capability,
                        call.alias,
                        call.endpoint,
                        call.model,
                        call.local,
                        call.prompt_tokens,
                        call.cached_tokens,
                        call.output_tokens,
                        call.cost_usd,
                        call.first_ms,
                        call.total_ms,
                        call.outcome,
                    ),
                )
            if call.cost_usd:
                self._look(database)
                self._warn_early()

    # ------------------------------------------------------------- for standings

    def read_standings(self) -> dict[tuple[str, str], tuple[float, float]]:
        """Return what was learned: the good and the bad by capability and alias."""
        with self._using() as database:
            rows = database.execute("SELECT capability, alias, good, bad FROM standings").fetchall()
        return {(capability, alias): (good, bad) for capability, alias, good, bad in rows}

    def change_standing(
        self,
        capability: str,
        alias: str,
        change: Callable[[tuple[float, float]], tuple[float, float]],
    ) -> tuple[float, float]:
        """Keep what was learned of a model, whatever other processes have kept meanwhile.

        Returns the good and the bad after `change`; raises BooksError.
        """
        with self._using() as database, transaction(database):
            row = database.execute(
                "SELECT good, bad FROM standings WHERE capability = ? AND alias = ?",
                (capability, alias),
            ).fetchone()
            standing = change((0.0, 0.0) if row is None else (row[0], row[1]))
            database.execute(
                "INSERT OR REPLACE INTO standings (capability, alias, good, bad)"
                " VALUES (?, ?, ?, ?)",
                (capability, alias, *standing),
            )
        return standing

    # ------------------------------------------------------------------- inside

    def refresh(self) -> Spending:
        """Look at what was spent; raises BooksError."""
        with self._using() as database:
            self._look(database)
        return self._known

    def _look(self, database: sqlite3.Connection) -> None:
        self._known = self._spending(database)
        self._known_at = time.monotonic()

    def _spending(self, database: sqlite3.Connection) -> Spending:
        now = self._now()
        database.execute(
            "DELETE FROM reservations WHERE at < ?",
            (_text(now - timedelta(minutes=RESERVED_MINUTES)),),
        )
        sums = [
            database.execute(question, (_text(since),)).fetchone()[0]
            for question, since in _sums(now)
        ]
        return Spending(*sums)

    def _warn_early(self) -> None:
        budgets, now = self._budgets(), self._now()
        for name, cap, spent, period in (
            ("daily", budgets.daily_usd, self._known.day, f"{now:%Y-%m-%d}"),
            ("monthly", budgets.monthly_usd, self._known.month, f"{now:%Y-%m}"),
        ):
            if cap and spent >= WARN_AT * cap and period not in self._warned:
                self._warned.add(period)
                self._warn(
                    f"{spent:.2f} of the {name} budget of {cap:.2f} USD are spent. When it is used "
                    "up, only local models answer."
                )

    def _stamp(self) -> str:
        return _text(self._now())

    @contextmanager
    def _using(self) -> Generator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._database is None:
                    self._database = _opened(self.path)
                    oldest = _text(self._now() - timedelta(days=KEPT_DAYS))
                    self._database.execute("DELETE FROM calls WHERE at < ?", (oldest,))
                yield self._database
            except (sqlite3.Error, OSError) as error:
                raise _told(self.path, error) from error

    async def aclose(self) -> None:
        """Close the file."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Do what `aclose` does, in this thread."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None


def read_stats(path: Path, *, since: datetime) -> tuple[ModelStats, ...]:
    """Return what each model's calls since a moment came to, the dearest first; none without books.

    Raises BooksError.
    """
    rows = _rows(
        path,
        "SELECT alias, model, count(*), sum(outcome IN ('answered', 'stopped')),"
        " sum(prompt_tokens), sum(cached_tokens), sum(output_tokens), total(cost_usd),"
        " avg(first_ms), avg(total_ms)"
        " FROM calls WHERE at >= ? GROUP BY alias, model ORDER BY 8 DESC, 3 DESC",
        since,
    )
    return tuple(ModelStats(*row) for row in rows)


def read_totals(path: Path) -> tuple[CallTotals, ...]:
    """Return what all calls that are kept came to, by kind; raises BooksError."""
    rows = _rows(
        path,
        "SELECT capability, alias, endpoint, model, outcome, count(*), sum(prompt_tokens),"
        " sum(cached_tokens), sum(output_tokens), total(cost_usd), total(total_ms) / 1000,"
        " total(first_ms) / 1000 FROM calls WHERE at >= ? GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3",
        datetime.fromtimestamp(0, UTC),
    )
    return tuple(CallTotals(*row) for row in rows)


def read_spending(path: Path, *, now: datetime) -> Spending:
    """Return what all of a user's processes have spent and set aside; raises BooksError."""
    sums = [
        rows[0][0] if (rows := _rows(path, question, since)) else 0.0
        for question, since in _sums(now)
    ]
    return Spending(*sums)


def _sums(now: datetime) -> tuple[tuple[str, datetime], ...]:
    """Return what asks for each sum of `Spending`, in its order, and since when."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (
        ("SELECT total(cost_usd) FROM calls WHERE at >= ?", day),
        ("SELECT total(cost_usd) FROM calls WHERE at >= ?", day.replace(day=1)),
        (
            "SELECT total(cost_usd) FROM reservations WHERE at >= ?",
            now - timedelta(minutes=RESERVED_MINUTES),
        ),
    )


def read_days(path: Path, *, since: datetime) -> tuple[tuple[str, int, float], ...]:
    """Return each day's calls and cost since a moment; raises BooksError."""
    return tuple(
        (day, calls, cost)
        for day, calls, cost in _rows(
            path,
            "SELECT substr(at, 1, 10), count(*), total(cost_usd) FROM calls WHERE at >= ?"
            " GROUP BY 1 ORDER BY 1",
            since,
        )
    )


def _rows(path: Path, question: str, since: datetime) -> Sequence[tuple[Any, ...]]:
    if not path.is_file():
        return ()
    try:
        with closing(open_read_only(path)) as database:
            return database.execute(question, (_text(since),)).fetchall()
    except sqlite3.Error as error:
        raise _told(path, error) from error


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def _opened(path: Path) -> sqlite3.Connection:
    """Open the books; damaged ones are set aside. Raises sqlite3.Error or OSError."""
    try:
        return open_private(path, _prepare, any_thread=True)
    except sqlite3.OperationalError:
        raise  # busy, or not writable: it is not the file's fault
    except sqlite3.DatabaseError as error:
        aside = set_aside(path)
        logger.warning("The books were damaged (%s) and set aside as %s.", error, aside)
        return open_private(path, _prepare, any_thread=True)


def _prepare(database: sqlite3.Connection) -> None:
    write_ahead(database, "FULL")
    with transaction(database):
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise sqlite3.OperationalError("a newer COAI wrote it")
        if not version:
            for statement in _TABLES:
                database.execute(statement)
            database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {_VERSION}")


def _told(path: Path, error: Exception) -> BooksError:
    return BooksError(
        f"The books {path} cannot be used: {error}.",
        remedy="Make the file writable for you, or move it away.",
    )
