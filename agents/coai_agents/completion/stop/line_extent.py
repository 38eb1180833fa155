"""Where a suggestion ends.

A model that fills in the middle should stop where the text after the cursor begins; small ones
rarely do. So the end is decided here, from the text around the cursor and the lines that have
come: where the suggestion reaches what stands after the cursor, where its indentation falls out
of the block that the cursor is in, where it begins to repeat itself, and where it turns from code
to prose. Everything here is pure and knows lines only; what the syntax tree adds comes on top.

Measured by benchmarks/infilling.py: cutting at the suffix is worth more than a bigger model.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from coai_agents.completion.stop.nesting import PLAIN, read
from coai_agents.completion.stop.surroundings import DEFINITION, indentation

if TYPE_CHECKING:
    from coai_agents.completion.stop.surroundings import Surroundings

SIMILAR: Final = 0.8
"""Two lines with at least this ratio (difflib's) are taken for the same line, written otherwise."""

REPEATS: Final = 3
"""So many times the same line, or the same group of lines, in a row is a loop."""

_PROSE: Final = ("<|", "</s>", "<s>", "[INST]", "### Response", "### Instruction")


class End(StrEnum):
    """Why a suggestion ends where it does."""

    SUFFIX = "suffix"
    """It reached the text that stands after the cursor."""
    LINE = "line"
    """One line was wanted."""
    UNREACHABLE = "unreachable"
    """The next line leaves the block, and what stands below would never run."""
    DEDENT = "dedent"
    """The next line is outside the block that the cursor is in."""
    FUNCTION = "function"
    """The next line is outside the function that the cursor is in."""
    HEADER = "header"
    """The text after the cursor is the body of the last line."""
    BLOCK = "block"
    """The statement or block is whole."""
    REPETITION = "repetition"
    """The model repeats itself."""
    PROSE = "prose"
    """The next line is no code but a control token."""
    MODEL = "model"
    """The model stopped by itself, or was out of tokens."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of a text to keep, and why it ends there."""

    length: int
    end: End


def find_end(
    text: str,
    around: Surroundings,
    *,
    whole: bool,
    single_line: bool = False,
    patient: bool = False,
) -> Extent | None:
    """Say where `text`, streamed so far, ends as a suggestion; None while it may go on.

    `whole` is true when no more will come; then the answer is never None. Unless it is, a last
    line without its line end is not judged, because the rest of it may change the verdict. A
    `patient` reader lets the text leave its block, as long as it stays in the same function, to see
    whether it comes to what stands after the cursor.
    """
    rest = around.line_suffix.strip()
    if rest:
        return _end_before_rest(text, rest, around, whole=whole, single_line=single_line)
    first_end = text.find("\n")
    # A leading line end would leave nothing at all of a single line: take the line after it.
    if single_line and first_end >= 0 and text[:first_end].strip():
        return Extent(first_end, End.LINE)
    extent = _Reading(around, patient=patient).read(text, whole=whole)
    if extent is None and whole:
        extent = Extent(len(text), End.MODEL)
    if extent is not None and extent.end is not End.SUFFIX:
        extent = _header_of_what_follows(text[: extent.length], around) or extent
    return extent


def _end_before_rest(
    text: str, rest: str, around: Surroundings, *, whole: bool, single_line: bool
) -> Extent | None:
    """Find where a text ends that stands before something on the same line.

    It ends with what it repeats of that, which `fitting` takes off, and with its line: what stands
    after the cursor would be torn away from it, unless a bracket is open that closes further down.
    """
    start = 0
    while True:
        line_end = text.find("\n", start)
        complete = line_end >= 0
        line = text[: line_end if complete else len(text)]
        said = line.rstrip()
        certain = complete or whole or len(rest) >= _SURELY
        if certain and said.endswith(rest):
            telling = len(rest) >= _TELLING or _goes_on_below(text[len(line) :], around)
            if telling or not _opens(said[: -len(rest)], around):
                return Extent(len(said), End.SUFFIX)
        if not complete:
            return Extent(len(text), End.MODEL) if whole else None
        if said and (single_line or not _opens(said, around)):
            return Extent(len(line), End.LINE)
        start = line_end + 1


def _goes_on_below(text: str, around: Surroundings) -> bool:
    """Say whether what a text goes on with on its next line stands below the cursor already."""
    line = text.removeprefix("\n").partition("\n")[0].strip()
    below = around.next_lines[0].strip() if around.next_lines else ""
    return bool(line) and below.startswith(line) and (len(line) >= _BEGINNING or line == below)


def _opens(text: str, around: Surroundings) -> bool:
    """Say whether a text leaves a bracket open that it opened itself."""
    before = read(around.line_prefix[-_LONGEST:], PLAIN).open
    return any(each.at >= 0 and not each.quote for each in read(text, PLAIN, before).open)


def _header_of_what_follows(text: str, around: Surroundings) -> Extent | None:
    """Find the line that opens a block whose body stands after the cursor already.

    A model that wrote a body of its own never comes to the one that is there. Of several such
    lines it is the first of the innermost ones.
    """
    if not around.next_lines:
        return None
    column = indentation(around.next_lines[0])
    found: tuple[int, int] | None = None
    position = 0
    for number, line in enumerate(text.split("\n")):
        shown = around.line_prefix + line if number == 0 else line
        depth = indentation(shown)
        opens = shown.rstrip().endswith((":", "{")) and depth < column
        if opens and (found is None or depth > found[0]):
            found = depth, position + len(line.rstrip())
        position += len(line) + 1
    return None if found is None else Extent(found[1], End.HEADER)


_TELLING: Final = 2
"""So many characters found again are no accident, even within brackets."""

_BEGINNING: Final = 8
"""So many characters of a line tell that it is the same."""

_SURELY: Final = 16
"""So many need no line end after them to be known for the rest of the line."""

_LONGEST: Final = 2_000
"""Characters before the cursor on its line that are looked at."""


class _Reading:
    """Walks the lines of a suggestion and stops before the one that does not belong."""

    def __init__(self, around: Surroundings, *, patient: bool) -> None:
        self._around = around
        self._patient = patient
        self._kept: list[str] = []
        self._base = None if around.at_line_start else indentation(around.line_prefix)
        self._fallback: Extent | None = None
        """Where the text left its block, for when it never comes to the suffix."""

    def read(self, text: str, *, whole: bool) -> Extent | None:
        """Return where the text ends, or None while it may go on."""
        position = 0
        for number, line in enumerate(text.split("\n")):
            complete = position + len(line) < len(text)
            if not complete and not whole:
                return None
            shown = self._around.line_prefix + line if number == 0 else line
            if shown.strip():
                extent = self._take(shown.rstrip(), max(0, position - 1), first=number == 0)
                if extent is None and number > 0 and self._closes_outer(shown):
                    extent = Extent(position + len(line.rstrip()), End.BLOCK)
                if extent is not None:
                    return extent
            position += len(line) + 1
        return self._fallback if self._around.next_lines else None

    def _take(self, line: str, before: int, *, first: bool) -> Extent | None:
        """Judge one line that is not blank; `before` is the length of the text before it."""
        if not first or self._around.at_line_start:
            end = self._verdict(line, first=first)
            if end is not None and not (self._patient and end in _PROVISIONAL):
                if end is not End.SUFFIX and self._fallback is not None and self._around.next_lines:
                    return self._fallback
                return Extent(before, end)
            if end is not None and self._fallback is None:
                self._fallback = Extent(before, end)
        self._kept.append(line)
        period = _period(self._kept)
        if period and len(line.strip()) > 1:
            again = sum(len(kept) + 1 for kept in self._kept[-(REPEATS - 1) * period :])
            return Extent(max(0, before + len(line) + 1 - again), End.REPETITION)
        return None

    def _verdict(self, line: str, *, first: bool) -> End | None:
        around = self._around
        column = indentation(line)
        stripped = line.strip()
        if self._base is None:
            self._base = column
        if stripped.startswith(_PROSE):
            return End.PROSE
        if around.next_lines and _same_line(line, around.next_lines[0]):
            return End.SUFFIX
        if len(stripped) >= _LONG_LINE and line in around.next_lines:
            # It left out what stands before.
            return End.SUFFIX
        if not first and (column <= self._floor() or self._begins_another(line, column)):
            return None if self._closes(stripped, first=first) else End.FUNCTION
        if first and column < self._expected() and not stripped.endswith(_OPENERS):
            # It may come to what stands below by way of a line that opens a block.
            return End.DEDENT if self._patient else End.FUNCTION
        if self._leaves_what_follows(stripped, column):
            return End.UNREACHABLE
        if column < self._base and not self._closes(stripped, first=first):
            return End.DEDENT
        return None

    def _floor(self) -> int:
        assert self._base is not None
        return self._around.floor(self._base, beyond=self._patient)

    def _begins_another(self, line: str, column: int) -> bool:
        """Say whether a line begins a definition beside one that is there already."""
        return (
            self._base is not None
            and column <= self._base
            and DEFINITION.match(line) is not None
            and any(DEFINITION.match(kept) and indentation(kept) <= column for kept in self._kept)
        )

    def _closes(self, stripped: str, *, first: bool) -> bool:
        return stripped[0] in ")]}" and not first

    def _closes_outer(self, line: str) -> bool:
        """Say whether a line that was kept closes a bracket that was open before the cursor."""
        return line.strip()[0] in ")]}" and not _is_open(self._kept[:-1])

    def _expected(self) -> int:
        """Return the indentation that a first line has at least, unless it opens a block.

        On a blank line the cursor's own column says little (editors leave it at 0); the lines
        around it do.
        """
        around = self._around
        if around.line_prefix or not (around.next_lines and around.adjoining):
            return 0
        return min(indentation(around.next_lines[0]), indentation(around.previous_line))

    def _leaves_what_follows(self, stripped: str, column: int) -> bool:
        following = self._around.next_lines
        return bool(
            following
            and stripped.split(None, 1)[0].rstrip(";") in _LEAVING
            and column == indentation(following[0])
            and not following[0].strip().startswith(_BRANCHES)
        )


_OPENERS: Final = (":", "{", "(", "[", "=>", "->", "do", "then", "begin")
"""Ends of lines that open a block."""

_LONG_LINE: Final = 20
"""Shorter lines that are alike say different things: `depth += 1` and `depth -= 1`."""

_LEAVING: Final = frozenset({"return", "raise", "throw", "break", "continue"})
"""Words that begin a statement after which the rest of its block does not run."""

_PROVISIONAL: Final = frozenset({End.UNREACHABLE, End.DEDENT})
"""Ends that a patient reader passes by."""

_BRANCHES: Final = ("case ", "default:", "else", "elif ", "except", "catch", "finally", "}", "end")
"""Beginnings of lines that can be reached although the line before them leaves the block."""


def _same_line(line: str, other: str) -> bool:
    """Say whether a suggested line is the one that stands below the cursor."""
    if line.rstrip() == other:
        return True
    if indentation(line) != indentation(other):
        return False
    ours, theirs = line.split(), other.split()
    if not ours or ours[0] != theirs[0] or len(other.strip()) < _LONG_LINE:
        return False
    matcher = SequenceMatcher(None, line.strip(), other.strip(), autojunk=False)
    return matcher.real_quick_ratio() >= SIMILAR and matcher.ratio() >= SIMILAR


def _is_open(lines: list[str]) -> bool:
    depth = 0
    for line in lines:
        for character in line:
            if character in "([{":
                depth += 1
            elif character in ")]}":
                depth -= 1
    return depth > 0


def _period(kept: list[str]) -> int:
    for period in (1, 2, 3):
        if len(kept) >= REPEATS * period and all(
            kept[-1 - offset - period * turn] == kept[-1 - offset]
            for offset in range(period)
            for turn in range(1, REPEATS)
        ):
            return period
    return 0
