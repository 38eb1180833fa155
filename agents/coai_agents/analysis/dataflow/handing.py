"""Functions that are handed to others, which call them: maps, threads, executors, timers.

What is known of such a function is what rules say of calls by its name; how it is called depends
on whom it is handed to.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow.containers import elements
from coai_agents.analysis.dataflow.expressions import Passed
from coai_agents.analysis.dataflow.pieces import extended
from coai_agents.analysis.dataflow.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_agents.analysis.dataflow.values import Scope

_EACH: Final = frozenset(
    {
        "map", "imap", "imap_unordered", "starmap", "flatMap", "filter", "forEach", "peek", "then",
        "ifPresent", "ifPresentOrElse", "thenApply", "thenAccept", "thenCompose", "andThen",
        "doOnNext", "subscribe", "removeIf", "anyMatch", "allMatch", "noneMatch", "each", "tap",
        "each_entry", "find_each", "yield_self", "array_map", "array_walk", "forEachOrdered",
    }
)  # fmt: skip
"""Those that call a function once for each of the other arguments' elements, or the object's."""

_UNPACKING: Final = frozenset(
    {"Thread", "Process", "Timer", "start_new_thread", "call_user_func_array"}
)
"""Those that call it with the parts of one sequence."""

_FOLLOWING: Final = frozenset(
    {
        "submit", "run_in_executor", "to_thread", "run_sync", "run_in_threadpool", "call_soon",
        "call_soon_threadsafe", "call_later", "call_at", "add_callback", "add_task", "apply_async",
        "partial", "enter_context", "callback", "register", "call_user_func",
    }
)  # fmt: skip
"""Those that call it with the arguments behind it."""

HANDING: Final = _EACH | _UNPACKING | _FOLLOWING

_BY_TEXT: Final = frozenset({"array_map", "array_walk", "call_user_func", "call_user_func_array"})
"""Those that a function's name in a text will do for."""

_IDENTIFIER: Final = re.compile(r"\\?\w+(?:\\\w+)*")

_NAMED: Final = ("target", "function", "func", "callback")


def handed(
    name: str, passed: Passed, receiver: Value | None, knows: Callable[[str], bool]
) -> tuple[str, Value | None, Passed] | None:
    """Return the path of the function that is handed on, its object, and its arguments.

    `knows` says of a name whether any rule is about calls of it; None if there is no such function.
    """
    for at, value in enumerate(passed.positional):
        found = referred(value, by_text=name in _BY_TEXT)
        if found is not None and knows(found[0].rpartition(".")[2]):
            others = passed.positional[:at], passed.positional[at + 1 :]
            return *found, _given(name, others, passed, receiver)
    for key in _NAMED:
        value = passed.named.get(key)
        found = None if value is None else referred(value, by_text=False)
        if found is not None and knows(found[0].rpartition(".")[2]):
            return *found, _given(name, ((), ()), passed, receiver)
    return None


def referred(value: Value, *, by_text: bool) -> tuple[str, Value | None] | None:
    """Return the path of the function that a value stands for, and its object where known."""
    if value.functions:
        return None
    if by_text and isinstance(value.const, str) and _IDENTIFIER.fullmatch(value.const):
        return value.const.rpartition("\\")[2], None
    if by_text and value.items is not None and value.length == 2:  # noqa: PLR2004 - object, method
        of, method = value.items.get(0), value.items.get(1)
        if of is not None and method is not None and isinstance(method.const, str):
            return extended(of.qual, method.const), of
    if value.known or value.items is not None or "." not in value.qual:
        return None
    return None if value.qual.endswith(")") else (value.qual, None)


def _given(
    name: str,
    others: tuple[tuple[Value, ...], tuple[Value, ...]],
    passed: Passed,
    receiver: Value | None,
) -> Passed:
    before, behind = others
    if name in _EACH:
        held = (*before, *behind) or (() if receiver is None else (receiver,))
        return Passed(tuple(elements(each) for each in held), {}, open_ended=False)
    if name in _UNPACKING:
        sequence = passed.named.get("args") or next(
            (each for each in behind if each.items is not None), None
        )
        if sequence is None:
            return Passed(behind, {}, open_ended=True)
        if sequence.items is None or sequence.rest:
            return Passed((Value(taints=sequence.all_taints()),), {}, open_ended=True)
        return Passed(tuple(sequence.items.values()), {}, open_ended=False)
    named = {key: each for key, each in passed.named.items() if key not in _NAMED}
    return Passed(behind, named, open_ended=False)


_FILLED: Final = {
    "parse_str": (0, 1),
    "mb_parse_str": (0, 1),
    "preg_match": (1, 2),
    "preg_match_all": (1, 2),
    "Collections.addAll": (1, 0),
}
"""Functions of libraries that put something of one argument into another: the places of both."""


def filled(path: str) -> tuple[int, int] | None:
    """Return which argument a function fills from which: from, into."""
    return _FILLED.get(path)


def of_variable(name: str, scope: Scope) -> str:
    """Return the method that a variable names, in PHP: `$object->$method()`."""
    known = scope.get(name) if name[:1] == "$" else None
    return known.const if known is not None and isinstance(known.const, str) else name
