"""What the engine knows of a value: its constant, where it may come from, what is in it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from coai_agents.analysis.dataflow.ir import UNKNOWN, Expr

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tree_sitter import Node

    from coai_agents.analysis.dataflow.ir import Function
    from coai_agents.analysis.findings.places import Place

MAX_TAINTS: Final = 4
"""So many origins of one value are followed; a finding shows one of them."""

MAX_STEPS: Final = 12
"""So many steps of a way are kept; the first ones, because they say where it began."""

MAX_CHOICES: Final = 4
"""So many functions, or objects, that a value may be are followed."""

EVERYTHING: Final = "*"
"""The category that stands for all of them."""

DOUBTED: Final = "?"
"""What is cleared, as a category is, by a test that nobody understands: it may make the value
harmless, or not."""

UNSEEN: Final = "??"
"""What is cleared, as a category is, by a function that nobody has seen, for the same reason."""

ARGUMENTS: Final = "[]"
"""What is cleared, as a category is, by standing in a list of arguments, which no shell reads: only
the program or one of its options is decided by it."""

Key: TypeAlias = "str | int | float | bool | bytes | tuple[object, ...] | None"


class Kind(StrEnum):
    """Who decides what a value is."""

    REMOTE = "remote"
    """Whoever can send a request."""
    LOCAL = "local"
    """Whoever starts the program: arguments, environment, standard input."""
    STORED = "stored"
    """Whoever could write what is read: files, databases, messages."""
    PARAMETER = "parameter"
    """Whoever calls the function."""


@dataclass(frozen=True, slots=True, eq=False)
class Trail:
    """The way of a taint so far, the last step first."""

    node: Node
    words: str
    before: Trail | None
    length: int
    elsewhere: tuple[tuple[Place, str], ...] = ()
    """Places in another file that it came through just before, with words for each."""


@dataclass(frozen=True, slots=True, eq=False)
class Taint:
    """That a value, or a part of it, comes from somewhere."""

    kind: Kind
    origin: Node
    label: str
    cleared: frozenset[str]
    trail: Trail | None = None

    def threatens(self, category: str) -> bool:
        """Say whether nothing on the way has made it harmless for a category.

        Text that begins with a quote and has none inside is a literal, whatever it says: two tests
        that only together make it harmless.
        """
        cleared = self.cleared
        if category in cleared or EVERYTHING in cleared:
            return False
        return f"{category}:begins" not in cleared or f"{category}:inside" not in cleared

    def without(self, categories: frozenset[str]) -> Taint:
        """Return the taint of what was made harmless for some categories."""
        if categories <= self.cleared:
            return self
        # `dataclasses.replace` takes five times as long, and this is done for every step.
        cleared = self.cleared | categories
        return Taint(self.kind, self.origin, self.label, cleared, self.trail)

    def through(self, node: Node, words: str) -> Taint:
        """Return the taint one step further."""
        before = self.trail
        if before is not None and (before.length >= MAX_STEPS or before.node == node):
            return self
        length = 1 if before is None else before.length + 1
        trail = Trail(node, words, before, length)
        return Taint(self.kind, self.origin, self.label, self.cleared, trail)


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """What is known of a value. It never changes; a container that does is another value."""

    const: object = UNKNOWN
    taints: tuple[Taint, ...] = ()
    items: Mapping[object, Value] | None = None
    """A container's items by their keys; None if the value is not known to be a container."""
    rest: tuple[Taint, ...] = ()
    """Taints of items whose keys are not known."""
    length: int = -1
    """How many items a sequence has; -1 if that is not known."""
    qual: str = ""
    """What it is, as a path from an import or a type: `flask.request.args`."""
    functions: tuple[tuple[Function, Scope], ...] = ()
    lead: str = ""
    """The constant text that it begins with."""
    built: bool = False
    """Whether it is text put together from parts of which not all are constant."""
    loose: bool = False
    """Whether it, or a part of it, comes from where nothing is known of: another object's field, a
    function of another file."""
    objects: tuple[Scope, ...] = ()
    """The objects of this file's classes that it may be; a class is the one that all share."""

    @property
    def known(self) -> bool:
        """Whether it is a constant."""
        return self.const is not UNKNOWN

    def tainted_by(self, taints: tuple[Taint, ...]) -> Value:
        """Return the value with other taints, what it holds aside."""
        return Value(
            self.const, taints, self.items, self.rest, self.length,
            self.qual, self.functions, self.lead, self.built, self.loose, self.objects,
        )  # fmt: skip

    def all_taints(self) -> tuple[Taint, ...]:
        """Return the taints of the value and of all that it holds."""
        if self.items is None and not self.objects:
            return self.taints
        groups = [self.taints, self.rest]
        if self.items is not None:
            groups += [item.all_taints() for item in self.items.values()]
        # Of what an object's fields are in turn, nothing: objects may hold one another.
        groups += [field.taints for each in self.objects for field in (each.members or {}).values()]
        return merged(groups)


