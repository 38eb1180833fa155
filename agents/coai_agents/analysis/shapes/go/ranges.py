"""The range of a number of Go: by its type, by how it is computed, and by what was tested before.

Interval arithmetic over expressions; conditions narrow what they name. What is tested against
something that is not known here may be anything that the test allows, which is taken for harmless.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.shapes.go.conditions import known_range
from coai_agents.analysis.shapes.go.function import DEPTH, NUMBERS, SIZES, bounds_of, constant
from coai_agents.analysis.shapes.go.latest import value_of
from coai_agents.analysis.shapes.go.numbers import type_of
from coai_agents.analysis.shapes.go.tree import arguments, callee, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Node

    from coai_agents.analysis.shapes.go.function import GoFunction

Interval = tuple[int, int]
"""The least and the most that a number can be."""

_WIDEST: Final[Interval] = (-(1 << 63), (1 << 64) - 1)
_HIGHEST: Final = (1 << 63) - 1
_SHIFTED: Final = 64
"""Bits by which anything can be shifted at most."""

_LONGEST: Final = (1 << 31) - 1
"""No list that is handled in one piece is longer."""

_RANDOM: Final = re.compile(r"(?:Intn|IntN|Int63n|Int31n|Int64N|Int32N|Uint\w*N)$")
_TIMES: Final = re.compile(r"\.(?:Unix(?:Nano|Milli|Micro)?|Size)\(\)$")
"""What is not below zero in programs of our time."""


def interval(function: GoFunction, node: Node, place: Node, depth: int = 0) -> Interval:
    """Return the range of an expression where it is evaluated at a place."""
    number = constant(node, NUMBERS)
    if number is not None:
        return number, number
    kind = type_of(function, node)
    widest = bounds_of(kind) if kind in SIZES else _WIDEST
    if depth > DEPTH:
        return widest
    low, high = _meet(widest, _computed(function, node, place, depth))
    known = known_range(function, text(node), place)
    if known.low is not None:
        low = max(low, known.low)
    if known.high is not None:
        high = min(high, known.high)
    return (max(low, 0) if known.low_tested else low), (
        min(high, max(low, 0)) if known.high_tested else high
    )


def _meet(one: Interval, other: Interval | None) -> Interval:
    if other is None or other[0] < one[0] or other[1] > one[1]:
        return one  # what overflows on the way may be anything
    return other


def _computed(function: GoFunction, node: Node, place: Node, depth: int) -> Interval | None:
    """Return the range that an expression has by how it is made; None if that says nothing."""

    def of(part: Node | None) -> Interval:
        return _WIDEST if part is None else interval(function, part, place, depth + 1)

    match node.type:
        case "parenthesized_expression":
            return of(node.named_children[0])
        case "unary_expression" if text(node).startswith("-"):
            low, high = of(node.child_by_field_name("operand"))
            return -high, -low
        case "binary_expression":
            left = of(node.child_by_field_name("left"))
            right = of(node.child_by_field_name("right"))
            return _combined(text(node.child_by_field_name("operator")), left, right)
        case "call_expression":
            return _called(node, of)
        case "identifier":
            value = function.value(node)
            if value == node:
                return _given_range(function, node)
            # What was tested of the parts before the variable was made of them counts, too.
            return interval(function, value, place, depth + 1)
        case _:
            return None


def _given_range(function: GoFunction, node: Node) -> Interval | None:
    """Return between which constants a variable stays that is only given these, or counts."""
    name = text(node)
    if function.given.get(name, 0) <= 1 or name in function.parameters:
        return None
    given: list[int] = []
    up = down = False
    for each in function.giving.get(name, ()):
        if each.type in ("inc_statement", "dec_statement"):
            up, down = up or each.type == "inc_statement", down or each.type == "dec_statement"
            continue
        value = value_of(each, name)
        known = None if value is None else constant(value, NUMBERS)
        if known is None or text(each.child_by_field_name("operator")) not in ("", "=", ":="):
            return None
        given.append(known)
    if not given:
        return None
    return -_HIGHEST if down else min(given), _HIGHEST if up else max(given)


def _called(call: Node, of: Callable[[Node | None], Interval]) -> Interval | None:
    named, passed = text(callee(call)), arguments(call)
    if named in ("min", "max") and passed:
        parts = [of(each) for each in passed]
        take = min if named == "min" else max
        return take(low for low, _ in parts), take(high for _, high in parts)
    if named in ("len", "cap", "copy"):
        return 0, _LONGEST
    if _RANDOM.search(named) and passed:
        return 0, max(0, of(passed[0])[1] - 1)
    if _TIMES.search(text(call)):
        return 0, (1 << 63) - 1
    if named in SIZES and len(passed) == 1:
        inner, own = of(passed[0]), bounds_of(named)
        return inner if own[0] <= inner[0] and inner[1] <= own[1] else own
    return None


def _combined(operator: str, left: Interval, right: Interval) -> Interval | None:
    """Return the range of what an operator makes of two numbers."""
    match operator:
        case "+":
            return left[0] + right[0], left[1] + right[1]
        case "-":
            return left[0] - right[1], left[1] - right[0]
        case "*":
            corners = [one * other for one in left for other in right]
            return min(corners), max(corners)
        case "&":
            positive = [high for low, high in (left, right) if low >= 0]
            return (0, min(positive)) if positive else None
        case "%" if right[0] > 0:
            most = right[1] - 1
            return (0 if left[0] >= 0 else -most), min(most, max(left[1], 0))
        case "/" if right[0] > 0:
            corners = [_divided(one, other) for one in left for other in right]
            return min(corners), max(corners)
        case "<<" | ">>" if right[0] >= 0 and right[1] <= _SHIFTED:
            corners = [one << by if operator == "<<" else one >> by for one in left for by in right]
            return min(corners), max(corners)
        case _:
            return None


def _divided(one: int, other: int) -> int:
    """Divide as Go does: towards zero."""
    return abs(one) // other * (1 if one >= 0 else -1)
