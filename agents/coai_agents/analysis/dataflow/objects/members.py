"""Objects of the file's own classes: their fields, their methods, and what they inherit.

An object is a scope: its members are the fields and methods, the class's scope is around it. Values
refer to it, so what one name does to it another one sees. A class has an object of its own, which
stands for all that nobody has seen being made; methods that are read in their own right are that
one's, and what any of them puts into a field another one may find there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow.values import Kind, Scope, Value, join

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_agents.analysis.dataflow import ir

THESE: Final = ("this", "self", "$this")
"""The names by which a method knows its object where it is no parameter."""

SUPER: Final = "super"

CONSTRUCTORS: Final = ("__init__", "constructor", "__construct", "initialize")
"""Names of functions that make an object ready; in Java and C# it is the class's own."""


def is_class(value: Value) -> bool:
    """Say whether a value is a class of this file, and no object of one."""
    return bool(value.objects) and value.items is not None


def settle(own: Scope, class_: Scope) -> None:
    """Let an object have its class's members: each method knows the object, and what is above.

    For the object that stands for the class, `own` is the class's scope itself.
    """
    levels = {id(class_): own}
    for above in _line(class_):
        levels.setdefault(id(above), Scope(own)).of = above
    members = class_.members or {}
    own.members = {name: _moved(value, levels) for name, value in members.items()}
    for level in levels.values():
        level.members = own.members
    for each in (class_, *_line(class_)):
        level = levels[id(each)]
        if each.bases:
            view = Scope()
            view.members = {
                name: _moved(value, levels)
                for above in reversed(each.bases)
                for name, value in (above.members or {}).items()
                if value.functions
            }
            level.values[SUPER] = Value(qual=SUPER, objects=(view,))
    if own is not class_:
        own.of = class_
        own.bare = class_.bare
        own.fields = class_.fields
        own.bases = class_.bases
        own.values.update({name: each for name, each in own.members.items() if each.functions})
    own.values.update({name: Value(qual=name, objects=(own,)) for name in THESE})


def _line(class_: Scope) -> list[Scope]:
    """Return the classes that one is made from, the nearest first."""
    found: list[Scope] = []
    waiting = list(class_.bases)
    while waiting:
        above = waiting.pop(0)
        if above not in found and above is not class_:
            found.append(above)
            waiting += above.bases
    return found


def _moved(value: Value, levels: Mapping[int, Scope]) -> Value:
    """Return a member of a class as one of an object, whose methods know that object's fields."""
    if not any(id(around.of or around) in levels for _, around in value.functions):
        return value
    functions = tuple(
        (each, levels.get(id(around.of or around), around)) for each, around in value.functions
    )
    return replace(value, functions=functions)


def kept(members: Mapping[str, Value], name: str) -> Value | None:
    """Return a member; in Ruby a field and what reads it are one."""
    found = members.get(name)
    if found is None:
        found = members.get(name[1:] if name[:1] == "@" else f"@{name}")
    return found


def held(value: Value, name: str) -> Value | None:
    """Return what an object, or each of those that a value may be, has as a member."""
    found: Value | None = None
    for each in value.objects:
        member = _held(each, name, 0)
        if member is not None:
            found = member if found is None else join(found, member)
    return found


_DEEPEST: Final = 4


def _held(own: Scope, name: str, depth: int) -> Value | None:
    members = own.members or {}
    found = kept(members, name)
    if found is not None or depth >= _DEEPEST:
        return found
    # What a struct in Go embeds is a field, whose members are its own.
    for field in own.fields:
        inner = members.get(field)
        for each in () if inner is None or not field[:1].isupper() else inner.objects:
            found = _held(each, name, depth + 1)
            if found is not None:
                return found
    return None


def constructor_of(own: Scope, name: str) -> Value | None:
    """Return what makes an object ready."""
    members = own.members or {}
    return next((members[each] for each in (*CONSTRUCTORS, name) if each in members), None)


def accessor(value: Value, *kinds: str) -> bool:
    """Say whether a member is a function that reading it calls, or assigning to it."""
    return bool(value.functions) and all(each.accessor in kinds for each, _ in value.functions)


def strong(members: Mapping[str, Value]) -> int:
    """Return how much in an object's fields comes from outside."""
    return sum(
        taint.kind is not Kind.PARAMETER for value in members.values() for taint in value.taints
    ) + sum(
        taint.kind is not Kind.PARAMETER
        for value in members.values()
        if value.items
        for taint in value.all_taints()
    )


def is_own_method(function: ir.Function) -> bool:
    """Say whether a function's first parameter is the object that it is a method of."""
    first = function.parameters[0].name if function.parameters else ""
    return function.method and bool(first) and first in ("self", "cls", function.receiver)
