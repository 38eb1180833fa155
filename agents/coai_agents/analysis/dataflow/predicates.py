"""How tests are called in the languages, and what a comparison of their results means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow import ir
from coai_agents.analysis.dataflow.values import DOUBTED, EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

DOUBT: Final = frozenset({DOUBTED})

BEGINS: Final = "path:begins"

ALL: Final = frozenset({EVERYTHING})

EQUAL: Final = frozenset({"==", "===", "is", "eq"})
UNEQUAL: Final = frozenset({"!=", "!==", "<>", "is not", "ne"})

MEMBERSHIP: Final = frozenset(
    {
        "includes", "contains", "Contains", "include?", "has", "containsKey", "ContainsKey", "key?",
        "member?", "has_key?", "containsValue", "ContainsValue", "hasOwnProperty", "contains_key",
        "__contains__", "TryGetValue",
    }
)  # fmt: skip
"""Methods of a container, or of a text, that say whether something is in it."""

SEARCHES: Final = MEMBERSHIP | {"indexOf", "IndexOf", "find", "index", "lastIndexOf", "search"}

ANY_OF: Final = frozenset({"Any", "any", "some", "Exists", "exists", "any?", "anyMatch"})
"""Methods of a container that say whether a function holds for any of its items."""

FUNCTION_MEMBERSHIP: Final = {
    "in_array": (0, 1),
    "array_key_exists": (0, 1),
    "key_exists": (0, 1),
    "array_search": (0, 1),
    "slices.Contains": (1, 0),
    "slices.Index": (1, 0),
    "Array.IndexOf": (1, 0),
    "Object.hasOwn": (1, 0),
    "lo.Contains": (1, 0),
}
"""Functions that say so, with the places of what is looked for and of where."""

TEXT_SEARCHES: Final = frozenset(
    {"strings.Contains", "strings.Index", "strpos", "stripos", "str_contains"}
)
"""Functions of a text and of what is looked for in it."""

FILTERING: Final = frozenset({"filter", "select", "Where", "keep_if", "takeWhile"})
"""Methods that leave of something what passes a test."""

PREFIXES: Final = frozenset(
    {"startsWith", "startswith", "StartsWith", "start_with?", "HasPrefix", "str_starts_with"}
)

RELATIVE: Final = re.compile(r"(?i)rel(ative)?(path|_path|_to|_path_from)?\(\)$")
"""How the paths of calls end that return the way from a folder to a file."""

SAME: Final = frozenset(
    {"equals", "equalsIgnoreCase", "Equals", "eql?", "EqualFold", "contentEquals"}
)

PATTERN_TESTS: Final = frozenset(
    {
        "test",
        "match",
        "match?",
        "fullmatch",
        "matches",
        "IsMatch",
        "preg_match",
        "MatchString",
        "search",
        "=~",
    }
)

WHOLE: Final = frozenset({"fullmatch", "matches"})
"""Of these, those that match a whole text."""

STARTS: Final = re.compile(r"^[/~#(]?(?:\(\?[a-z]+\))?(?:\^|\\A)")
STOPS: Final = re.compile(r"(?:\$|\\[zZ])\)?[/~#]?[a-zA-Z]*$")
ANYTHING: Final = re.compile(r"(?<!\\)\.[*+]|\[\^|\\[SWD][*+]")


def sought_by(arguments: Sequence[ir.Expr]) -> ir.Expr | None:
    """Return what a function compares its own parameter with: `v` of `each => each == v`."""
    match arguments:
        case [ir.Function(parameters=[parameter], body=[ir.Return(value=ir.Operation() as test)])]:
            own = parameter.name
        case _:
            return None
    match test:
        case ir.Operation(operator=name, operands=[ir.Name(name=one), other]) if (
            name in EQUAL and one == own
        ):
            return other
        case ir.Operation(operator=name, operands=[other, ir.Name(name=one)]) if (
            name in EQUAL and one == own
        ):
            return other
        case _:
            return None


def found_by(call: ir.Call, name: str, const: object) -> bool | None:
    """Say whether a comparison of a test's result with a constant means that the test holds.

    None where it says neither.
    """
    if const is True or const is False:
        return None if name not in EQUAL | UNEQUAL else (name in EQUAL) == const
    if not isinstance(const, int):
        return None
    called = call.callee.name if isinstance(call.callee, ir.Name | ir.Member) else ""
    if called.lower().endswith(("pos", "indexof", "index", "find")):
        return {
            (">", -1): True, (">=", 0): True, ("!=", -1): True, ("!==", -1): True,
            ("==", 0): True, ("===", 0): True, ("!==", 0): False, ("!=", 0): False,
            ("<", 0): False, ("==", -1): False, ("===", -1): False, (">", 0): True,
        }.get((name, const))  # fmt: skip
    if called in PATTERN_TESTS:
        return {
            ("==", 1): True, ("===", 1): True, (">", 0): True, ("!=", 0): True, ("!==", 0): True,
            ("!==", 1): False, ("!=", 1): False, ("==", 0): False, ("===", 0): False,
            ("<", 1): False,
        }.get((name, const))  # fmt: skip
    return None
