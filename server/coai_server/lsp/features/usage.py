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
    from coai_routing.settings.router_sections import BudgetSettings
    from coai_server.lsp.server import Server

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
        known = await asyncio.to_thread(_read_usage, server.services.settings.budget)
        return {
            **known,
            "completions": await asyncio.to_thread(_read_completions),
        }

    @server.command("coai.departures")
    async def departures() -> list[dict[str, Any]]:
        return await asyncio.to_thread(_read_departures)


def read_spending(budget: BudgetSettings) -> dict[str, Any]:
    """Return what models have cost and may cost, in US dollars and in UTC's days and months.

    It is what all of the user's daemons and commands have spent together, so it is read from the
    disk: use a thread. Raises BooksError.
    """
    from coai_routing.records import spending as books  # noqa: PLC0415 - not at the start

    spending = books.read_spending(books.location(), now=datetime.now(UTC))
    return {
        "todayUsd": spending.day,
        "monthUsd": spending.month,
        "reservedUsd": spending.reserved,
        "dailyBudgetUsd": budget.daily_usd,
        "monthlyBudgetUsd": budget.monthly_usd,
    }


def _read_usage(budget: BudgetSettings) -> dict[str, Any]:
    from coai_routing.records.spending import location, read_days, read_stats  # noqa: PLC0415 - as above

    since = datetime.now(UTC) - timedelta(days=DAYS)
    days = read_days(location(), since=since)
    return {
        "days": DAYS,
        "spending": read_spending(budget),
        "perDay": [{"day": day, "calls": calls, "usd": cost} for day, calls, cost in days],
        "models": [row.as_json() for row in read_stats(location(), since=since)],
    }


def _read_completions() -> dict[str, Any] | None:
    """Return what the last completion requests came to; None where nothing is recorded."""
    from coai_routing.records.usage_file import location  # noqa: PLC0415 - as above
    from coai_routing.records.usage_reading import reading  # noqa: PLC0415 - as above

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
    from coai_routing.privacy.departures import location, read_departures  # noqa: PLC0415 - as above

    return [one.as_json() for one in read_departures(location(), limit=DEPARTURES)]
