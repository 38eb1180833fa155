"""Requests of any kind, by COAI's own graph: one function for every door.

A door says who its specialists are and how one of them answers; who is asked, in which order, what
they are told of one another, and how their answers become one, is decided here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.specialists.choosing.graph import Worked, route, work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.specialists.answering.agent import About
    from coai_agents.specialists.choosing.graph import Tell
    from coai_agents.specialists.choosing.tree import Choice


async def answer_request(
    request: str,
    about: Sequence[About],
    members: Sequence[str],
    tell: Tell,
    *,
    choice: Choice | None = None,
    left_out: frozenset[str] = frozenset(),
) -> Worked:
    """Return the answer to a request about places, and who had a part in it.

    `members` are the specialists by name, `tell` has one answer who is told what others found, and
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
    return await work(way, tell, shown=shown)
