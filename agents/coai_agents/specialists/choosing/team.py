"""Has the specialists that a request is for answer side by side, and merges what they say."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from coai_agents.specialists.answers import Report
from coai_agents.specialists.choosing.synthesis import Part, merge
from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from coai_agents.specialists.choosing.tree import Choice

    Specialist = Callable[[], Awaitable[Report]]


async def ask_team(choice: Choice, team: Mapping[str, Specialist]) -> Report:
    """Return what all of a team say, merged; the report says who was asked and why.

    A specialist that cannot answer is a note, and the others stand.
    """
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(_answer(name, ask)) for name, ask in team.items()}
    report = merge([Part(name, task.result()) for name, task in tasks.items()])
    asked = f"Asked: {', '.join(team)}. Why: {choice.why}."
    return replace(report, notes=(asked, *report.notes))


async def _answer(name: str, ask: Specialist) -> Report:
    try:
        return await ask()
    except CoaiError as error:
        return Report("", (), (f"{name} could not be told: {error}",))
