"""Python's values for the evaluator: operators, builtins, methods, and how large one may be."""

from __future__ import annotations

import ast
import operator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_PARTS: Final = 300
"""Of a value: its items, theirs, and what is in them, each as often as it is there."""
PART_CHARACTERS: Final = 20
"""Of a text, that count as one part more."""
MOST_NUMBER: Final = 10**30
"""Beyond it numbers are no test of a program, but of this machine."""


class UntoldError(Exception):
    """The program uses what is not evaluated here."""


BINARY: Final[dict[type[ast.operator], Callable[[Any, Any], object]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda one, other: one / other,
    ast.FloorDiv: lambda one, other: one // other,
    ast.Mod: operator.mod,
    ast.BitAnd: lambda one, other: one & other,
    ast.BitOr: lambda one, other: one | other,
    ast.BitXor: lambda one, other: one ^ other,
}
UNARY: Final[dict[type[ast.unaryop], Callable[[Any], object]]] = {
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}
COMPARED: Final[dict[type[ast.cmpop], Callable[[Any, Any], object]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, other: one in other,
    ast.NotIn: lambda one, other: one not in other,
}
BUILTINS: Final[dict[str, Callable[..., Any]]] = {
    each.__name__: each
    for each in (
        *(abs, all, any, bool, dict, enumerate, float, int, len, list, max, min, range, reversed),
        *(round, set, sorted, str, sum, tuple, zip),
    )
}


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


METHODS: Final[dict[type[Any], frozenset[str]]] = {
    str: _names(
        "count endswith find isalpha isdigit islower isspace isupper join lower lstrip replace "
        "rstrip split splitlines startswith strip title upper"
    ),
    list: _names("append clear copy count extend index insert pop remove reverse sort"),
    tuple: _names("count index"),
    dict: _names("clear copy get items keys pop setdefault update values"),
    set: _names("add clear copy difference discard intersection remove union update"),
}
PLAIN: Final = (type(None), bool, int, float, str)

KNOWN: Final = (*PLAIN, list, tuple, dict, set)


def listed(made: Any) -> object:  # noqa: ANN401 - a program's own
    """Return what is made one by one as a list, as far as it may be."""
    if isinstance(made, KNOWN):
        return cast("object", made)
    return list[Any](islice(made, MOST_PARTS + 1))


def bounded(value: Any) -> Any:  # noqa: ANN401 - as above
    """Return a value; raises `UntoldError` for one that is too large to be copied or compared."""
    left = MOST_PARTS
    waiting = [value]
    while waiting:
        each = waiting.pop()
        left -= 1
        if isinstance(each, str):
            left -= len(each) // PART_CHARACTERS
        elif isinstance(each, int | float):
            left = -1 if abs(each) > MOST_NUMBER else left
        elif isinstance(each, dict):
            waiting += (*each, *each.values())
        elif each is not None:
            waiting += each
        if left < 0 or len(waiting) > 2 * MOST_PARTS:
            raise UntoldError
    return value
