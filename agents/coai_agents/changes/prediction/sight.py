"""What such a model sees: the region that it may rewrite, what is around it, and the last edits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.changes.learning import edited_span
from coai_agents.completion.prompt.tokens import count_tokens
from coai_routing.registry.next_edit import NextEditFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.changes.bursts import Settled
    from coai_agents.source import Source

SWEEP_LINES: Final = 10
"""Lines above and below the cursor's that Sweep's models rewrite: 21 together."""

SWEEP_CONTEXT: Final = 60
"""Lines more above and below that the second generation sees of the file, if there is room."""

REGION_TOKENS: Final = {
    NextEditFormat.ZETA: 180,
    NextEditFormat.ZETA2: 350,
    NextEditFormat.ZETA2_1: 350,
}
"""How much Zed's models were trained to rewrite (`max_editable_tokens` in crates/zeta_prompt)."""

AROUND_TOKENS: Final = 150
"""How much they see above and below that."""

SURROUNDING_LINES: Final = 3
"""Lines that a past edit is shown with."""

MOST_EDITS: Final = 6
"""Past edits that a prompt shows."""

LONGEST_EDIT: Final = 2_000
"""Characters of one, before or after."""


@dataclass(frozen=True, slots=True)
class PastEdit:
    """An edit that was made, as lines."""

    path: str
    """As prompts name the file."""
    uri: str
    line: int
    """The first of the lines shown, from 0."""
    above: tuple[str, ...]
    old: tuple[str, ...]
    new: tuple[str, ...]
    below: tuple[str, ...]

    @property
    def before(self) -> str:
        """The lines before the edit, with those around them."""
        return "\n".join((*self.above, *self.old, *self.below))

    @property
    def after(self) -> str:
        """The lines after the edit, with those around them."""
        return "\n".join((*self.above, *self.new, *self.below))

    @property
    def span(self) -> str:
        """The lines shown of the file before, from 1, as in `11:21`."""
        return f"{self.line + 1}:{self.line + len(self.above) + len(self.old) + len(self.below)}"

    @property
    def hunk(self) -> str:
        """The edit as a hunk of a unified diff."""
        around = len(self.above) + len(self.below)
        old, new = around + len(self.old), around + len(self.new)
        lines = [f"@@ -{self.line + 1},{old} +{self.line + 1},{new} @@"]
        lines += [f" {line}" for line in self.above]
        lines += [f"-{line}" for line in self.old]
        lines += [f"+{line}" for line in self.new]
        lines += [f" {line}" for line in self.below]
        return "\n".join(lines)


def past_edit(edit: Settled, path: str) -> PastEdit | None:
    """Return an edit as lines; None if there is nothing to show of it, or too much."""
    before, after = edit.before, edit.after
    span = edited_span(before, after)
    grown = len(after.text) - len(before.text)
    first, last = before.line_at(span.start), before.line_at(span.end)
    new_last = after.line_at(span.end + grown)
    old = _lines(before, first, last + 1)
    new = _lines(after, first, new_last + 1)
    if old == new or max(len("\n".join(old)), len("\n".join(new))) > LONGEST_EDIT:
        return None
    low = max(0, first - SURROUNDING_LINES)
    above = _lines(before, low, first)
    below = _lines(before, last + 1, last + 1 + SURROUNDING_LINES)
    return PastEdit(path, after.uri, low, above, old, new, below)


@dataclass(frozen=True, slots=True)
class Sight:
    """A document as a model sees it where the cursor is; lines are without their ends."""

    path: str
    first: int
    """The region's first line, from 0."""
    region: tuple[str, ...]
    """The lines that may be rewritten."""
    cursor: tuple[int, int]
    """Line of the region, and character in it."""
    above: tuple[str, ...]
    below: tuple[str, ...]
    original: tuple[str, ...]
    """The same lines before the last edit, if it was in this document."""
    edits: tuple[PastEdit, ...]
    """The last ones, the oldest first."""

    @property
    def text(self) -> str:
        """The region's text."""
        return "\n".join(self.region)

    def marked(self, marker: str) -> str:
        """Return the region with a mark where the cursor is."""
        line, column = self.cursor
        lines = list(self.region)
        lines[line] = lines[line][:column] + marker + lines[line][column:]
        return "\n".join(lines)


def sight_of(
    source: Source,
    offset: int,
    path: str,
    form: NextEditFormat,
    *,
    edits: Sequence[PastEdit],
    before: Source | None,
) -> Sight:
    """Return what a model of a format sees at an offset.

    `before` is the document as it was before its last edit.
    """
    line = source.line_at(offset)
    if form in (NextEditFormat.SWEEP, NextEditFormat.SWEEP_V2):
        first, end = max(0, line - SWEEP_LINES), min(source.line_count, line + SWEEP_LINES + 1)
        more = SWEEP_CONTEXT if form is NextEditFormat.SWEEP_V2 else 0
        low, high = max(0, first - more), end + more
    else:
        first, end = _grown(source, line, line + 1, REGION_TOKENS[form])
        low, high = _grown(source, first, end, AROUND_TOKENS * 2)
    region = _lines(source, first, end)
    original = region if before is None else _as_before(source, before, first, end)
    return Sight(
        path=path,
        first=first,
        region=region,
        cursor=(line - first, offset - source.line_start(line)),
        above=_lines(source, low, first),
        below=_lines(source, end, high),
        original=original,
        edits=tuple(edits[-MOST_EDITS:]),
    )


def _grown(source: Source, first: int, end: int, tokens: int) -> tuple[int, int]:
    """Return lines with so many tokens more around them, above and below in turns."""
    left = tokens
    while left > 0 and (first > 0 or end < source.line_count):
        if first > 0:
            first -= 1
            left -= count_tokens(source.line_text(first)) + 1
        if end < source.line_count and left > 0:
            left -= count_tokens(source.line_text(end)) + 1
            end += 1
    return first, end


def _as_before(source: Source, before: Source, first: int, end: int) -> tuple[str, ...]:
    """Return lines as they were before an edit, by where it began and how much it added."""
    span = edited_span(before, source)
    at = before.line_at(span.start)
    more = source.line_count - before.line_count
    low = first if first <= at else first - more
    high = end if end <= at else end - more
    return _lines(before, max(0, low), max(low, high))


def _lines(source: Source, first: int, end: int) -> tuple[str, ...]:
    last = min(end, source.line_count)
    return tuple(source.line_text(line).rstrip("\r") for line in range(first, last))
