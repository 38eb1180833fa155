"""What an expression gives, and of which type that is: both total, nothing here can fail or run on.

Comparing what cannot be compared is false, and what is not there is null, because a result that
is missing a field must not end a run.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Final

from coai_agents.workflows.definition.expressions import (
    Both,
    Call,
    Constant,
    ExpressionError,
    Items,
    Not,
    Path,
)
from coai_agents.workflows.definition.types import (
    ANY,
    BOOLEAN,
    NUMBER,
    TEXT,
    Type,
    is_list,
    is_object,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from coai_agents.workflows.definition.expressions import Expression
    from coai_agents.workflows.definition.types import Json

_ORDERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_NUMBERS: Final = ("number", "integer")


def evaluate(
    expression: Expression, values: Mapping[str, Json], states: Mapping[str, str] | None = None
) -> Json:
    """Return what an expression gives over values; `states` are what became of nodes."""
    match expression:
        case Constant(value):
            return value
        case Path(name, parts):
            return _followed(values.get(name), parts)
        case Items(items):
            return [evaluate(each, values, states) for each in items]
        case Not(value):
            return not evaluate(value, values, states)
        case Call():
            return _called(expression, values, states or {})
        case Both(sign, left, right):
            return _both(sign, left, right, values, states)


def _followed(value: Json, parts: tuple[str | int, ...]) -> Json:
    for part in parts:
        if is_object(value):
            value = value.get(str(part))
        elif is_list(value) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def _called(call: Call, values: Mapping[str, Json], states: Mapping[str, str]) -> Json:
    if call.function in ("status", "exists"):
        name = call.value.name if isinstance(call.value, Path) else ""
        if call.function == "status":
            return states.get(name, "skipped")
        return evaluate(call.value, values, states) is not None
    value = evaluate(call.value, values, states)
    if call.function == "length":
        return len(value) if isinstance(value, str) or is_list(value) or is_object(value) else 0
    return value.lower() if isinstance(value, str) else value


def _both(
    sign: str,
    left: Expression,
    right: Expression,
    values: Mapping[str, Json],
    states: Mapping[str, str] | None,
) -> Json:
    first = evaluate(left, values, states)
    if sign == "and":
        return first and evaluate(right, values, states)
    if sign == "or":
        return first or evaluate(right, values, states)
    second = evaluate(right, values, states)
    if sign == "in":
        if isinstance(second, str):
            return isinstance(first, str) and first in second
        return (is_list(second) or is_object(second)) and _member(first, second)
    if sign in ("==", "!="):
        return _same(first, second) == (sign == "==")
    comparable = all(_is_number(each) for each in (first, second)) or all(
        isinstance(each, str) for each in (first, second)
    )
    return comparable and _ORDERS[sign](first, second)


def _member(value: Json, within: list[Json] | dict[str, Json]) -> bool:
    return any(_same(value, each) for each in within)


def _same(one: Json, other: Json) -> bool:
    """Say whether two values are equal; unlike in Python, true is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def type_of(expression: Expression, types: Mapping[str, Type]) -> Type:
    """Return the type of what an expression gives; raises `ExpressionError` where none fits."""
    match expression:
        case Constant(value):
            return _constant(value)
        case Path(name, parts):
            if name not in types:
                raise ExpressionError(_unknown(name, types))
            return _part(types[name], parts, name)
        case Items(items):
            kinds = {type_of(each, types) for each in items}
            return Type("list", item=kinds.pop() if len(kinds) == 1 else ANY)
        case Not(value):
            type_of(value, types)
            return BOOLEAN
        case Call(function, value):
            return _call_type(function, value, types)
        case Both(sign, left, right):
            return _both_type(sign, type_of(left, types), type_of(right, types))


def _unknown(name: str, types: Mapping[str, Type]) -> str:
    return f"one of {', '.join(sorted(types)) or 'no names'} was expected, not {name}"


def _constant(value: Json) -> Type:
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, str):
        return TEXT
    return ANY if value is None else NUMBER


def _part(kind: Type, parts: tuple[str | int, ...], at: str) -> Type:
    for part in parts:
        if kind.kind == "any":
            return ANY
        if kind.kind == "list" and isinstance(part, int):
            kind = kind.item or ANY
        elif kind.kind == "object" and (found := kind.field(str(part))) is not None:
            kind = found
        else:
            raise ExpressionError(f"{at} is {kind} and has no {part}")
        at = f"{at}.{part}"
    return kind


def _call_type(function: str, value: Expression, types: Mapping[str, Type]) -> Type:
    if function == "status" and not (isinstance(value, Path) and not value.parts):
        raise ExpressionError("the name of a node was expected in status()")
    kind = type_of(value, types)
    if function == "length":
        if kind.kind in (*_NUMBERS, "boolean"):
            raise ExpressionError(f"length() takes a text, a list or an object, not {kind}")
        return NUMBER
    if function == "lower":
        if kind.kind not in ("any", "text"):
            raise ExpressionError(f"lower() takes a text, not {kind}")
        return TEXT
    return TEXT if function == "status" else BOOLEAN


def _both_type(sign: str, left: Type, right: Type) -> Type:
    if sign in ("and", "or"):
        return left if left == right else ANY
    if "any" in (left.kind, right.kind):
        return BOOLEAN
    if sign == "in":
        if right.kind not in ("list", "text", "object"):
            raise ExpressionError(f"a list, a text or an object was expected after in, not {right}")
        return BOOLEAN
    numbers = left.kind in _NUMBERS and right.kind in _NUMBERS
    if left.kind != right.kind and not numbers:
        raise ExpressionError(f"{left} and {right} can never be compared")
    if sign in _ORDERS and not numbers and left.kind != "text":
        raise ExpressionError(f"numbers or texts were expected around {sign}, not {left}")
    return BOOLEAN
