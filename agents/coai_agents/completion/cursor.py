"""The place where a completion is asked for, as text before and after it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from coai_agents.completion.stop.surroundings import Surroundings

if TYPE_CHECKING:
    from coai_agents.source import Source


def unify_line_ends(text: str) -> str:
    r"""Turn every LSP line end into `\n`, which is what models were trained on."""
    if "\r" not in text:
        return text
    return text.replace("\r\n", "\n").replace("\r", "\n")


@dataclass(frozen=True)
class Cursor:
    """A position in a snapshot. Two cursors are the same place if all three texts are equal."""

    uri: str
    prefix: str
    """The document before the cursor, with `\\n` line ends."""
    suffix: str
    """The document after the cursor, with `\\n` line ends."""

    @classmethod
    def at(cls, source: Source, offset: int) -> Cursor:
        """Cut a snapshot's text at a code point offset."""
        text = source.text
        return cls(source.uri, unify_line_ends(text[:offset]), unify_line_ends(text[offset:]))

    @cached_property
    def around(self) -> Surroundings:
        """The lines around the cursor."""
        return Surroundings.around(self.prefix, self.suffix)

    def typed_since(self, prefix: str) -> str | None:
        """Return what was typed after `prefix`, or None if this is not further along."""
        return self.prefix[len(prefix) :] if self.prefix.startswith(prefix) else None

    def without_closers(self, count: int) -> Cursor | None:
        """Return the cursor as if the editor had not put so many closing characters after it.

        None if other characters stand there.
        """
        closers = self.suffix[:count]
        if len(closers) < count or closers.strip(CLOSERS):
            return None
        return Cursor(self.uri, self.prefix, self.suffix[count:])


def auto_closed(before: str, after: str) -> str | None:
    """Return what an editor put behind the cursor by itself: the closing half of a pair.

    `before` and `after` are the texts after the cursor at an earlier and at a later time. An empty
    string means that nothing changed, None that something else did.
    """
    added = len(after) - len(before)
    if not 0 <= added <= MOST_CLOSERS or not after.endswith(before):
        return None
    closers = after[:added]
    return None if closers.strip(CLOSERS) else closers


OPENERS = {")": "(", "]": "[", "}": "{", ">": "<", '"': '"', "'": "'", "`": "`"}
"""What has to be typed for an editor to add the closing half by itself."""
CLOSERS = "".join(OPENERS)
MOST_CLOSERS = 3
"""An editor adds one for each that is typed; three open ones in a row are rare."""
