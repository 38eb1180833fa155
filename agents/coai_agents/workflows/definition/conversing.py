"""What has to hold in a conversation, and the type of what it gives."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from coai_agents.workflows.definition.known import unknown
from coai_agents.workflows.definition.types import TEXT, Type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.workflows.definition.known import Known
    from coai_agents.workflows.definition.schema import ConversationNode, Voice

MESSAGE: Final = Type("object", fields=(("by", TEXT), ("text", TEXT)))

TALK: Final = Type(
    "object",
    fields=(
        *(("text", TEXT), ("ended", TEXT), ("conclusion", TEXT), ("summary", TEXT)),
        ("said", Type("list", item=MESSAGE)),
    ),
)
"""What a conversation gives: `text` is what a person reads of it, a conclusion or all of it."""

OFFICES: Final = ("moderator", "summary", "conclusion", "wishes", "nobody")
"""What steps and answers of a conversation are called; no member has such a name."""


def wrong_in(node: ConversationNode, known: Known) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield what does not hold, with where it stands."""
    counted = Counter(member.name for member in node.members)
    for number, member in enumerate(node.members):
        at = ("members", number)
        if counted[member.name] > 1 or member.name in OFFICES:
            yield (*at, "name"), f"a name of its own was expected; {member.name} is another's"
        yield from _wrong_voice(member, known, at)
    yield from _wrong_voice(node.moderator, known, ("moderator",))
    if node.conclusion is not None:
        yield from _wrong_voice(node.conclusion, known, ("conclusion",))
    if all(member.human for member in node.members):
        yield ("members",), "a member was expected that is a model"
    if node.turns != "moderator" and "moderator" in node.model_fields_set:
        yield ("moderator",), f"turns: moderator was expected with it, not {node.turns}"
    if node.cache:
        yield ("cache",), "what was said in a conversation is never kept"


def _wrong_voice(
    voice: Voice, known: Known, at: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for key, names in (("role", known.roles), ("profile", known.profiles)):
        if wrong := unknown(names, getattr(voice, key), key):
            yield (*at, key), wrong
