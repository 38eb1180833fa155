"""Answers of agents kept and judged, as every door has them: what one took in, its name out."""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from coai_agents.application.specialists.team import ANSWER
from coai_agents.specialists.asking import Meter
from coai_agents.specialists.choosing.standings import Given, Standings, location
from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from coai_routing.policy.bandit import Verdict
    from coai_routing.settings.schema import Settings


MOST_LOOKED_AT: Final = 2_000
"""Older answers say nothing any more."""


def keep(agent: str, meter: Meter, seconds: float, settings: Settings, *, answered: bool) -> str:
    """Keep an answer, one row for each of its team; return its name, empty if none is kept.

    Whether anything is recorded is the settings' to say (`ledger.enabled`). Raises
    `StandingsError`.
    """
    if not settings.ledger.enabled:
        return ""
    whole = Given(
        agent,
        meter.capability,
        meter.model,
        seconds,
        meter.usd,
        answered,
        meter.by_challenger,
    )
    kept = Standings(location())
    if not meter.members:
        return kept.keep(whole)
    # The model spoke for one of them: the others say what they know without one.
    speaker = ANSWER if ANSWER in meter.members else list(meter.members)[-1]
    plain = Given(agent, seconds=seconds)
    return kept.keep_team(
        [
            replace(whole if each == speaker else plain, agent=each, answered=said)
            for each, said in meter.members.items()
        ]
    )


def meter_of(settings: Settings) -> Meter:
    """Return what counts one answer; now and then the challenger is asked first, by its share."""
    wanted = settings.agents.challenger
    chosen = wanted.model is not None and random.random() < wanted.share  # noqa: S311 - a share, not a key
    return Meter(challenger=wanted.model or "" if chosen else "")


@contextmanager
def metered(agent: str, settings: Settings, told: Callable[[CoaiError], None]) -> Generator[Meter]:
    """Give what counts one answer, and keep that; `told` is given why it could not be kept."""
    meter, since = meter_of(settings), time.monotonic()
    yield meter
    try:
        answered = bool(meter.model or any(meter.members.values()))
        keep(agent, meter, time.monotonic() - since, settings, answered=answered)
    except CoaiError as error:
        told(error)


def keep_fate(
    agent: str, model: str, capability: str, verdict: Verdict, settings: Settings
) -> None:
    """Keep what became of a change that an agent made; raises `StandingsError`."""
    if settings.ledger.enabled:
        Standings(location()).keep(Given(agent, capability, model, verdict=verdict))


def rate(name: str | None, *, helpful: bool) -> list[Given]:
    """Say whether an answer was of help, the last one without a name; return it as it was.

    A team's answer is one for each of its members. Raises `StandingsError`.
    """
    return Standings(location()).rate(name, helpful=helpful)


def past(settings: Settings) -> tuple[Given, ...]:
    """Return the earlier answers by which a team is chosen; none where the settings say so.

    Raises `StandingsError`.
    """
    if not (settings.ledger.enabled and settings.routing.learning):
        return ()
    return tuple(Standings(location()).answers(most=MOST_LOOKED_AT))


def last(most: int) -> list[Given]:
    """Return the last answers, the newest first; raises `StandingsError`."""
    return Standings(location()).answers(most=most)


def table(since: float) -> list[dict[str, Any]]:
    """Return how every agent did with each model since then; raises `StandingsError`."""
    return [each.as_json() for each in Standings(location()).table(since)]
