"""Methods of containers, on containers whose items are known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from coai_agents.analysis.dataflow.ir import UNKNOWN
from coai_agents.analysis.dataflow.values import NOTHING, Value, join, merged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from coai_agents.analysis.rules.rules import Containers

    Change = Callable[[Value, Sequence[Value]], "tuple[Value, Value] | None"]

_SECTIONED = frozenset({"ConfigParser", "RawConfigParser", "SafeConfigParser"})
"""Containers whose `get` takes a section and a name, and no default."""

INTERSECTING = frozenset(
    {"&", "intersection", "array_intersect", "array_intersect_key", "intersect"}
)
"""What returns only that which all of its operands have."""


def is_closed(value: Value) -> bool:
    """Say whether a value is a container that holds nothing from outside."""
    return bool(value.items) and not value.all_taints()


MAX_ITEMS = 256
"""Items of longer containers are not told apart."""


def key_of(value: Value) -> object:
    """Return the constant that a value is as a key, or UNKNOWN."""
    const = value.const
    if const is UNKNOWN or isinstance(const, (str, int, float, bool, bytes)) or const is None:
        return const
    return UNKNOWN


def lookup(value: Value, key: object) -> Value:
    """Return what a container holds under a key; under any, if the key is UNKNOWN."""
    items = value.items
    taints = merged((value.taints, value.rest))
    if items is None:
        return Value(taints=taints)
    if isinstance(key, int) and not isinstance(key, bool) and key < 0 <= value.length:
        key += value.length
    if key is UNKNOWN:
        return Value(taints=merged((taints, *(item.all_taints() for item in items.values()))))
    found = items.get(key)
    if found is None:
        return Value(taints=taints) if taints else NOTHING
    if not value.rest:
        return found
    return join(found, Value(taints=value.rest))


def store(value: Value, key: object, item: Value) -> Value:
    """Return a container with an item put under a key."""
    items = value.items or {}
    if isinstance(key, int) and not isinstance(key, bool) and key < 0 <= value.length:
        key += value.length
    if key is UNKNOWN or len(items) >= MAX_ITEMS:
        return replace(value, items=items, rest=merged((value.rest, item.all_taints())))
    return replace(value, items={**items, key: item}, const=UNKNOWN)


def sequence(values: Sequence[Value]) -> Value:
    """Return a sequence of values."""
    if len(values) > MAX_ITEMS:
        return Value(items={}, rest=merged(value.all_taints() for value in values))
    return Value(items=dict(enumerate(values)), length=len(values))


def elements(value: Value) -> Value:
    """Return what an element of a container may be, whichever it is."""
    items = value.items
    if items and not value.rest and not value.taints:
        values = list(items.values())
        every = values[0]
        for item in values[1:8]:
            every = join(every, item)
        return every
    return Value(taints=value.all_taints(), qual=value.qual)


class Methods:
    """The methods of a language's containers."""

    def __init__(self, names: Containers) -> None:
        self._changes: dict[str, Change] = {}
        for method_names, change in (
            (names.append, _append),
            (names.prepend, _prepend),
            (names.extend, _extend),
            (names.put, _put),
            (names.get, _get),
            (names.take_first, _take_first),
            (names.take_last, _take_last),
            (names.remove, _remove),
            (names.clear, _clear),
        ):
            self._changes.update(dict.fromkeys(method_names, change))

    def call(
        self, name: str, receiver: Value, arguments: Sequence[Value]
    ) -> tuple[Value, Value] | None:
        """Return what a method returns and what the container is afterwards.

        None if it is no method that is known for such a container.
        """
        change = self._changes.get(name)
        if name == "add" and len(arguments) == 2 and isinstance(arguments[0].const, int):  # noqa: PLR2004 - place, value
            change = _prepend
        outcome = None if change is None else change(receiver, arguments)
        if outcome is not None and name.startswith("Write"):
            # What is written to is text by and by.
            return outcome[0], replace(outcome[1], built=True)
        return outcome


def _append(receiver: Value, arguments: Sequence[Value]) -> tuple[Value, Value] | None:
    if not arguments:
        return None
    length = receiver.length
    if receiver.items is None or length < 0 or length >= MAX_ITEMS:
        taints = merged((receiver.rest, *(value.all_taints() for value in arguments)))
        if receiver.items is None:
            if not taints:
                return None
            every = merged((receiver.taints, taints))
            return Value(taints=every), replace(receiver, taints=every, const=UNKNOWN)
        return NOTHING, replace(receiver, rest=taints)
    items = {**receiver.items, **{length + at: value for at, value in enumerate(arguments)}}
    return NOTHING, replace(receiver, items=items, length=length + len(arguments))


