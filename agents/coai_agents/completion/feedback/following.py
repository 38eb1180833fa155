"""What an edit means for the suggestion on screen: accepted, in part, typed by hand, or rejected.

No editor says all of this; the protocol has a command for what is accepted whole, and nothing else.
The rest follows from the document: whoever accepts a word or a line inserts it in one edit, and
whoever types inserts a character at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from coai_agents.source import merge
from coai_routing.records.usage_rows import Fate

if TYPE_CHECKING:
    from coai_agents.source import Source

PIECE: Final = 2
"""Characters that one edit must insert to be a piece that was accepted: one is a keystroke."""

_CLOSERS: Final = frozenset(")]}>\"'`")
_PAIRS: Final = frozenset({"()", "[]", "{}", "<>", '""', "''", "``"})
"""What editors insert by themselves when the first half is typed."""


@dataclass(frozen=True, slots=True)
class OnScreen:
    """A suggestion in a document, and how much of it the document has."""

    text: str
    """With the document's line ends."""
    anchor: int
    """The offset at which it begins."""
    replaces: int = 0
    """Characters after the cursor that accepting it takes away."""
    typed: int = 0
    """Characters of it that stand at the anchor."""
    taken: int = 0
    """Of those, the characters up to the end of the last piece that was accepted."""
    piece: int = 0
    """Where that piece begins, in the suggestion."""

    @property
    def cursor(self) -> int:
        """The offset at which the rest of it is shown."""
        return self.anchor + self.typed

    @property
    def left(self) -> Fate:
        """What became of it if the user turns to something else now."""
        return Fate.ACCEPTED_IN_PART if self.taken else Fate.REJECTED


def after_edit(shown: OnScreen, before: Source, after: Source) -> tuple[OnScreen, Fate | None]:
    """Return the suggestion after an edit, and its fate if that is settled now."""
    region = _region(shown, before, after)
    if region is None:
        return shown, shown.left
    typed = _agreement(shown.text, region)
    whole = typed == len(shown.text)
    if not whole and not _CLOSERS.issuperset(region[typed:]):
        return shown, shown.left
    accepted = _is_piece(shown.text, shown.typed, typed)
    now = replace(
        shown,
        typed=typed,
        taken=typed if accepted else min(shown.taken, typed),
        piece=shown.typed if accepted else shown.piece,
    )
    if not whole:
        return now, None
    if accepted:
        return now, Fate.ACCEPTED
    return now, Fate.ACCEPTED_IN_PART if now.taken else Fate.TYPED


def was_taken_back(piece: tuple[int, int], before: Source, after: Source) -> bool:
    """Say whether a span that was inserted in `before` is gone as a whole since."""
    edits = after.edits_since(before)
    if not edits:
        return False
    edit = merge(edits)
    start, end = piece
    if edit.start > start or edit.old_end < end:
        return False
    return before.text[start:end] not in after.text[edit.start : edit.new_end]


def _region(shown: OnScreen, before: Source, after: Source) -> str | None:
    """Return what stands now between the anchor and what followed the cursor.

    None if the edit was somewhere else, or changed what is around the suggestion.
    """
    anchor, cursor = shown.anchor, shown.cursor
    followed = len(before.text) - cursor
    edits = after.edits_since(before)
    if edits is None:
        # The client sent the whole text.
        around = before.text[:anchor], before.text[cursor:]
        if not (after.text.startswith(around[0]) and after.text.endswith(around[1])):
            return None
    elif edits:
        edit = merge(edits)
        if edit.start > cursor or edit.old_end < anchor:
            return None
        if before.text[edit.start : anchor] != after.text[edit.start : max(edit.start, anchor)]:
            return None
        beyond = before.text[cursor : max(cursor, edit.old_end)]
        if len(beyond) <= shown.replaces:
            followed -= len(beyond)
        elif not after.text.endswith(beyond, 0, edit.new_end):
            return None
    end = len(after.text) - followed
    return after.text[anchor:end] if end >= anchor else None


def _agreement(text: str, other: str) -> int:
    """Return how many characters two texts have in common from their beginning."""
    if text.startswith(other):
        return len(other)
    return sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(text, other, strict=False))
    )


def _is_piece(text: str, start: int, end: int) -> bool:
    """Say whether what one edit added of a suggestion is a piece that editors accept.

    It ends where a word or the suggestion ends, and is not what editors insert by themselves: an
    indentation, or the second half of a pair.
    """
    piece = text[start:end]
    if len(piece) < PIECE or not piece.strip() or piece in _PAIRS:
        return False
    return end == len(text) or not (_is_word(text[end - 1]) and _is_word(text[end]))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
