"""Defaults that a function changes or hands on, so that one call finds what another one left."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Final, cast

from coai_agents.analysis.dataflow import ir

if TYPE_CHECKING:
    from tree_sitter import Node

_CHANGING: Final = frozenset(
    {
        "append",
        "appendleft",
        "extend",
        "insert",
        "add",
        "update",
        "setdefault",
        "pop",
        "popitem",
        "remove",
        "discard",
        "clear",
        "sort",
        "reverse",
    }
)

_MAKING: Final = frozenset({"list", "dict", "set", "bytearray", "defaultdict", "deque", "Counter"})


def changed_defaults(function: ir.Function) -> list[Node]:
    """Return the defaults that are containers and that the function changes, stores or returns."""
    shared = {
        each.name: each.default.node
        for each in function.parameters
        if each.default is not None and _is_container(each.default)
    }
    if not shared:
        return []
    changed: set[str] = set()
    for statement in function.body:
        _collect(statement, changed)
    return [node for name, node in shared.items() if name in changed]


def _is_container(default: ir.Expr) -> bool:
    match default:
        case ir.Container():
            return not _is_tuple(default)
        case ir.Call(callee=ir.Name(name=name)):
            return name in _MAKING
        case _:
            return False


def _is_tuple(container: ir.Container) -> bool:
    return container.node.type in ("tuple", "expression_list")


def _collect(part: object, changed: set[str]) -> None:
    """Add the names of what a part of a function changes, stores or returns."""
    match part:
        case ir.Call(callee=ir.Member(object=ir.Name(name=name), name=method)):
            if method in _CHANGING:
                changed.add(name)
        case ir.Assign(target=ir.Index(object=ir.Name(name=name))):
            changed.add(name)
        case ir.Assign(target=ir.Name(name=name), operator=operator) if operator:
            changed.add(name)
        case ir.Assign(target=ir.Member(), value=ir.Name(name=name)):
            changed.add(name)
        case ir.Return(value=ir.Name(name=name)):
            changed.add(name)
        case _:
            pass
    if not is_dataclass(part):
        return
    for each in fields(part):
        value = getattr(part, each.name)
        if isinstance(value, list):
            for item in cast("list[object]", value):
                _collect(item, changed)
        elif each.name != "node":
            _collect(value, changed)
