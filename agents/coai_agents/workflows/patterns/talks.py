"""Conversations as constructors: a review of a change, brainstorming, a panel; ordinary plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.workflows.definition.schema import (
    ConversationNode,
    GateNode,
    Member,
    Plan,
    ToolNode,
    Voice,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

QUESTION = '"Is this change right, safe and clear? What has to be done before it is accepted?"'
VERDICT = "Begin with accept or revise."
BEST = "Name the three best ideas, most useful first, each with what speaks for and against it."


def change_review(name: str, reviewers: Sequence[Member], *, rounds: int = 1) -> Plan:
    """Return a plan in which reviewers talk about what changed; the input is the revision.

    What they say is joined and checked against the code.
    """
    change = ToolNode(kind="tool", name="change", tool="changes", given={"since": "input"})
    something = GateNode(kind="gate", name="something", check="length(change) > 0")
    talk = ConversationNode(
        kind="conversation",
        name="talk",
        topic=QUESTION,
        given={"change": "change"},
        depends_on=("something",),
        members=tuple(reviewers),
        max_turns=rounds * len(reviewers),
        conclusion=Voice(role="summarizer", prompt=VERDICT),
    )
    review = ToolNode(
        kind="tool",
        name="review",
        tool="synthesise",
        given={"summary": "talk.conclusion", "talk": "talk"},
    )
    return Plan(name=name, nodes=(change, something, talk, review), result="review")


def brainstorming(name: str, members: Sequence[Member], *, turns: int = 8) -> Plan:
    """Return a plan in which whoever has something to add speaks, and the best ideas are named."""
    ideas = ConversationNode(
        kind="conversation",
        name="ideas",
        turns="volunteer",
        members=tuple(members),
        max_turns=turns,
        conclusion=Voice(role="analyst", prompt=BEST),
    )
    return Plan(name=name, nodes=(ideas,))


def panel(
    name: str, experts: Sequence[Member], *, turns: int = 6, moderator: Voice | None = None
) -> Plan:
    """Return a plan in which a moderator leads experts to an answer."""
    discussed = ConversationNode(
        kind="conversation",
        name="panel",
        turns="moderator",
        members=tuple(experts),
        max_turns=turns,
        moderator=moderator or Voice(role="supervisor"),
        conclusion=Voice(role="summarizer"),
    )
    return Plan(name=name, nodes=(discussed,))
