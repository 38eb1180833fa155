"""What a pattern looks for, and what the user is told of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.changes.patterns import Call, Exact, Hole, Kind, Name, Shape, Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.changes.difference import Difference
    from coai_agents.changes.patterns import Part

_WORD: Final = re.compile(r"[^\W\d]\w+")

_LONGEST: Final = 40


def keys_of(root: Part) -> tuple[str, ...]:
    """Return the words that every match has, the longest first; words of the grammar are none."""
    return tuple(sorted(set(_words(root)), key=lambda word: (-len(word), word)))


def _words(part: Part) -> Iterator[str]:
    if isinstance(part, Exact):
        if part.kind != part.text:
            yield from _WORD.findall(part.text)
    elif isinstance(part, Name):
        yield part.text
    elif isinstance(part, Call):
        yield part.name
    elif isinstance(part, Hole):
        if part.inner is not None:
            yield from _words(part.inner)
    elif isinstance(part, Slot):
        for each in part.old:
            yield from _words(each)
    elif isinstance(part, Shape):
        for each in part.children:
            yield from _words(each)


def titled(found: Difference, kind: Kind) -> str:
    """Return an edit in a few words: what was there, and what is."""
    old = " ".join(found.before.text(node) for node in found.old)
    new = " ".join(found.after.text(node) for node in found.new)
    return f"{kind}: {_short(old) or 'nothing'} -> {_short(new) or 'nothing'}"


def _short(text: str) -> str:
    line = " ".join(text.split()).strip(", ")
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
