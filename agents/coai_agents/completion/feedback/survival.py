"""How much of an accepted suggestion is still in the document some time later.

The document has changed meanwhile: lines came and went above, the text was indented anew, moved, or
partly rewritten. So the place is found again by its lines and those around it, and the text is
compared there without regard to indentation and line ends.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

from coai_agents.completion.cursor import unify_line_ends

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.source import Source

AROUND: Final = 4
"""Lines above and below that help to find the place again."""

SLACK: Final = 3
"""Lines on each side of the place that are compared too, as lines may have come in between."""

SHORTEST: Final = 4
"""Shorter runs of equal characters are chance: any two lines of code share some."""

MOST_CHARACTERS: Final = 400
"""The most of two stretches of differing lines that is compared character by character."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A text as it was accepted, and where."""

    text: str
    line: int
    """Where it began, from 0."""
    around: tuple[str, ...]
    """The lines above, of the text, and below, without indentation."""
    first: int
    """The line of the document that the first of `around` was."""

    @classmethod
    def of(cls, text: str, source: Source, offset: int) -> Taken:
        """Take note of a text that was inserted at an offset of a snapshot, in code points."""
        text = unify_line_ends(text)
        line = source.line_at(offset)
        top = max(0, line - AROUND)
        bottom = min(source.line_count, line + text.count("\n") + AROUND + 1)
        around = tuple(source.line_text(number).strip() for number in range(top, bottom))
        return cls(text, line, around, top)


def kept_share(taken: Taken, text: str) -> float:
    """Return the share of an accepted text's characters that a document still has, from 0 to 1.

    Blanks at the beginnings and ends of lines do not count.
    """
    wanted = [line.strip() for line in unify_line_ends(taken.text).split("\n")]
    whole = "\n".join(wanted).strip()
    if not whole:
        return 1.0
    lines = [line.strip() for line in unify_line_ends(text).split("\n")]
    place = _place(taken, lines)
    near = lines[max(0, place - SLACK) : place + len(wanted) + SLACK]
    left = _without_neighbours(taken, near, len(wanted))
    if whole in "\n".join(left):
        return 1.0
    lengths = sum(len(line) for line in wanted)
    return min(1.0, _equal_characters(wanted, left) / lengths)


def _without_neighbours(taken: Taken, near: Sequence[str], count: int) -> list[str]:
    """Leave out what stood above and below already: it is not what was accepted."""
    above = taken.line - taken.first
    neighbours = Counter((*taken.around[:above], *taken.around[above + count :]))
    neighbours.subtract(taken.around[above : above + count])
    left: list[str] = []
    for line in near:
        if neighbours[line] > 0:
            neighbours[line] -= 1
        else:
            left.append(line)
    return left


def _place(taken: Taken, lines: Sequence[str]) -> int:
    """Return the line at which the text begins now, as most of the lines around it have it."""
    at: dict[str, list[int]] = {}
    for number, line in enumerate(lines):
        at.setdefault(line, []).append(number)
    votes: dict[int, float] = {}
    for number, line in enumerate(taken.around, taken.first):
        places = at.get(line, ()) if line else ()
        for place in places:
            # A line that stands in many places says little of where this one went.
            votes[place - number] = votes.get(place - number, 0.0) + len(line) / len(places)
    if not votes:
        return min(taken.line, len(lines))
    heaviest = max(votes.values())
    shift = min((shift for shift, vote in votes.items() if vote == heaviest), key=abs)
    return taken.line + shift


def _equal_characters(wanted: Sequence[str], left: Sequence[str]) -> int:
    """Count the characters of lines that other lines have too, in the same order.

    Lines are compared first, characters only where lines differ: that takes quadratic time.
    """
    equal = 0
    matcher = SequenceMatcher(None, wanted, left, autojunk=False)
    for kind, start, end, other_start, other_end in matcher.get_opcodes():
        lines, others = wanted[start:end], left[other_start:other_end]
        if kind == "equal":
            equal += sum(len(line) for line in lines)
        elif kind == "replace" and len(lines) == len(others):
            equal += sum(map(_in_common, lines, others))
        elif kind == "replace":
            equal += _in_common("\n".join(lines), "\n".join(others))
    return equal


def _in_common(text: str, other: str) -> int:
    """Count the characters of longest common runs, of texts cut to what is compared at most."""
    text, other = text[:MOST_CHARACTERS], other[: 2 * MOST_CHARACTERS]
    shortest = min(SHORTEST, len(text))
    blocks = SequenceMatcher(None, text, other, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks if block.size >= shortest)
