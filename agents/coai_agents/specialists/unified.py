"""Unified diffs of changes that are known edit by edit.

difflib compares whole texts, which takes the square of their length where thousands of lines are
alike. Between edits both texts are the same, so it need only look at one at a time.
"""

from __future__ import annotations

from bisect import bisect_left
from difflib import SequenceMatcher
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coai_agents.source import Edit

    Opcode = tuple[str, int, int, int, int]

_CONTEXT: Final = 3
"""Lines that are shown around what changes, as `diff -u` does."""


def unified(before: str, after: str, edits: Sequence[Edit], name: str) -> str:
    """Return the unified diff of a file of this name; `edits` lead from one text to the other."""
    was, now = before.splitlines(keepends=True), after.splitlines(keepends=True)
    matcher = SequenceMatcher(None, was, now)
    if edits:
        matcher.opcodes = list(_joined(_opcodes(was, now, edits)))  # pyright: ignore[reportAttributeAccessIssue] - what get_opcodes() keeps
    lines: list[str] = []
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        first, last = group[0], group[-1]
        lines.append(f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@\n")
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                lines += (f" {line}" for line in was[i1:i2])
                continue
            lines += (f"-{line}" for line in was[i1:i2])
            lines += (f"+{line}" for line in now[j1:j2])
    if lines:
        lines[:0] = (f"--- a/{name}\n", f"+++ b/{name}\n")
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _range(start: int, stop: int) -> str:
    """Return a range of lines as unified diffs write it: from 1, an empty one from before it."""
    length = stop - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


def _opcodes(was: list[str], now: list[str], edits: Sequence[Edit]) -> Iterator[Opcode]:
    """Yield difflib's opcodes, computed for the edits that touch the same lines together."""
    i1 = j1 = 0
    for i2, j2 in (*_cuts(was, now, edits), (len(was), len(now))):
        for tag, a1, a2, b1, b2 in SequenceMatcher(None, was[i1:i2], now[j1:j2]).get_opcodes():
            yield tag, a1 + i1, a2 + i1, b1 + j1, b2 + j1
        i1, j1 = i2, j2


def _cuts(was: list[str], now: list[str], edits: Sequence[Edit]) -> Iterator[tuple[int, int]]:
    """Yield lines of both texts that begin what is between two edits and therefore the same."""
    starts, ends = ([0, *accumulate(map(len, lines))] for lines in (was, now))
    spans = [(each.span, len(each.text)) for each in edits if each.span is not None]
    spans.sort(key=lambda each: (each[0].start, each[0].end))
    shift = 0
    for (span, length), (following, _) in pairwise(spans):
        shift += length - len(span)
        line = bisect_left(starts, span.end)
        if starts[line] > following.start:
            continue
        other = bisect_left(ends, starts[line] + shift)
        if ends[other] == starts[line] + shift:
            yield line, other


def _joined(opcodes: Iterator[Opcode]) -> Iterator[Opcode]:
    """Yield opcodes with equal lines that meet made one, which hunks are told apart by."""
    last: Opcode | None = None
    for each in opcodes:
        if last is not None and last[0] == each[0] == "equal":
            last = ("equal", last[1], each[2], last[3], each[4])
            continue
        if last is not None:
            yield last
        last = each
    if last is not None:
        yield last
