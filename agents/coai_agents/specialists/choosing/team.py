"""Has the specialists that a request is for answer side by side, and merges what they say."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.answers import Report
from coai_agents.specialists.choosing.synthesis import Part, merge
from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from coai_agents.specialists.choosing.tree import Choice

    Specialist = Callable[[], AsyncGenerator[Report]]
    """Says what it knows, each time all of it so far."""

_ENDED: Final = ""
"""Comes when a specialist has no more to say."""


async def speaking(team: Mapping[str, Specialist]) -> AsyncGenerator[dict[str, Report]]:
    """Yield what each of a team has said so far, in the team's order; they speak side by side.

    A specialist that cannot answer is a note, and the others stand. Something is yielded once at
    least.
    """
    said: dict[str, Report] = {}
    news: asyncio.Queue[str] = asyncio.Queue()
    tasks = [asyncio.create_task(_heard(name, ask, said, news)) for name, ask in team.items()]
    ended = 0
    try:
        while ended < len(tasks):
            # What has come meanwhile is shown together.
            names = [await news.get()]
            while not news.empty():
                names.append(news.get_nowait())
            ended += names.count(_ENDED)
            yield {name: said[name] for name in team if name in said}
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        task.result()


async def ask_team(choice: Choice, team: Mapping[str, Specialist]) -> Report:
    """Return what all of a team say, merged; the report says who was asked and why."""
    said: dict[str, Report] = {}
    async with aclosing(speaking(team)) as heard:
        async for each in heard:
            said = each
    report = merge([Part(name, each) for name, each in said.items()])
    asked = f"Asked: {', '.join(team)}. Why: {choice.why}."
    return replace(report, notes=(asked, *report.notes))


async def _heard(
    name: str, ask: Specialist, said: dict[str, Report], news: asyncio.Queue[str]
) -> None:
    try:
        async with aclosing(ask()) as reports:
            async for report in reports:
                said[name] = report
                news.put_nowait(name)
    except CoaiError as error:
        said[name] = Report("", (), (f"{name} could not be told: {error}",))
    finally:
        news.put_nowait(_ENDED)