NOTHING: Final = Value()
"""A value of which nothing is known, and that comes from nowhere in particular."""

CLEAN: Final = Value(const=None)


def merged(groups: Iterable[tuple[Taint, ...]]) -> tuple[Taint, ...]:
    """Return the taints of several values together, each origin once for what clears it."""
    kept: tuple[Taint, ...] = ()
    for group in groups:
        if not group or group is kept:
            continue
        if not kept:
            kept = group
            continue
        for taint in group:
            if any(same(taint, other) for other in kept):
                continue
            if len(kept) >= MAX_TAINTS:
                # What anyone may send matters more than what the caller passes.
                weak = next((each for each in kept if each.kind is Kind.PARAMETER), None)
                if weak is None or taint.kind is Kind.PARAMETER:
                    continue
                kept = tuple(each for each in kept if each is not weak)
            kept = (*kept, taint)
    return kept


def same(one: Taint, other: Taint) -> bool:
    """Say whether two taints differ only in their way."""
    return one is other or (one.origin == other.origin and one.cleared == other.cleared)


def join(one: Value, other: Value) -> Value:
    """Return what is known of a value that is one or the other."""
    if one is other:
        return one
    const: object = UNKNOWN
    if one.known and other.known and equal(one.const, other.const):
        const = one.const
    items = one.items
    rest = merged((one.rest, other.rest))
    if one.items is not None and other.items is not None:
        if one.items is not other.items:
            both = dict(one.items)
            for key, item in other.items.items():
                both[key] = join(both[key], item) if key in both else item
            items = both
    elif other.items is not None:
        items = other.items
    functions = one.functions
    if other.functions and other.functions is not one.functions:
        seen = {(id(function), id(scope)) for function, scope in functions}
        more = tuple(pair for pair in other.functions if (id(pair[0]), id(pair[1])) not in seen)
        functions = (functions + more)[:MAX_CHOICES]
    objects = one.objects
    if other.objects and other.objects is not objects:
        fresh = tuple(each for each in other.objects if each not in objects)
        objects = (objects + fresh)[:MAX_CHOICES]
    taints = one.taints
    if other.taints and other.taints is not taints:
        taints = merged((taints, other.taints))
    return Value(
        const=const,
        taints=taints,
        items=items,
        rest=rest,
        length=one.length if one.length == other.length else -1,
        qual=one.qual or other.qual,
        functions=functions,
        lead=_common(one.lead, other.lead),
        built=one.built or other.built,
        loose=one.loose or other.loose,
        objects=objects,
    )


def _common(one: str, other: str) -> str:
    if one == other:
        return one
    shorter = min(len(one), len(other))
    end = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    return one[:end]


def equal(one: object, other: object) -> bool:
    """Say whether two constants are the same, type included: 1 is not True."""
    return type(one) is type(other) and one == other


