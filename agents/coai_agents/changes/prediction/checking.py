"""What of a rewritten region is offered: one change of some lines, if it can be true.

A model that rewrites lines also repeats them, stops early, takes back what the user has just done,
or breaks what parsed. None of that is shown.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

from coai_agents.changes.finding import Place
from coai_agents.source import Edit, Span
from coai_agents.syntax.tree import broken_places, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from coai_agents.changes.prediction.sight import PastEdit, Sight
    from coai_agents.source import Source

MOST_LINES: Final = 12
"""Lines that one predicted edit takes away or brings: who reads ghost text reads no more."""

TIMES: Final = 3
"""So often one line after the other is what a model writes that does not find an end."""


def predicted(source: Source, sight: Sight, answer: Sequence[str]) -> Place | None:
    """Return the change next to the cursor that an answer makes, or None if none holds."""
    codes = SequenceMatcher(None, sight.region, answer, autojunk=False).get_opcodes()
    hunks = [(a, b, tuple(answer[c:d])) for what, a, b, c, d in codes if what != "equal"]
    row = sight.cursor[0]
    for start, end, new in sorted(hunks, key=lambda hunk: _distance(row, hunk[0], hunk[1])):
        if _is_sound(sight, start, end, new):
            place = _place(source, sight.first + start, sight.first + end, new)
            return place if _parses(source, place) else None
    return None


def _distance(row: int, start: int, end: int) -> int:
    return max(start - row, row - max(start, end - 1), 0)


def _is_sound(sight: Sight, start: int, end: int, new: tuple[str, ...]) -> bool:
    old = sight.region[start:end]
    if max(len(old), len(new)) > MOST_LINES or _blank_alike(old, new):
        return False
    if not new and not any(line.strip() for line in sight.region[end:]):
        return False  # the answer ended before the region did
    if _goes_on(new) or _repeats(sight, start, end, old, new):
        return False
    return not any(_takes_back(edit, old, new) for edit in sight.edits)


def _blank_alike(old: Iterable[str], new: Iterable[str]) -> bool:
    """Say whether nothing but white space differs."""
    return "".join("".join(old).split()) == "".join("".join(new).split())


def _goes_on(new: Sequence[str]) -> bool:
    """Say whether a line comes again and again."""
    return any(
        new[at].strip() and len(set(new[at : at + TIMES])) == 1
        for at in range(len(new) - TIMES + 1)
    )


def _repeats(
    sight: Sight, start: int, end: int, old: tuple[str, ...], new: tuple[str, ...]
) -> bool:
    """Say whether what would be written stands above or below already."""
    more = _written(line for line in new if line not in old)
    if len(new) <= len(old) or not more:
        return False
    below = _written((*sight.region[end:], *sight.below))[: len(more)]
    above = _written((*sight.above, *sight.region[:start]))[-len(more) :]
    return more in (below, above)


def _written(lines: Iterable[str]) -> list[str]:
    return [kept for line in lines if (kept := line.strip())]


def _takes_back(edit: PastEdit, old: tuple[str, ...], new: tuple[str, ...]) -> bool:
    """Say whether a change makes lines what an edit has just made others of."""
    return (old, new) == (edit.new, edit.old)


def _place(source: Source, first: int, end: int, new: Sequence[str]) -> Place:
    """Return lines as a place, with the document's line ends."""
    line_end = "\r\n" if "\r\n" in source.text else "\n"
    text = line_end.join(new)
    if first < end and new:
        return Place(Span(source.line_start(first), source.line_end(end - 1)), text)
    if first < end:
        return Place(_with_line_end(source, first, end), "")
    if first < source.line_count:
        return Place(Span(source.line_start(first), source.line_start(first)), text + line_end)
    return Place(Span(len(source.text), len(source.text)), line_end + text)


def _with_line_end(source: Source, first: int, end: int) -> Span:
    if end < source.line_count:
        return Span(source.line_start(first), source.line_start(end))
    before = source.line_end(first - 1) if first else 0
    return Span(before, len(source.text))


def _parses(source: Source, place: Place) -> bool:
    """Say whether a document parses no worse after a change; true where no grammar tells."""
    before = parse(source)
    if before is None:
        return True
    after = parse(source.apply(Edit(place.span, place.text)), before)
    return after is not None and broken_places(after) <= broken_places(before)


def on_line(source: Source, line: int, place: Place) -> Place | None:
    """Return a place as one of the cursor's line; None if it is on another or on several."""
    start, end = source.line_start(line), source.line_end(line)
    span, text = place.span, place.text
    below = end if line + 1 == source.line_count else source.line_start(line + 1)
    if span.start == span.end == below and text.endswith("\n"):
        written = text.rstrip("\r\n")
        return Place(Span(end, end), text[len(written) :] + written)
    if not (start <= span.start and span.end <= end):
        return None
    return _narrowed(source, place)


def _narrowed(source: Source, place: Place) -> Place:
    """Return a place without what it leaves as it is at both of its ends."""
    old, new = source.slice(place.span), place.text
    before = 0
    while before < min(len(old), len(new)) and old[before] == new[before]:
        before += 1
    behind = 0
    while behind < min(len(old), len(new)) - before and old[-1 - behind] == new[-1 - behind]:
        behind += 1
    span = Span(place.span.start + before, place.span.end - behind)
    return Place(span, new[before : len(new) - behind])
