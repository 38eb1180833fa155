"""What models were used for, what it cost, and what has left the machine, for the editor's reports.

The router's books and its log of departures are read from disk, in threads.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from coai_server.server import Server

DAYS: Final = 30
"""How far back the report looks."""

SUGGESTIONS: Final = 1000
"""How many of the last completion requests and suggestions are counted."""

DEPARTURES: Final = 100
"""How many of the last departures are told."""


def register(server: Server) -> None:
    """Register the commands that the reports ask."""

    @server.command("coai.usage")
    async def usage() -> dict[str, Any]:
        budget = server.services.settings.budget
        known = await asyncio.to_thread(_read_usage)
        return {
            **known,
            "dailyBudgetUsd": budget.daily_usd,
            "monthlyBudgetUsd": budget.monthly_usd,
            "completions": await asyncio.to_thread(_read_completions),
        }

    @server.command("coai.departures")
    async def departures() -> list[dict[str, Any]]:
        return await asyncio.to_thread(_read_departures)


def spent_today() -> float:
    """Return what today's calls have cost so far, in US dollars, the day being UTC's.

    It reads the disk, so use a thread. Raises BooksError.
    """
    from coai_routing.books import location, read_days  # noqa: PLC0415 - not at the start

    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return sum(cost for _, _, cost in read_days(location(), since=midnight))


def _read_usage() -> dict[str, Any]:
    from coai_routing.books import location, read_days, read_stats  # noqa: PLC0415 - as above

    now = datetime.now(UTC)
    since = now - timedelta(days=DAYS)
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    days = read_days(location(), since=since)
    return {
        "days": DAYS,
        "todayUsd": spent_today(),
        "monthUsd": sum(cost for _, _, cost in read_days(location(), since=month)),
        "perDay": [{"day": day, "calls": calls, "usd": cost} for day, calls, cost in days],
        "models": [
            {
                "alias": row.alias,
                "model": row.model,
                "calls": row.calls,
                "answered": row.answered,
                "promptTokens": row.prompt_tokens,
                "cachedTokens": row.cached_tokens,
                "outputTokens": row.output_tokens,
                "costUsd": row.cost_usd,
                "firstMs": row.first_ms,
                "totalMs": row.total_ms,
            }
            for row in read_stats(location(), since=since)
        ],
    }


def _read_completions() -> dict[str, Any] | None:
    """Return what the last completion requests came to; None where nothing is recorded."""
    from coai_routing.ledger_file import location  # noqa: PLC0415 - as above
    from coai_routing.ledger_reading import reading  # noqa: PLC0415 - as above

    if not location().is_file():
        return None
    with reading(location()) as ledger:
        requests = [past.request for past in ledger.requests(SUGGESTIONS)]
        suggestions = ledger.suggestions(SUGGESTIONS)
    times = [each.elapsed_ms for each in requests if not each.reason]
    return {
        "requests": len(requests),
        "suggestions": len(times),
        "medianMs": median(times) if times else None,
        "outputTokens": sum(each.output_tokens for each in requests),
        "fates": Counter(each.fate.value for each in suggestions),
    }


def _read_departures() -> list[dict[str, Any]]:
    from coai_routing.egress_log import location, read_departures  # noqa: PLC0415 - as above

    return [
        {
            "at": one.at.isoformat(),
            "host": one.host,
            "endpoint": one.endpoint,
            "model": one.model,
            "capability": one.capability,
            "bytes": one.content_bytes,
            "why": one.why,
        }
        for one in read_departures(location(), limit=DEPARTURES)
    ]
