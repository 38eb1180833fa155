"""What is kept of functions that were read: which arguments are alike, and what was proven."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

from coai_agents.analysis.dataflow import ir
from coai_agents.analysis.dataflow.objects.members import is_own_method

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    objects = tuple(map(id, value.objects))
    return known, const, taints, functions, value.qual, value.length, objects


def state(around: Scope) -> tuple[object, ...]:
    """Return what two objects must have in common for a method to lead through both alike."""
    if around.members is None:
        return ()
    held = [(name, each.all_taints()) for name, each in around.members.items()]
    told = tuple(
        (name, tuple((taint.origin.id, taint.cleared) for taint in taints))
        for name, taints in held
        if taints
    )
    return (id(around), *told)


def outcome(
    function: ir.Function, before: Mapping[str, Value], after: Mapping[str, Value]
) -> dict[int, Value]:
    """Return what a function has put into arguments that are the caller's, by their places."""
    changed: dict[int, Value] = {}
    parameters = function.parameters[is_own_method(function) :]
    for at, parameter in enumerate(parameters):
        now = after.get(parameter.name)
        if now is None or now is before.get(parameter.name):
            continue
        if parameter.reference or (now.items is not None and _gains(before[parameter.name], now)):
            changed[at] = now
    return changed


def _gains(before: Value, after: Value) -> bool:
    known = {(taint.origin.id, taint.kind) for taint in before.all_taints()}
    return any((taint.origin.id, taint.kind) not in known for taint in after.all_taints())


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
