"""Whose turn it is: pure functions of the members, of what was said, and of who wants to speak."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coai_agents.workflows.conversations.history import Message
    from coai_agents.workflows.definition.schema import ConversationNode, Member
    from coai_agents.workflows.definition.types import Json

LEAST_WISH: Final = 3
"""From 0 to 10: who has less to add stays silent."""

NOBODY: Final = "nobody"


@dataclass(frozen=True, slots=True)
class Ended:
    """Nobody speaks any more, and why."""

    why: str


def in_turn(members: Sequence[Member], turn: int) -> Member:
    """Return who speaks in a turn, from 1, where all do one after the other."""
    return members[(turn - 1) % len(members)]


def candidates(node: ConversationNode, said: Sequence[Message]) -> list[Member]:
    """Return who may speak next: everybody but who has just spoken."""
    last = said[-1].by if said else ""
    others = [member for member in node.members if member.name != last]
    return others or list(node.members)


def choice_type(node: ConversationNode, said: Sequence[Message]) -> Json:
    """Return what a moderator is to answer, as a type; that nobody goes on only if all have."""
    names = [member.name for member in candidates(node, said)]
    heard = {each.by for each in said}
    if heard.issuperset(names) or len(names) == 1:
        names.append(NOBODY)
    return {"next": " | ".join(names), "why": "text"}


def most_wanting(
    node: ConversationNode,
    said: Sequence[Message],
    wishes: Mapping[str, float],
    silent: frozenset[str],
) -> Member | Ended:
    """Return who has most to add; of several with as much, who has not spoken for longest.

    The user, who is not asked for a wish, is next where no model has anything to add, unless the
    user had nothing to say since the last message (`silent`).
    """
    spoke = {each.by: number for number, each in enumerate(said)}
    may = candidates(node, said)
    wanting = [each for each in may if wishes.get(each.name, 0.0) >= LEAST_WISH]
    if wanting:
        return max(wanting, key=lambda each: (wishes[each.name], -spoke.get(each.name, -1)))
    users = [each for each in may if each.human and each.name not in silent]
    return users[0] if users else Ended("Nobody had anything to add.")
