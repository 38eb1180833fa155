"""The router as the settings describe it, with its cache, logs and books, built by one call."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import platformdirs

from coai_routing.errors import BooksError, CoaiError
from coai_routing.policy.bandit import BanditStandings
from coai_routing.pool.deployments import Deployments
from coai_routing.pool.endpoints import cloud_places, server_places
from coai_routing.privacy import departures as egress_log
from coai_routing.privacy.departures import EgressLog
from coai_routing.records import spending as books_module
from coai_routing.records.spending import Budgets, SpendingLedger
from coai_routing.router.cache import AnswerCache
from coai_routing.router.router import Router, RouterSettings
from coai_routing.wiring.configured_routing import (
    chosen_objective,
    registry,
    routing_egress,
    sensitivity_rules,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from coai_routing.cluster.shared_answers import RedisAnswers
    from coai_routing.pool.place import Place
    from coai_routing.pool.pool import ModelPool
    from coai_routing.providers.discovery import Found
    from coai_routing.records.telemetry import Telemetry
    from coai_routing.router.calls import AnswerStore
    from coai_routing.settings.schema import Settings

logger = logging.getLogger(__name__)

EXPLANATION_BYTES: Final = 100_000_000
"""Of explanations on disk, some hundred thousand."""

EXPLANATION_SECONDS: Final = 86_400.0
"""How long an explanation stays in memory: a day. It is found by meaning, so it does not age."""


def answers_directory() -> Path:
    """Return where answers are kept."""
    return platformdirs.user_cache_path("coai", appauthor=False) / "answers"


def answer_cache(settings: Settings) -> AnswerCache | None:
    """Return the cache as the settings set it up; None if it is off."""
    wanted = settings.cache
    if not wanted.enabled:
        return None
    return AnswerCache(
        answers_directory(),
        entries=wanted.entries,
        seconds=wanted.minutes * 60.0,
        disk_bytes=wanted.disk_megabytes * 1_000_000,
        keep_sensitive=wanted.keep_sensitive,
    )


def explanation_store(settings: Settings) -> AnswerCache:
    """Return where explanations are kept; what is sensitive is only ever in memory."""
    wanted = settings.cache
    room = min(wanted.disk_megabytes * 1_000_000, EXPLANATION_BYTES) if wanted.enabled else 0
    return AnswerCache(
        answers_directory().with_name("explanations"),
        entries=wanted.entries,
        seconds=EXPLANATION_SECONDS,
        disk_bytes=room,
    )


def shared_answers(settings: Settings) -> RedisAnswers | None:
    """Return the answers that machines share; None where there are none or they may not be."""
    address = settings.cluster.cache_url
    if address is None or not settings.cache.enabled:
        return None
    from coai_routing.cluster.databases import check, shared  # noqa: PLC0415 - only if wanted
    from coai_routing.cluster.shared_answers import RedisAnswers  # noqa: PLC0415 - as above

    try:
        store = shared(address.get_secret_value(), "Redis")
        check(store, settings.privacy)
        return RedisAnswers(store, seconds=settings.cache.minutes * 60.0)
    except CoaiError as error:
        logger.warning("Answers are not shared: %s %s", error.message, error.remedy)
        return None


@dataclass(frozen=True)
class Routing:
    """A router and what it writes to."""

    router: Router
    books: SpendingLedger
    learning: BanditStandings
    cache: AnswerCache | None
    departures: EgressLog
    telemetry: Telemetry | None = None
    shared: RedisAnswers | None = None

    async def aclose(self) -> None:
        """Cancel what is under way, and close every connection and file."""
        await self.router.aclose()
        await self.departures.aclose()
        await self.books.aclose()
        if self.cache is not None:
            await self.cache.aclose()
        if self.shared is not None:
            await self.shared.aclose()
        if self.telemetry is not None:
            await asyncio.to_thread(self.telemetry.close)


async def open_routing(
    settings: Callable[[], Settings],
    *,
    found: Callable[[], Sequence[Found]] = tuple,
    embedded: Callable[[], Sequence[Place]] = tuple,
    pool: ModelPool | None = None,
) -> Routing:
    """Build the router. `found` are the model servers that answer, `embedded` the engine's place.

    The `pool` is its owner's to close; without one the router has its own.

    Settings are read anew for every request, but for the cache's and the limit of requests under
    way. Raises SettingsError where the user's `models.toml` is wrong.
    """
    models = await asyncio.to_thread(registry)

    of: tuple[Settings, Sequence[Found]] | None = None
    others: tuple[Place, ...] = ()

    def places() -> tuple[Place, ...]:
        # Asked for by every plan, and the same until the settings or the servers change.
        nonlocal of, others
        now, seen = settings(), found()
        if of is None or of[0] is not now or of[1] is not seen:
            of, others = (now, seen), (*server_places(now, seen), *cloud_places(now))
        return (*embedded(), *others)

    def wishes() -> RouterSettings:
        now = settings()
        return RouterSettings(
            objective=chosen_objective(now),
            sensitivity=sensitivity_rules(now),
            redact=now.routing.redact,
            hedge=now.routing.hedge,
            max_concurrent=now.routing.max_concurrent,
        )

    def budgets() -> Budgets:
        wanted = settings().budget
        return Budgets(wanted.daily_usd, wanted.monthly_usd)

    books = SpendingLedger(books_module.location(), budgets)
    learning = BanditStandings(books, on=settings().routing.learning)
    await asyncio.to_thread(learning.load)
    with suppress(BooksError):  # told when money is asked for
        await asyncio.to_thread(books.refresh)
    cache = answer_cache(settings())
    store: AnswerStore | None = cache
    answers = None if cache is None else shared_answers(settings())
    if cache is not None and answers is not None:
        from coai_routing.cluster.shared_answers import SharedAnswers  # noqa: PLC0415 - only if wanted

        store = SharedAnswers(cache, answers)
    departures = EgressLog(egress_log.location())
    telemetry = await asyncio.to_thread(_telemetry, settings())
    router = Router(
        Deployments(places, lambda: models, pool=pool),
        registry=lambda: models,
        egress=lambda: routing_egress(settings()),
        settings=wishes,
        cache=store,
        departures=departures,
        book=books,
        standings=learning.standings,
        observe=None if telemetry is None else telemetry.note,
    )
    return Routing(router, books, learning, cache, departures, telemetry, answers)


def _telemetry(settings: Settings) -> Telemetry | None:
    """Return what sends spans if they are wanted and can be sent; importing that takes time."""
    if not settings.telemetry.enabled:
        return None
    from coai_routing.records.telemetry import Telemetry, TelemetryError  # noqa: PLC0415 - only if wanted

    try:
        return Telemetry(settings.telemetry.url, version=version("coai"))
    except TelemetryError as error:
        logger.warning("%s", error)
        return None
