"""TOML with line numbers, of which as much as possible is read when some of it is broken.

`tomllib` says where an error is but not where a value stands, and stops at the first error. So the
text is cut into its statements (https://toml.io/en/v1.0.0#spec), which tells the line of each key,
and a statement that `tomllib` rejects is blanked out before the rest is read again.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_BROKEN_STATEMENTS = 20
"""After so many broken statements the text is taken for something else than TOML."""

MAX_DOTS_IN_A_LINE = 1000
"""A line of more dots is left out: `tomllib` takes quadratic time for a key of so many parts."""

_STRING = r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\''
_KEY_PART = rf"(?:[A-Za-z0-9_-]+|{_STRING})"
_KEY = re.compile(rf"[ \t]*({_KEY_PART}(?:[ \t]*\.[ \t]*{_KEY_PART})*)[ \t]*")
_PART = re.compile(_KEY_PART)
_BLANK = re.compile(r"(?:\s+|#[^\n]*)*")
_HEADER = re.compile(rf"\[{_KEY.pattern}\]")
_LONG_QUOTES = ('"""', "'''")
_VALUE_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|'
    + _STRING
    + r"""|#[^\n]*|[\[{]|[\]}]|\n|["'][^\n]*|[^\n"'#\[\]{}]+""",
    re.DOTALL,
)
_NEXT_STATEMENT = re.compile(
    r"^[ \t]*(?:\[[^\[\]\n=,\"']+\][ \t]*(?:#.*)?$|[\w.-]+[ \t]*=)", re.MULTILINE
)
_ERROR_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, slots=True)
class BrokenStatement:
    """A statement that is not TOML, by the line on which it begins, and what is wrong with it."""

    line: int
    reason: str
    table: tuple[str, ...] = ()
    """The table that it stands in."""


@dataclass(frozen=True)
class TomlDocument:
    """What could be read of a text."""

    values: Mapping[str, Any]
    broken: tuple[BrokenStatement, ...] = ()
    _lines: Mapping[tuple[str, ...], int] = field(default_factory=dict[tuple[str, ...], int])

    def line(self, path: tuple[str, ...]) -> int | None:
        """Return the line, from 1, on which a key stands, or the table or value that holds it."""
        for length in range(len(path), 0, -1):
            if (line := self._lines.get(path[:length])) is not None:
                return line
        return None


@dataclass(frozen=True, slots=True)
class _Statement:
    """A table header or a key with its value, on lines `first` to `last`."""

    first: int
    last: int
    keys: tuple[str, ...]
    is_header: bool
    is_closed: bool
    """Whether its brackets and long strings are closed; if not, where it ends is a guess."""


def read_toml(text: str) -> TomlDocument:
    """Read a text; raise nothing for what it says."""
    lines = text.replace("\r\n", "\n").split("\n")
    broken: list[BrokenStatement] = []
    for number, line in enumerate(lines, start=1):
        if line.count(".") > MAX_DOTS_IN_A_LINE:
            lines[number - 1] = ""
            broken.append(BrokenStatement(number, "A key of too many parts"))
    while len(broken) < MAX_BROKEN_STATEMENTS:
        remaining = "\n".join(lines)
        try:
            values = tomllib.loads(remaining)
        except RecursionError:
            return TomlDocument({}, (*broken, BrokenStatement(1, "Nested too deeply")))
        except ValueError as error:
            # Also what int() raises for a number of more digits than it converts.
            broken.append(_blank_out(lines, list(_statements(remaining)), error))
        else:
            positions = _positions(_statements(remaining))
            return TomlDocument(values, tuple(broken), positions)
    return TomlDocument({}, tuple(broken))


def _blank_out(
    lines: list[str], statements: list[_Statement], error: ValueError
) -> BrokenStatement:
    """Empty the lines of the statement that an error is in; of its whole table if a header is."""
    place = _ERROR_PLACE.search(str(error))
    line = int(place[1]) if place and place[1] else len(lines)
    reason = str(error)[: place.start()] if place else "Not a value"
    blamed = _blamed(statements, line, at_end=place is None or not place[1])
    if blamed is None:
        first = last = line
    elif blamed.is_header:
        first = blamed.first
        later = (s.first - 1 for s in statements if s.is_header and s.first > first)
        last = next(later, len(lines))
    else:
        first, last = blamed.first, blamed.last
    for number in range(first, last + 1):
        lines[number - 1] = ""
    headers = [s.keys for s in statements if s.is_header and s.first < first]
    return BrokenStatement(first, reason, headers[-1] if headers else ())


def _blamed(statements: list[_Statement], line: int, *, at_end: bool) -> _Statement | None:
    """Return the statement that an error on a line is due to; none if the line has none."""
    before = [s for s in statements if s.first <= line]
    # What is not closed swallows what follows, and so the error shows up further down.
    if unclosed := next((s for s in before if not s.is_closed), None):
        return unclosed
    if before and (at_end or line <= before[-1].last):
        return before[-1]
    return None


def _positions(statements: Iterator[_Statement]) -> dict[tuple[str, ...], int]:
    """Return the line of each key and table, the first where there are several."""
    positions: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for statement in statements:
        if statement.is_header:
            table = statement.keys
        path = statement.keys if statement.is_header else table + statement.keys
        positions.setdefault(path, statement.first)
    return positions


def _statements(text: str) -> Iterator[_Statement]:
    """Cut a text into statements; a broken one ends where the next one seems to begin."""
    position, line, all_closed = 0, 1, True
    while True:
        blank = _BLANK.match(text, position)
        assert blank is not None  # it matches the empty string
        line += blank[0].count("\n")
        position = blank.end()
        if position == len(text):
            return
        is_header = text[position] == "["
        end, is_closed = _end_of_line(text, position), True
        if not is_header and all_closed:
            # Looked for once only: each unclosed value would be searched to the end of the text.
            end, is_closed = _end_of_value(text, position)
            all_closed = is_closed
        key = (_HEADER if is_header else _KEY).match(text, position)
        keys = tuple(_unquoted(part[0]) for part in _PART.finditer(key[1])) if key else ()
        last = line + text.count("\n", position, end)
        yield _Statement(line, last, keys, is_header, is_closed)
        position, line = end, last


def _end_of_value(text: str, start: int) -> tuple[int, bool]:
    """Return where a value ends, and whether all its brackets and strings are closed there."""
    depth = 0
    for token in _VALUE_TOKEN.finditer(text, start):
        kind = token[0]
        if kind == "\n" and depth <= 0:
            return token.start(), True
        if text.startswith(_LONG_QUOTES, token.start()) and not kind.startswith(_LONG_QUOTES):
            return len(text), False  # A long string that is never closed holds all that follows.
        depth += (kind in {"[", "{"}) - (kind in {"]", "}"})
    if depth <= 0:
        return len(text), True
    following = _NEXT_STATEMENT.search(text, _end_of_line(text, start))
    return (following.start() - 1 if following else len(text)), False


def _end_of_line(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _unquoted(part: str) -> str:
    """Return what a part of a key says, quoted or not."""
    if part[0] not in {'"', "'"}:
        return part
    try:
        (value,) = tomllib.loads(f"key = {part}").values()
    except tomllib.TOMLDecodeError:
        return part
    return str(value)