FACT: Final = "\0"
"""What begins the name of what is known of an expression, among variables' names."""


def _fact(node: Node) -> str:
    text = (node.text or b"").decode("utf-8", "replace")
    return FACT + "".join(text.split()).replace('"', "'")


class Scope:
    """Variables by name, within those of what is around."""

    __slots__ = (
        "around", "bare", "base_names", "bases", "closes", "fields", "learnt", "members", "of",
        "tests", "values",
    )  # fmt: skip

    def __init__(self, around: Scope | None = None) -> None:
        self.values: dict[str, Value] = {}
        self.around = around
        self.members: dict[str, Value] | None = None if around is None else around.members
        """What methods of the class have put into its objects."""
        self.base_names: Sequence[str] = () if around is None else around.base_names
        """What the class around is made of, as written."""
        self.tests: dict[str, Expr] = {}
        """Tests whose results are kept in variables."""
        self.learnt = False
        """Whether anything is known of expressions that are no variables."""
        self.closes = False
        """Whether what is assigned here may be a variable of the function around it."""
        self.of: Scope | None = None
        """Of an object the class whose methods know it by this scope."""
        self.bases: tuple[Scope, ...] = ()
        """Of a class those that it is made from."""
        self.fields: tuple[str, ...] = ()
        """Of a class the fields that its own constructor sets, in their order."""
        self.bare = False
        """Whether these members are known by their bare names, as in Java's and C#'s classes."""

    def get(self, name: str) -> Value | None:
        """Return a variable's value, or None if nothing binds the name."""
        scope: Scope | None = self
        while scope is not None:
            value = scope.values.get(name)
            if scope.bare and scope.members is not None:
                value = scope.members.get(name, value)
            if value is not None:
                return value
            scope = scope.around
        return None

    def put(self, name: str, value: Value) -> None:
        """Let a variable have a value, or the field that a bare name means."""
        if self.learnt:
            for fact in [each for each in self.values if each[:1] == FACT and name in each]:
                del self.values[fact]
        if name not in self.values:
            if self.closes and (outer := self._outer(name)) is not None:
                outer.values[name] = join(outer.values[name], value)
                return
            scope = self.around
            while scope is not None:
                if scope.bare and scope.members is not None and name in scope.members:
                    scope.members[name] = join(scope.members[name], value)
                    return
                if name in scope.values:
                    break
                scope = scope.around
        self.values[name] = value

    def change(self, name: str, value: Value) -> None:
        """Let a variable, or the field that a bare name means, have what was done to its value."""
        scope: Scope | None = self
        while scope is not None and name not in scope.values:
            if scope.bare and scope.members is not None and name in scope.members:
                scope.members[name] = value
                return
            scope = scope.around
        self.values[name] = value

    def _outer(self, name: str) -> Scope | None:
        """Return the function around this one that has a variable; None for the file's own."""
        scope = self.around
        while scope is not None and scope.around is not None:
            if name in scope.values:
                return scope
            scope = scope.around
        return None

    def learn(self, node: Node, value: Value) -> None:
        """Know an expression's value, here and wherever it is written again."""
        self.learnt = True
        self.values[_fact(node)] = value

    def known(self, node: Node) -> Value | None:
        """Return what was learnt of an expression."""
        return self.values.get(_fact(node))

    def branch(self) -> dict[str, Value]:
        """Return a copy of the variables, to come back to."""
        return dict(self.values)

    def merge(self, other: dict[str, Value]) -> None:
        """Let each variable be what it is here or what it is there."""
        mine = self.values
        if self.learnt:
            # What is known on one way only is not known behind both.
            for name in [each for each in mine if each[:1] == FACT and each not in other]:
                del mine[name]
        for name, value in other.items():
            here = mine.get(name)
            if here is None and name[:1] == FACT:
                continue
            if here is None:
                # Bound on one way only: on the other one it would fail, or be the outer one.
                mine[name] = value
            elif here is not value:
                mine[name] = join(here, value)