def _listed(receiver: Value) -> list[Value] | None:
    items = receiver.items
    if items is None or receiver.length < 0 or receiver.length != len(items):
        return None
    return [items.get(at, NOTHING) for at in range(receiver.length)]


def _relisted(receiver: Value, values: Sequence[Value]) -> Value:
    return replace(receiver, items=dict(enumerate(values)), length=len(values))


def _prepend(receiver: Value, arguments: Sequence[Value]) -> tuple[Value, Value] | None:
    values = _listed(receiver)
    if receiver.items is None:
        return _append(receiver, arguments)
    if values is None or not arguments:
        return None
    if len(arguments) == 2 and isinstance(at := arguments[0].const, int):  # noqa: PLR2004 - place, value
        values.insert(at, arguments[1])
    else:
        values[:0] = arguments
    return NOTHING, _relisted(receiver, values)


def _both(changed: Value) -> tuple[Value, Value]:
    return changed, changed


def _extend(receiver: Value, arguments: Sequence[Value]) -> tuple[Value, Value] | None:
    if len(arguments) != 1 or receiver.items is None:
        return None
    other = arguments[0]
    mine, more = _listed(receiver), _listed(other)
    if mine is not None and more is not None:
        return _both(_relisted(receiver, [*mine, *more]))
    if other.items is not None and receiver.length < 0 and other.length < 0:
        both: Mapping[object, Value] = {**receiver.items, **other.items}
        return _both(replace(receiver, items=both, rest=merged((receiver.rest, other.rest))))
    # The places of a sequence are not those that its items have behind others.
    return _both(replace(receiver, rest=merged((receiver.rest, other.all_taints()))))


def _key(arguments: Sequence[Value]) -> object:
    if len(arguments) == 1:
        return key_of(arguments[0])
    keys = tuple(key_of(value) for value in arguments)
    return UNKNOWN if any(key is UNKNOWN for key in keys) else keys


def _put(receiver: Value, arguments: Sequence[Value]) -> tuple[Value, Value] | None:
    if len(arguments) < 2 or receiver.items is None:  # noqa: PLR2004 - key and value
        return None
    key = _key(arguments[:-1])
    if key is UNKNOWN and not arguments[0].taints and "." in arguments[0].qual:
        # A constant of a library is as good a key as its value, which is not known.
        key = arguments[0].qual.rpartition(".")[2]
    changed = store(receiver, key, arguments[-1])
    return changed, changed


def _get(receiver: Value, arguments: Sequence[Value]) -> tuple[Value, Value] | None:
    if not arguments or receiver.items is None:
        return None
    key = _key(arguments)
    sectioned = receiver.qual.rpartition(".")[2].removesuffix("()") in _SECTIONED
    if len(arguments) == 2 and key not in receiver.items and not sectioned:  # noqa: PLR2004 - key and default
        key = key_of(arguments[0])
        if key is not UNKNOWN and key not in receiver.items and not receiver.rest:
            return arguments[1], receiver
    if key is UNKNOWN:
        key = key_of(arguments[0])
    return lookup(receiver, key), receiver


def _take_first(receiver: Value, arguments: Sequence[Value]) -> tuple[Value, Value] | None:
    del arguments
    values = _listed(receiver)
    if not values:
        return None
    return values[0], _relisted(receiver, values[1:])


def _take_last(receiver: Value, arguments: Sequence[Value]) -> tuple[Value, Value] | None:
    values = _listed(receiver)
    at = key_of(arguments[0]) if arguments else -1
    if values is None or not isinstance(at, int) or not -len(values) <= at < len(values):
        return None
    taken = values.pop(at)
    return taken, _relisted(receiver, values)


def _remove(receiver: Value, arguments: Sequence[Value]) -> tuple[Value, Value] | None:
    if receiver.items is None or len(arguments) != 1:
        return None
    key = key_of(arguments[0])
    values = _listed(receiver)
    if values is not None and isinstance(key, str):
        # Python removes what is like it, not what stands there.
        key = next((at for at, each in enumerate(values) if each.const == key), None)
    if values is not None and isinstance(key, int) and -len(values) <= key < len(values):
        taken = values.pop(key)
        return taken, _relisted(receiver, values)
    if key is UNKNOWN or key not in receiver.items:
        return None
    kept = {each: value for each, value in receiver.items.items() if each != key}
    return receiver.items[key], replace(receiver, items=kept, length=-1)


def _clear(receiver: Value, arguments: Sequence[Value]) -> tuple[Value, Value] | None:
    if arguments or receiver.items is None:
        return None
    return NOTHING, replace(receiver, items={}, rest=(), taints=(), length=0)
