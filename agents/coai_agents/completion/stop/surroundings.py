"""The text around the cursor, cut into what the decisions of where a suggestion ends look at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

TAB_WIDTH: Final = 8
"""Columns of a tab when indentations are compared (Python's tokenizer: tabs to multiples of 8)."""

DEFINITION: Final = re.compile(
    r"\s*(?:(?:async|export|default|pub|public|private|protected|static|final|override|inline)\s+)*"
    r"(?P<kind>def|class|func|fn|function|fun|impl|interface|struct|trait|module|namespace)\b"
)
"""A line that begins a definition."""

_FUNCTIONS: Final = frozenset({"def", "func", "fn", "function", "fun"})


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition above the cursor."""

    column: int
    function: bool
    """Whether it is a function, and no class or module."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The text around the cursor, cut into what the decisions look at."""

    line_prefix: str
    """The cursor's line up to the cursor."""
    line_suffix: str
    """The cursor's line after the cursor, without its line end."""
    previous_line: str
    """The last line above the cursor's that is not blank, or nothing."""
    next_lines: tuple[str, ...]
    """The first lines below the cursor's that are not blank; at most three."""
    adjoining: bool = True
    """Whether the first of `next_lines` stands right below the cursor's line."""
    definitions: tuple[Definition, ...] = ()
    """Those that the cursor's line can be in, the innermost first. On a line where nothing stands
    yet how far it will be indented decides which of them it is in."""

    @classmethod
    def around(cls, prefix: str, suffix: str) -> Surroundings:
        r"""Look at the text before and after the cursor; both have `\n` line ends."""
        head, _, line_prefix = prefix.rpartition("\n")
        line_suffix, _, tail = suffix.partition("\n")
        previous = ""
        end = len(head)
        while end > 0:
            start = head.rfind("\n", 0, end) + 1
            if head[start:end].strip():
                previous = head[start:end]
                break
            end = start - 1
        following: list[str] = []
        start = 0
        adjoining = True
        while start < len(tail) and len(following) < _LOOK_AHEAD:
            stop = tail.find("\n", start)
            stop = len(tail) if stop < 0 else stop
            line = tail[start:stop]
            if line.strip():
                following.append(line.rstrip())
            elif not following:
                adjoining = False
            start = stop + 1
        above = tuple(_definitions_above(head, line_prefix))
        return cls(line_prefix, line_suffix, previous, tuple(following), adjoining, above)

    def floor(self, column: int, *, beyond: bool = False) -> int:
        """Return the indentation of the definition that a line at a column is in; -1 outside.

        With `beyond` a function within another one counts as a part of that: nothing of the outer
        one stands below it, so it is not whole without more.
        """
        inside = [each for each in self.definitions if each.column < column]
        if not inside:
            return -1
        below = indentation(self.next_lines[0]) if self.next_lines else -1
        within = 0
        while (
            beyond
            and within + 1 < len(inside)
            and inside[within + 1].function
            and below <= inside[within + 1].column
        ):
            within += 1
        return inside[within].column

    @property
    def at_line_start(self) -> bool:
        """True when only white space stands before the cursor on its line."""
        return not self.line_prefix.strip()

    @property
    def at_line_end(self) -> bool:
        """True when only white space stands after the cursor on its line."""
        return not self.line_suffix.strip()


_LOOK_AHEAD: Final = 3
_LOOK_BACK: Final = 400
"""Lines above the cursor in which the definition around it is looked for."""


def _definitions_above(head: str, line_prefix: str) -> Iterator[Definition]:
    """Yield the definitions that the cursor's line can be in, the innermost first."""
    limit = indentation(line_prefix) if line_prefix else None
    if limit == 0:
        return
    for line in reversed(head.rsplit("\n", _LOOK_BACK)[-_LOOK_BACK:]):
        if not line.strip():
            continue
        column = indentation(line)
        if limit is not None and column >= limit:
            continue
        found = DEFINITION.match(line)
        if found is not None:
            yield Definition(column, found["kind"] in _FUNCTIONS)
            limit = column
            if not column:
                return
        elif limit is not None and column:
            limit = column


def indentation(line: str) -> int:
    """Return the column of a line's first character that is not white space."""
    column = 0
    for character in line:
        if character == " ":
            column += 1
        elif character == "\t":
            column += TAB_WIDTH - column % TAB_WIDTH
        else:
            break
    return column
