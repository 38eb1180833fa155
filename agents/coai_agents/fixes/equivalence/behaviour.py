"""Whether pure functions of Python give what they gave, tried on made-up values; nothing is run.

`evaluator` reads both versions. What it cannot tell is not judged, and neither are values for which
the old version fails of itself, as those are none that it is called with.
"""

from __future__ import annotations

import ast
import warnings
from copy import deepcopy
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from coai_agents.fixes.equivalence.evaluator import Machine, RaisedError
from coai_agents.fixes.equivalence.values import UntoldError, bounded

if TYPE_CHECKING:
    from coai_agents.source import Source

VALUES: Final[tuple[Any, ...]] = (
    *(0, 1, -2, 7, 2.5, None, "", "b", "Ab 1"),
    *([], [3, 1, 2], ["b", "a"], [1, 1, 0], {"a": 1}, (1, 2)),
)
"""What parameters are given, each with each."""

MOST_TRIES: Final = 240
"""Of one function; of more combinations every so many-th."""

MOST_FUNCTIONS: Final = 5
"""Functions of a file that a change may touch and that are tried."""

MOST_PARAMETERS: Final = 4

MOST_CHARACTERS: Final = 100_000

MEANT: Final = frozenset(
    {
        "identity-of-value",
        "modified-while-iterating",
        "mutable-default",
        "numeric-precision",
        "useless-comparison",
    }
)
"""Rules whose fix is there to give something else."""

_FAILURES: Final = (
    *(ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError),
)


def same_results(before: Source, after: Source) -> bool:
    """Say whether no function that a change touches is seen to give something else than before."""
    if before.language != "python":
        return True
    old, new = _functions(before.text), _functions(after.text)
    touched = [
        name
        for name, function in old.items()
        if name in new and _dumped(function) != _dumped(new[name])
    ]
    machines = Machine(old), Machine(new)
    return not any(
        _differs(*machines, name, old[name], new[name]) for name in touched[:MOST_FUNCTIONS]
    )


def _functions(text: str) -> dict[str, ast.FunctionDef]:
    """Return a file's functions by name; a decorated one is another than is written."""
    if len(text) > MOST_CHARACTERS:
        return {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    return {
        each.name: each
        for each in body
        if isinstance(each, ast.FunctionDef) and not each.decorator_list
    }


def _dumped(function: ast.FunctionDef) -> str:
    """Return how a function is written; of one that is nested too deeply to be told, nothing."""
    try:
        return ast.dump(function)
    except RecursionError:
        return ""


def _differs(
    was: Machine, now: Machine, name: str, old: ast.FunctionDef, new: ast.FunctionDef
) -> bool:
    count = len(old.args.posonlyargs) + len(old.args.args)
    if count != len(new.args.posonlyargs) + len(new.args.args) or count > MOST_PARAMETERS:
        return False
    combinations = len(VALUES) ** count
    step = max(1, combinations // MOST_TRIES)
    for at, given in enumerate(product(VALUES, repeat=count)):
        if at // step > MOST_TRIES:
            break
        if at % step:
            continue
        expected = _outcome(was, name, given)
        if expected is not None and expected[0] != "failed":
            found = _outcome(now, name, given)
            if found is not None and found != expected:
                return True
    return False


def _written(value: object) -> str:
    """Return a value as it is written; of a set, whose order says nothing, in one order."""
    return f"set {sorted(map(repr, value))}" if isinstance(value, set) else repr(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - any values


def _outcome(machine: Machine, name: str, given: tuple[Any, ...]) -> tuple[str, str, str] | None:
    """Return how a call ends, and what became of what it was given; None if it is not told."""
    arguments = deepcopy(list(given))
    try:
        how, what = "gave", _written(machine.called(name, arguments))
    except (UntoldError, RecursionError):
        # The recursion is the evaluator's own: the program's ends at MOST_DEPTH.
        return None
    except RaisedError as error:
        how, what = "raised", str(error)
    except _FAILURES:
        how, what = "failed", ""
    try:
        # What is within them may have grown since they were looked at.
        return how, what, repr(bounded(arguments))
    except UntoldError:
        return None
