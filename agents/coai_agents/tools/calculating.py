"""Calculation: a small language of numbers, units and statistics, parsed here, never executed.

    expression = sum [ ("in" | "to") unit ] ;  sum = product { ("+" | "-") product }
    product    = power { ("*" | "/" | "%" | nothing before a unit) power }
    power      = atom [ ("^" | "**") power ] ;  atom = number | name "(" sum { "," sum } ")" | unit
               | "(" sum ")" | ("-" | "+") power | a name that was given

Everything is exact: numbers are fractions, and only a root or a deviation that has no exact value
is rounded, and then the answer says so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

from coai_agents.tools.errors import ToolError
from coai_agents.tools.quantities import Quantity, named, plain, units
from coai_agents.tools.tool import Tool, fields, text_of
from coai_agents.workflows.definition.known import Signature
from coai_agents.workflows.definition.types import ANY, BOOLEAN, TEXT, Json, is_list

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from coai_agents.tools.tool import Bench, Given

MOST_CHARACTERS: Final = 10_000
MOST_DEPTH: Final = 100
DIGITS: Final = 30
"""Of what has no end."""
MOST_DENOMINATOR: Final = 10**12
"""A fraction with a larger one says nothing to a person."""

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>(?:\d[\d_]*)?\.?\d[\d_]*(?:[eE][-+]?\d+)?)|(?P<name>[A-Za-z]\w*)|"
    r"(?P<sign>\*\*|[-+*/%^(),]))"
)
Numbers: TypeAlias = Sequence[Quantity]


def calculate(text: str, given: Mapping[str, Json] | None = None) -> Json:
    """Return {value, exact, text} of an expression; raises `ToolError` for what is none.

    `given` are numbers and lists of numbers that the expression may name.
    """
    if len(text) > MOST_CHARACTERS:
        raise ToolError(f"An expression of at most {MOST_CHARACTERS} characters was expected.")
    parser = _Parser(text, dict(given or {}))
    found, unit = parser.whole()
    if not unit and found.unit:
        unit = named(found.unit)
    return {**_said(found.value, unit), "exact": not parser.rounded}


class _Parser:
    """Recursive descent; `rounded` says whether anything on the way had no exact value."""

    def __init__(self, text: str, given: Mapping[str, Json]) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0
        self._given = given
        self.rounded = False

    def whole(self) -> tuple[Quantity, str]:
        """Parse all of it; return the value, and the unit that it was asked for in."""
        found, wanted = self._sum(), ""
        if self._takes("in") or self._takes("to"):
            start = self._at
            unit = self._product()
            wanted = " ".join(token for _, token in self._tokens[start : self._at])
            if unit.unit != found.unit:
                raise ToolError(f"{named(found.unit)} is not a kind of {named(unit.unit)}.")
            found = Quantity(found.over(unit).value)
        if self._at < len(self._tokens):
            raise ToolError(f"The end was expected instead of {self._tokens[self._at][1]}.")
        return found, wanted

    def _sum(self) -> Quantity:
        left = self._product()
        while sign := self._one_of("+", "-"):
            left = left.plus(self._product(), 1 if sign == "+" else -1)
        return left

    def _product(self) -> Quantity:
        left = self._power()
        while True:
            if sign := self._one_of("*", "/", "%"):
                right = self._power()
                if sign == "%":
                    left = Quantity(_remainder(left, right), left.unit)
                else:
                    left = left.times(right) if sign == "*" else left.over(right)
            elif self._is_unit():
                left = left.times(self._power())
            else:
                return left

    def _power(self) -> Quantity:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise ToolError(f"At most {MOST_DEPTH} levels were expected.")
        try:
            if sign := self._one_of("-", "+"):
                value = self._power()
                return value if sign == "+" else Quantity(-value.value, value.unit)
            base = self._atom()
            return base.to(self._power()) if self._one_of("^", "**") else base
        finally:
            self._depth -= 1

    def _atom(self) -> Quantity:
        kind, token = self._next()
        if kind == "number":
            number = plain(token.replace("_", ""))
            # A number and its unit are one: 10 MB / 2 s.
            return number.times(self._power()) if self._is_unit() else number
        if token == "(":  # noqa: S105 - of an expression
            inside = self._sum()
            self._expect(")")
            return inside
        if kind != "name":
            raise ToolError(f"A number was expected instead of {token}.")
        if self._takes("("):
            return self._called(token)
        if token in self._given:
            values = _numbers(self._given[token], token)
            if len(values) != 1:
                raise ToolError(f"{token} is a list; use it in sum({token}), mean({token}), ...")
            return values[0]
        if token in units():
            return units()[token]
        raise ToolError(f"There is no {token} here.")

    def _called(self, name: str) -> Quantity:
        function = _FUNCTIONS.get(name)
        if function is None:
            raise ToolError(f"One of {', '.join(_FUNCTIONS)} was expected, not {name}.")
        values: list[Quantity] = []
        while not self._takes(")"):
            kind, token = self._peek()
            if kind == "name" and token in self._given and is_list(self._given[token]):
                self._at += 1
                values += _numbers(self._given[token], token)
            else:
                values.append(self._sum())
            if not self._takes(","):
                self._expect(")")
                break
        if not values:
            raise ToolError(f"{name}() takes at least one number.")
        value, exact = function(values)
        self.rounded = self.rounded or not exact
        return value

    def _is_unit(self) -> bool:
        """Say whether a unit is next: a name of one that is no name of a number or a function."""
        kind, token = self._peek()
        calls = self._tokens[self._at + 1 : self._at + 2] == [("sign", "(")]
        return kind == "name" and token in units() and token not in self._given and not calls

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("", "")

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise ToolError("A number was expected at the end.")
        self._at += 1
        return self._tokens[self._at - 1]

    def _takes(self, token: str) -> bool:
        taken = self._peek()[1] == token
        self._at += taken
        return taken

    def _one_of(self, *signs: str) -> str:
        return next((sign for sign in signs if self._takes(sign)), "")

    def _expect(self, token: str) -> None:
        if not self._takes(token):
            raise ToolError(f"{token} was expected.")


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise ToolError(f"{text[at:].strip()[:20]!r} is no part of a calculation.")
        yield match.lastgroup, match[match.lastgroup]
        at = match.end()


def _numbers(value: Json, name: str) -> list[Quantity]:
    listed: list[Json] = value if is_list(value) else [value]
    for each in listed:
        if isinstance(each, bool) or not isinstance(each, int | float | str):
            raise ToolError(f"{name} has to be a number or a list of numbers.")
    return [plain(each) for each in listed]


def _remainder(left: Quantity, right: Quantity) -> Fraction:
    if right.value == 0:
        raise ToolError("Nothing can be divided by zero.")
    if left.unit != right.unit:
        raise ToolError(f"{named(left.unit)} and {named(right.unit)} cannot be divided so.")
    return left.value % right.value


# -------------------------------------------------------------------------- functions

_Function: TypeAlias = Callable[[Numbers], tuple[Quantity, bool]]


def _same(values: Numbers) -> Mapping[str, int]:
    if any(one.unit != other.unit for one, other in pairwise(values)):
        raise ToolError("All of them have to be of one kind.")
    return values[0].unit


def _sum(values: Numbers) -> Quantity:
    return Quantity(sum((each.value for each in values), Fraction()), _same(values))


def _mean(values: Numbers) -> Quantity:
    return Quantity(_sum(values).value / len(values), _same(values))


def _median(values: Numbers) -> Quantity:
    ordered = sorted(each.value for each in values)
    middle = len(ordered) // 2
    low = ordered[middle] if len(ordered) % 2 else ordered[middle - 1]
    return Quantity((low + ordered[middle]) / 2, _same(values))


def _variance(values: Numbers, less: int) -> Quantity:
    if len(values) <= less:
        raise ToolError("Two numbers at least were expected.")
    mean, unit = _mean(values).value, _same(values)
    squares = sum(((each.value - mean) ** 2 for each in values), Fraction())
    return Quantity(squares / (len(values) - less), {name: 2 * n for name, n in unit.items()})


def _root(value: Quantity) -> tuple[Quantity, bool]:
    number = value.value
    if number < 0:
        raise ToolError("A number that is not below zero was expected under the root.")
    if any(power % 2 for power in value.unit.values()):
        raise ToolError(f"{named(value.unit)} has no root.")
    unit = {name: power // 2 for name, power in value.unit.items()}
    top, bottom = math.isqrt(number.numerator), math.isqrt(number.denominator)
    if top * top == number.numerator and bottom * bottom == number.denominator:
        return Quantity(Fraction(top, bottom), unit), True
    with localcontext() as context:
        context.prec = DIGITS + 10
        rounded = (Decimal(number.numerator) / Decimal(number.denominator)).sqrt()
    return Quantity(Fraction(rounded), unit), False


def _one(values: Numbers, name: str) -> Quantity:
    if len(values) != 1:
        raise ToolError(f"{name}() takes one number.")
    return values[0]


def _mode(values: Numbers) -> Quantity:
    numbers = [each.value for each in values]
    return Quantity(max(numbers, key=numbers.count), _same(values))


def _exact(function: Callable[[Numbers], Quantity]) -> _Function:
    return lambda values: (function(values), True)


def _whole(name: str, function: Callable[[Fraction], int]) -> _Function:
    def of(values: Numbers) -> tuple[Quantity, bool]:
        one = _one(values, name)
        return Quantity(Fraction(function(one.value)), one.unit), True

    return of


_FUNCTIONS: Final[Mapping[str, _Function]] = {
    "sum": _exact(_sum),
    "mean": _exact(_mean),
    "median": _exact(_median),
    "mode": _exact(_mode),
    "min": _exact(lambda values: Quantity(min(each.value for each in values), _same(values))),
    "max": _exact(lambda values: Quantity(max(each.value for each in values), _same(values))),
    "count": _exact(lambda values: Quantity(Fraction(len(values)))),
    "variance": _exact(lambda values: _variance(values, 1)),
    "pvariance": _exact(lambda values: _variance(values, 0)),
    "stdev": lambda values: _root(_variance(values, 1)),
    "pstdev": lambda values: _root(_variance(values, 0)),
    "sqrt": lambda values: _root(_one(values, "sqrt")),
    "abs": _exact(lambda values: Quantity(abs(_one(values, "abs").value), values[0].unit)),
    "floor": _whole("floor", math.floor),
    "ceil": _whole("ceil", math.ceil),
    "round": _whole("round", round),
}


def _said(value: Fraction, unit: str) -> dict[str, Json]:
    """Return a number for a program and for a person: whole, as a decimal, or as a fraction."""
    after = f" {unit}" if unit else ""
    if value.denominator == 1:
        whole = int(value)
        small = abs(whole) < 2**53
        return {"value": whole if small else None, "text": f"{whole}{after}", "unit": unit}
    with localcontext() as context:
        context.prec = DIGITS
        decimal = Decimal(value.numerator) / Decimal(value.denominator)
    ends = Fraction(decimal) == value
    text = f"{decimal:f}".rstrip("0") if "." in f"{decimal:f}" else f"{decimal:f}"
    if not ends and value.denominator < MOST_DENOMINATOR:
        text += f" ({value})"
    return {"value": float(value), "text": f"{text}{after}", "unit": unit}


def _calculate(given: Given, bench: Bench) -> Json:
    del bench
    numbers = {name: value for name, value in given.items() if name != "expression"}
    return calculate(text_of(given, "expression"), numbers)


CALCULATING: Final[Mapping[str, Tool]] = {
    "calculate": Tool(
        Signature(
            {"expression": TEXT},
            fields(value=ANY, text=TEXT, unit=TEXT, exact=BOOLEAN),
            ("expression",),
            summary="numbers, units and statistics, exactly",
            any_name=True,
        ),
        _calculate,
    )
}
