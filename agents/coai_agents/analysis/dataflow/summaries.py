"""What is kept of functions that were read: which arguments are alike, and what was proven."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from coai_agents.analysis.dataflow import ir

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.dataflow.values import Scope, Value

_CONVERTER: Final = re.compile(r"<(int|float|uuid)(?:\([^)]{0,80}\))?:(\w{1,80})>")

Proofs: TypeAlias = "tuple[tuple[tuple[Node, ...], frozenset[str]], ...]"
"""What was proven: of what comes from which places, the categories it is harmless for."""


def signature(value: Value) -> object:
    """Return what two arguments must have in common to lead through a function the same way."""
    const = value.const if isinstance(value.const, (str, int, bool)) else None
    known = value.known
    taints = tuple((taint.origin.id, taint.kind, taint.cleared) for taint in value.all_taints())
    functions = tuple(id(function) for function, _ in value.functions)
    return known, const, taints, functions, value.qual, value.length


def moved(value: Value, inner: Scope, own: Scope) -> Value:
    """Return a member of a class as one of an object, whose methods know that object's fields."""
    if not any(around is inner for _, around in value.functions):
        return value
    return replace(
        value,
        functions=tuple(
            (each, own if around is inner else around) for each, around in value.functions
        ),
    )


def told(before: dict[str, Value], after: dict[str, Value]) -> Proofs:
    """Return what has become harmless of some variables that still have their values."""
    proofs: list[tuple[tuple[Node, ...], frozenset[str]]] = []
    for name, value in before.items():
        now = after.get(name, value)
        for taint in value.all_taints():
            proofs += [
                ((taint.origin,), other.cleared - taint.cleared)
                for other in now.all_taints()
                if other.origin == taint.origin and other.cleared > taint.cleared
            ]
    return tuple(proofs)


def converted(function: ir.Function) -> dict[str, str]:
    """Return the parameters that a route makes numbers of, such as `n` of `/page/<int:n>`."""
    found: dict[str, str] = {}
    for decorator in function.decorators:
        for argument in decorator.arguments if isinstance(decorator, ir.Call) else ():
            value = argument.value
            if isinstance(value, ir.Const) and isinstance(value.value, str):
                found.update((name, kind) for kind, name in _CONVERTER.findall(value.value))
    return found
