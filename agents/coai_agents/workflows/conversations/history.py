"""The history of a conversation: bounded word for word, and what is older as a summary."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.workflows.definition.schema import History
    from coai_agents.workflows.definition.types import Json

EXCERPT_CHARACTERS: Final = 200
"""Of one message, in a summary that no model writes."""

_FIRST: Final = re.compile(r"(.+?[.!?])(?:\s|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Message:
    """What a member said."""

    by: str
    text: str

    def as_json(self) -> dict[str, Json]:
        """Return it as expressions and results have it."""
        return {"by": self.by, "text": self.text}

    def shown(self, most: int) -> str:
        """Return it as the others are told it, at most so many characters of it."""
        text = self.text
        cut = text if len(text) <= most else f"{text[:most]} [{len(text) - most} more characters]"
        return f"{self.by}: {cut}"


@dataclass
class Told:
    """What has been said, and what of it is told to whoever speaks next."""

    bounds: History
    summary: str = ""
    said: list[Message] = field(default_factory=list[Message])
    _older: int = 0
    """Messages that the summary stands for."""

    @property
    def recent(self) -> Sequence[Message]:
        """The messages that are told word for word."""
        return self.said[self._older :]

    def shown(self, hears: int | None) -> str:
        """Return what a member is told of them, who hears at most so many."""
        recent = self.recent
        kept = recent if hears is None else recent[max(0, len(recent) - hears) :]
        return "\n\n".join(each.shown(self.bounds.characters) for each in kept)

    def overflow(self) -> Sequence[Message]:
        """Return the messages that are to be summarised now; none while all are within bounds.

        They are so many that half of the room is free afterwards, so not every turn summarises.
        """
        recent, bounds = self.recent, self.bounds
        if len(recent) <= bounds.messages and _size(recent) <= bounds.characters:
            return ()
        keep = len(recent)
        while keep and (
            keep > bounds.messages // 2
            or _size(recent[len(recent) - keep :]) * 2 > bounds.characters
        ):
            keep -= 1
        # The newest one is always told as it was said.
        return recent[: len(recent) - max(keep, 1)]

    def summarised(self, summary: str) -> None:
        """Let a summary stand for what `overflow` returned."""
        self._older += len(self.overflow())
        self.summary = summary[-self.bounds.characters :]


def excerpt(summary: str, older: Sequence[Message]) -> str:
    """Return a summary that nobody has to write: the first sentence of each message."""
    lines = [f"{each.by}: {first_sentence(each.text)}" for each in older]
    return "\n".join(filter(None, (summary, *lines)))


def first_sentence(text: str) -> str:
    """Return the first sentence of a text, cut where it is long."""
    plain = " ".join(text.split())
    match = _FIRST.match(plain)
    return (match[1] if match else plain)[:EXCERPT_CHARACTERS]


def _size(messages: Sequence[Message]) -> int:
    return sum(len(each.by) + len(each.text) for each in messages)
