"""SQL statements as texts: their tokens, and the values that go where their placeholders are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TOKEN: Final = re.compile(
    r"""
    (?P<space>\s*)
    (?:
      (?P<comment>--[^\n]*|/\*.*?\*/)
    | '(?P<text>(?:[^']|'')*)'
    | (?P<name>"(?:[^"]|"")*"|`[^`]*`)
    | (?P<next>%s|\?(?!\d))
    | [?$](?P<at>\d+)
    | (?:%\((?=\w+\)s)|(?<![:\w]):(?=[A-Za-z_]))(?P<called>\w+)(?:\)s)?
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<word>\w+)
    | (?P<other>::|<=|>=|<>|!=|\|\||\S)
    )
    """,
    re.VERBOSE | re.DOTALL,
)

_PLACES: Final = ("next", "at", "called")

_COUNTS: Final = frozenset({"limit", "offset", "first", "top"})
"""What is before a count of rows, which no driver may send as a text."""


class MisplacedError(Exception):
    """A statement's placeholders and its values do not fit each other."""


@dataclass(frozen=True, slots=True)
class Value:
    """What a driver sends: a text, or a number that was made of one."""

    text: str
    number: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """A token of SQL, with the white space before it."""

    kind: str
    written: str
    space: str
    said: str
    """What it says: a text without quotes, a word in lower case, a placeholder's place or name."""
    value: Value | None = None
    """What a placeholder stands for."""

    @property
    def meaning(self) -> tuple[str, str]:
        """What is equal for tokens that say the same: `'5'`, `5`, and `?` where 5 is sent."""
        if self.value is not None:
            return "value", self.value.text
        return ("value" if self.kind in ("text", "number") else self.kind), self.said


def tokens_of(sql: str) -> list[Token]:
    """Return a statement's tokens."""
    # White space that no token follows would be looked through from each of its characters.
    return [_token(match) for match in _TOKEN.finditer(sql.rstrip())]


def _token(match: re.Match[str]) -> Token:
    kind = next(
        name for name, text in match.groupdict().items() if text is not None and name != "space"
    )
    said = match[kind]
    if kind == "text":
        said = said.replace("''", "'")
    elif kind == "word":
        said = said.casefold()
    return Token(kind, match[0][len(match["space"]) :], match["space"], said)


def mark_of(sql: str) -> str:
    """Return the character that placeholders begin with; nothing where there are none."""
    return next((each.written[0] for each in tokens_of(sql) if each.kind in _PLACES), "")


def sent(sql: str, values: Sequence[Value] | Mapping[str, Value]) -> list[Token]:
    """Return a statement's tokens with the values where its placeholders are.

    Raises `MisplacedError` where they do not fit: too many, too few, a text as a count of rows.
    """
    named: dict[int | str, Value] = (
        dict(values.items()) if isinstance(values, Mapping) else dict(enumerate(values, 1))
    )
    waiting = iter(named)
    used: set[int | str] = set()
    made: list[Token] = []
    for token in _marked(sql):
        if token.kind not in _PLACES:
            made.append(token)
            continue
        key: int | str = token.said
        if token.kind != "called":
            key = int(token.said) if token.kind == "at" else next(waiting, 0)
        value = named.get(key)
        if value is None or (made and made[-1].said in _COUNTS and not value.number):
            raise MisplacedError
        used.add(key)
        made.append(replace(token, value=value))
    if len(used) != len(named):
        raise MisplacedError
    return made


def _marked(sql: str) -> Iterator[Token]:
    """Yield tokens as a driver reads them: where `%s` is a placeholder, `%%` is a `%`."""
    percent = mark_of(sql) == "%"
    for token in tokens_of(sql):
        if percent and token.kind not in _PLACES and "%" in token.written:
            if "%" in token.written.replace("%%", ""):
                raise MisplacedError
            written, said = (each.replace("%%", "%") for each in (token.written, token.said))
            yield replace(token, written=written, said=said)
        else:
            yield token


def for_sqlite(tokens: Sequence[Token]) -> tuple[str, list[str | int]]:
    """Return a statement with SQLite's placeholders, and the values in their order."""
    values = [token.value for token in tokens if token.value is not None]
    text = "".join(each.space + (each.written if each.value is None else "?") for each in tokens)
    return text, [int(each.text) if each.number else each.text for each in values]
