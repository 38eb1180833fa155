"""Questions to the ledger, for commands and for a daemon that starts. Not for an event loop."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from coai_routing.records.usage_file import open_to_read, translated
from coai_routing.records.usage_rows import RequestRow, SuggestionRow, milliseconds

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class PastRequest:
    """A request, and what is known of the suggestion that it ended in."""

    request: RequestRow
    suggestion: SuggestionRow | None = None


@dataclass(frozen=True, slots=True)
class BackendTotals:
    """What the completions of one model came to."""

    backend: str
    model: str
    suggestions: int
    evaluated_tokens: int
    cached_tokens: int
    output_tokens: int
    mean_ms: float


@contextmanager
def reading(path: Path) -> Generator[LedgerReader]:
    """Open the ledger to read it, whoever writes meanwhile; raises `LedgerError`."""
    database = open_to_read(path)
    try:
        with translated(path):
            yield LedgerReader(database)
    finally:
        database.close()


class LedgerReader:
    """The ledger as it was when each question was asked."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def requests(self, last: int) -> tuple[PastRequest, ...]:
        """Return the last so many requests, newest first."""
        rows = self._database.execute(_REQUESTS, (last,))
        split = len(RequestRow.COLUMNS)
        return tuple(
            PastRequest(
                RequestRow.of(row[:split]),
                None if row[split] is None else SuggestionRow.of(row[split:]),
            )
            for row in rows
        )

    def suggestions(self, last: int) -> tuple[SuggestionRow, ...]:
        """Return the last so many suggestions, newest first."""
        rows = self._database.execute(_SUGGESTIONS, (last,))
        return tuple(SuggestionRow.of(row) for row in rows)

    def reasons_by_day(
        self, days: int, *, now: datetime | None = None
    ) -> dict[date, dict[str, int]]:
        """Count by day (UTC) what the requests of the last so many days ended in, newest first.

        Each day has a count for each reason's code; `""` stands for suggestions.
        """
        today = (now or datetime.now(UTC)).replace(hour=0, minute=0, second=0, microsecond=0)
        since = milliseconds(today - timedelta(days=days - 1))
        counts: dict[date, dict[str, int]] = {}
        for day, reason, count in self._database.execute(_REASONS, (since,)):
            counts.setdefault(date.fromisoformat(day), {})[reason] = count
        return counts

    def by_backend(self, since: datetime) -> tuple[BackendTotals, ...]:
        """Sum up what each model was asked for completions since a moment, the busiest first.

        What was found in memory, without asking a model, is not counted.
        """
        rows = self._database.execute(_BACKENDS, (milliseconds(since),))
        return tuple(BackendTotals(*row) for row in rows)


def _columns(table: str, names: tuple[str, ...]) -> str:
    return ", ".join(f"{table}.{name}" for name in names)


_REQUESTS = (
    f"SELECT {_columns('requests', RequestRow.COLUMNS)},"  # noqa: S608 - names of our own
    f" {_columns('suggestions', SuggestionRow.COLUMNS)}"
    " FROM requests LEFT JOIN suggestions USING (run, identity)"
    " ORDER BY requests.at DESC, requests.id DESC LIMIT ?"
)

_SUGGESTIONS = (
    f"SELECT {_columns('suggestions', SuggestionRow.COLUMNS)}"  # noqa: S608 - as above
    " FROM suggestions ORDER BY shown_at DESC, id DESC LIMIT ?"
)

_REASONS = (
    "SELECT date(at / 1000, 'unixepoch') AS day, reason, count(*) FROM requests"
    " WHERE at >= ? GROUP BY day, reason ORDER BY day DESC, count(*) DESC, reason"
)

_BACKENDS = (
    "SELECT backend, model, count(*), sum(evaluated_tokens), sum(cached_tokens),"
    " sum(output_tokens), avg(elapsed_ms) FROM requests"
    " WHERE at >= ? AND origin IN ('model', 'joined') GROUP BY backend, model ORDER BY 3 DESC"
)
