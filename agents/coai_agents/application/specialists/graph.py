"""Requests of any kind, by COAI's own graph: one function for every door.

A door says who its specialists are and how one of them answers; who is asked, in which order, what
they are told of one another, and how their answers become one, is decided here.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from coai_agents.specialists.choosing.graph import Worked, route, working

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from coai_agents.specialists.answering.agent import About
    from coai_agents.specialists.choosing.graph import Ask
    from coai_agents.specialists.choosing.tree import Choice


async def answering_request(
    request: str,
    about: Sequence[About],
    members: Sequence[str],
    ask: Ask,
    *,
    choice: Choice | None = None,
    left_out: frozenset[str] = frozenset(),
) -> AsyncGenerator[Worked]:
    """Yield the answer to a request about places as it grows, and who had a part in it.

    `members` are the specialists by name, `ask` has one speak who is told what others found, and
    `left_out` are those that were of no help lately: `Worked.helped` says who was, to be kept.
    """
    lines = sum(each.source.slice(each.span).count("\n") + 1 for each in about)
    way = route(
        request,
        members,
        choice=choice,
        lines=lines,
        files=len(about),
        left_out=left_out,
    )
    shown = frozenset(each.path for each in about if each.path)
    async with aclosing(working(way, ask, shown=shown)) as steps:
        async for worked in steps:
            yield worked
