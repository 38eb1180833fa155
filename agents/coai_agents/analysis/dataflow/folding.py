"""Operators on constants, for branches that only one way leads through."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Final, cast

from coai_agents.analysis.dataflow.ir import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_TEXT: Final = 4_096
"""Longer constants are not computed: `"x" * 10**9` is a short program."""

MAX_NUMBER: Final = 2**64

_NUMBERS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda one, other: one / other,
    "//": lambda one, other: one // other,
    "%": operator.mod,
    "add": operator.add,
    "mul": operator.mul,
    "div": lambda one, other: one / other,
    "mod": operator.mod,
    "&": lambda one, other: one & other,
    "|": lambda one, other: one | other,
    "^": lambda one, other: one ^ other,
}
_COMPARISONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "==": operator.eq,
    "===": operator.eq,
    "!=": operator.ne,
    "!==": operator.ne,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "is": operator.eq,
    "is not": operator.ne,
}
COMPARISONS: Final = frozenset({*_COMPARISONS, "in", "not in", "compare"})
AND: Final = frozenset({"and", "&&"})
OR: Final = frozenset({"or", "||", "??"})
NOT: Final = frozenset({"not", "!", "u!"})


def truth(value: object) -> bool | None:
    """Return whether a constant counts as true; None if it is none."""
    return None if value is UNKNOWN else bool(value)


def fold(name: str, operands: Sequence[object]) -> object:
    """Return the constant that an operator makes of constants, or UNKNOWN."""
    if len(operands) == 1:
        return _fold_unary(name, operands[0])
    if len(operands) != 2:  # noqa: PLR2004 - what is not binary is not folded
        return UNKNOWN
    one, other = operands
    if name in ("in", "not in"):
        return _fold_membership(name, one, other)
    if (compare := _COMPARISONS.get(name)) is not None:
        return _folded(compare, one, other)
    if (compute := _NUMBERS.get(name)) is not None:
        return _fold_arithmetic(name, compute, one, other)
    return UNKNOWN


def _fold_unary(name: str, operand: object) -> object:
    if name in NOT:
        return not operand
    if isinstance(operand, (int, float)):
        if name in ("u-", "-"):
            return -operand
        if name in ("u+", "+"):
            return operand
    return UNKNOWN


def _fold_membership(name: str, one: object, other: object) -> object:
    if isinstance(one, str) and isinstance(other, str):
        return (one in other) == (name == "in")
    return UNKNOWN


def _fold_arithmetic(
    name: str, compute: Callable[[Any, Any], Any], one: object, other: object
) -> object:
    if isinstance(one, str) and isinstance(other, str) and name == "+":
        return one + other if len(one) + len(other) <= MAX_TEXT else UNKNOWN
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        if isinstance(one, float) or isinstance(other, float):
            return _folded(compute, one, other)
        if abs(one) < MAX_NUMBER and abs(other) < MAX_NUMBER:
            return _folded(compute, one, other)
    return UNKNOWN


def _char(text: str, at: int = 0) -> object:
    return text[at] if 0 <= at < len(text) else UNKNOWN


def _part(text: str, start: int, end: int | None = None) -> object:
    return text[start:end]


def _counted(text: str, start: int, count: int | None = None) -> object:
    return text[start:][:count]


def _same(text: str, other: object) -> object:
    return text == other if isinstance(other, str) else UNKNOWN


_METHODS: Final[dict[str, Callable[..., object]]] = {
    "charAt": _char,
    "at": _char,
    "substring": _part,
    "substr": _counted,
    "Substring": _counted,
    "length": len,
    "toUpperCase": str.upper,
    "upper": str.upper,
    "ToUpper": str.upper,
    "upcase": str.upper,
    "toLowerCase": str.lower,
    "lower": str.lower,
    "ToLower": str.lower,
    "downcase": str.lower,
    "trim": str.strip,
    "strip": str.strip,
    "Trim": str.strip,
    "equals": _same,
    "Equals": _same,
    "eql?": _same,
}
"""Methods of text whose results are computed."""


def fold_method(name: str, text: object, arguments: Sequence[object]) -> object:
    """Return the constant that a method of a constant text makes of constants, or UNKNOWN."""
    method = _METHODS.get(name)
    if method is None or not isinstance(text, str) or any(each is UNKNOWN for each in arguments):
        return UNKNOWN
    try:
        return method(text, *arguments)
    except (TypeError, ValueError, IndexError):
        return UNKNOWN


def _folded(compute: Callable[[Any, Any], Any], one: object, other: object) -> object:
    try:
        return cast("object", compute(one, other))
    except (TypeError, ArithmeticError):
        return UNKNOWN
