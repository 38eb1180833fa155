"""The expressions of plans: a small closed language over results, parsed here, never executed.

    expression  = and { "or" and } ;  and = not { "and" not } ;  not = "not" not | comparison
    comparison  = value [ ("==" | "!=" | "<" | "<=" | ">" | ">=" | "in") value ]
    value       = number | "text" | true | false | null | list | call | path | "(" expression ")"
    call        = ("length" | "lower" | "status" | "exists") "(" expression ")"
    path        = name { "." (name | number) }

A path begins with a node's name, `input`, or what its place offers (`item`, `last`, `iteration`).
Whatever a path does not lead to is null. There are no loops, no definitions and no way out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.workflows.definition.types import Json

MOST_CHARACTERS: Final = 1000
MOST_DEPTH: Final = 30

FUNCTIONS: Final = ("length", "lower", "status", "exists")
"""`status` and `exists` ask about a node: what became of it, and whether it gave anything."""

_COMPARISONS: Final = ("==", "!=", "<=", ">=", "<", ">", "in")
_CONSTANTS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>-?\d+(?:\.\d+)?)|(?P<text>\"(?:[^\"\\]|\\[\"\\n])*\"|'(?:[^'\\]|\\['\\n])*')"
    r"|(?P<name>[A-Za-z_][\w-]*)|(?P<sign>==|!=|<=|>=|[<>()\[\],.]))"
)


class ExpressionError(ValueError):
    """A text is no expression, or speaks of what is not there."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that stands in the text."""

    value: Json


@dataclass(frozen=True, slots=True)
class Path:
    """A name and what is to be taken of it."""

    name: str
    parts: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """One of the functions, of one value."""

    function: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    value: Expression


@dataclass(frozen=True, slots=True)
class Both:
    """`and`, `or`, or a comparison of two values."""

    sign: str
    left: Expression
    right: Expression


Expression: TypeAlias = Constant | Path | Items | Call | Not | Both


def parse(text: str) -> Expression:
    """Parse an expression; raises `ExpressionError`."""
    if len(text) > MOST_CHARACTERS:
        raise ExpressionError(f"an expression of at most {MOST_CHARACTERS} characters was expected")
    parser = _Parser(text)
    expression = parser.expression(0)
    parser.end()
    return expression


def paths_in(expression: Expression) -> Iterator[Path]:
    """Yield every path of an expression."""
    match expression:
        case Path():
            yield expression
        case Items(items):
            for each in items:
                yield from paths_in(each)
        case Call(_, value) | Not(value):
            yield from paths_in(value)
        case Both(_, left, right):
            yield from paths_in(left)
            yield from paths_in(right)
        case Constant():
            pass


class _Parser:
    """Recursive descent; `_at` is the next token."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0

    def expression(self, depth: int) -> Expression:
        if depth > MOST_DEPTH:
            raise ExpressionError(f"at most {MOST_DEPTH} levels of brackets were expected")
        left = self._and(depth)
        while self._takes("or"):
            left = Both("or", left, self._and(depth))
        return left

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise ExpressionError(f"the end was expected instead of {self._tokens[self._at][1]}")

    def _and(self, depth: int) -> Expression:
        left = self._not(depth)
        while self._takes("and"):
            left = Both("and", left, self._not(depth))
        return left

    def _not(self, depth: int) -> Expression:
        if self._takes("not"):
            if depth > MOST_DEPTH:
                raise ExpressionError(f"at most {MOST_DEPTH} levels were expected")
            return Not(self._not(depth + 1))
        left = self._value(depth)
        for sign in _COMPARISONS:
            if self._takes(sign):
                return Both(sign, left, self._value(depth))
        return left

    def _value(self, depth: int) -> Expression:
        kind, token = self._next()
        if kind == "number":
            return Constant(float(token) if "." in token else int(token))
        if kind == "text":
            return Constant(_unquoted(token))
        if token == "(":  # noqa: S105 - of an expression
            inside = self.expression(depth + 1)
            self._expect(")")
            return inside
        if token == "[":  # noqa: S105 - as above
            return Items(tuple(self._items(depth)))
        if kind == "name" and token not in ("and", "or", "not", "in"):
            return self._named(token, depth)
        raise ExpressionError(f"a value was expected instead of {token}")

    def _items(self, depth: int) -> Iterator[Expression]:
        while not self._takes("]"):
            yield self.expression(depth + 1)
            if not self._takes(","):
                self._expect("]")
                return

    def _named(self, name: str, depth: int) -> Expression:
        if name in _CONSTANTS:
            return Constant(_CONSTANTS[name])
        if self._takes("("):
            if name not in FUNCTIONS:
                raise ExpressionError(f"one of {', '.join(FUNCTIONS)} was expected, not {name}")
            inside = self.expression(depth + 1)
            self._expect(")")
            return Call(name, inside)
        parts: list[str | int] = []
        while self._takes("."):
            kind, token = self._next()
            if kind == "name":
                parts.append(token)
            elif kind == "number" and token.isdigit():
                parts.append(int(token))
            else:
                raise ExpressionError(f"a name was expected after the dot, not {token}")
        return Path(name, tuple(parts))

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise ExpressionError("a value was expected at the end")
        self._at += 1
        return self._tokens[self._at - 1]

    def _takes(self, token: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] in (
            ("sign", token),
            ("name", token),
        ):
            self._at += 1
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._takes(token):
            raise ExpressionError(f"{token} was expected")


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(f"{text[at:].strip()[:20]!r} is no part of an expression")
        assert match.lastgroup is not None
        yield match.lastgroup, match[match.lastgroup]
        at = match.end()


def _unquoted(token: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], token[1:-1])
