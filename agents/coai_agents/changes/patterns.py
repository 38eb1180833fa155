"""Patterns of changes: code with holes, and what is to stand there instead.

A pattern is matched against a node, child by child. What is equal in the code before and after an
edit becomes a hole, which matches anything; what gives the place its identity, such as the name of
the function that is called, stays.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from coai_agents.changes.code import Code, callee_of, is_label, is_member, last_name, parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node


class Kind(StrEnum):
    """What was changed."""

    ARGUMENT_ADDED = "argument added"
    ARGUMENT_REMOVED = "argument removed"
    ARGUMENTS_CHANGED = "arguments changed"
    KEYWORD_RENAMED = "keyword renamed"
    CALLEE_RENAMED = "call renamed"
    ATTRIBUTE_RENAMED = "attribute renamed"
    NAME_CHANGED = "name changed"
    DEFINITION_RENAMED = "definition renamed"
    IMPORT_CHANGED = "import changed"
    LITERAL_CHANGED = "literal changed"
    WRAPPED = "wrapped"
    UNWRAPPED = "unwrapped"
    TYPE_CHANGED = "type changed"
    EXPRESSION_CHANGED = "expression changed"
    PARAMETER_ADDED = "parameter added"
    PARAMETER_REMOVED = "parameter removed"
    REPEATED = "repeated edit"


@dataclass(frozen=True, slots=True)
class Exact:
    """A node that is written just so."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Name:
    """A name, whatever its grammar calls it."""

    text: str
    member: bool
    """Whether it stands behind a dot; else it does not, and is no argument's name either."""


@dataclass(frozen=True, slots=True)
class Call:
    """The arguments of any call of something of this name, which are what is replaced."""

    name: str


@dataclass(frozen=True, slots=True)
class Hole:
    """Any node; holes of one number are written alike."""

    number: int
    inner: Part | None = None
    """What the node has to be, where not everything fits."""


@dataclass(frozen=True, slots=True)
class Many:
    """Any number of children."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The children that are replaced; none where something is put in."""

    old: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """A node of a kind with these children."""

    kind: str
    children: tuple[Part, ...]


Part: TypeAlias = "Exact | Name | Call | Hole | Many | Slot | Shape"

MANY: Final = Many()


@dataclass(slots=True)
class Bound:
    """What a match found: the text of each hole, and the bytes of the slot."""

    holes: dict[int, str] = field(default_factory=dict[int, str])
    slot: tuple[int, int] = (0, 0)
    nodes: tuple[Node, ...] = ()
    """The nodes in the slot."""

    def copy(self) -> Bound:
        """Return the same, to be changed."""
        return Bound(dict(self.holes), self.slot, self.nodes)


def match(part: Part, node: Node, code: Code, bound: Bound) -> Bound | None:
    """Return what a part finds in a node, or None if it does not fit."""
    if isinstance(part, (Exact, Name)):
        return bound if _is_written(part, node, code) else None
    if isinstance(part, Shape):
        return (
            _children(part.children, parts(node), code, bound) if node.type == part.kind else None
        )
    if isinstance(part, Slot):
        return _children((part,), [node], code, bound)
    if isinstance(part, Call):
        return _call(part, node, code, bound)
    return bound if isinstance(part, Many) else _hole(part, node, code, bound)


def _is_written(part: Exact | Name, node: Node, code: Code) -> bool:
    if code.text(node) != part.text:
        return False
    if isinstance(part, Exact):
        return node.type == part.kind
    return code.is_name(node) and is_member(node) == part.member and not is_label(node)


def _hole(part: Hole, node: Node, code: Code, bound: Bound) -> Bound | None:
    text = code.text(node)
    if not node.is_named or bound.holes.get(part.number, text) != text:
        return None
    found = bound if part.inner is None else match(part.inner, node, code, bound)
    if found is None:
        return None
    found = found.copy()
    found.holes[part.number] = text
    return found


def _call(part: Call, node: Node, code: Code, bound: Bound) -> Bound | None:
    arguments, callee = node.child_by_field_name("arguments"), callee_of(node)
    name = None if callee is None else last_name(callee, code)
    if arguments is None or name is None or code.text(name) != part.name:
        return None
    return Bound(bound.holes, (arguments.start_byte, arguments.end_byte), (arguments,))


def _children(
    wanted: Sequence[Part], nodes: Sequence[Node], code: Code, bound: Bound
) -> Bound | None:
    """Match children one after the other; `Many` takes as few as it can."""
    if not wanted:
        return None if nodes else bound
    first, rest = wanted[0], wanted[1:]
    if isinstance(first, Many):
        for count in range(len(nodes) + 1):
            found = _children(rest, nodes[count:], code, bound)
            if found is not None:
                return found
        return None
    if isinstance(first, Slot):
        return _slot(first, rest, nodes, code, bound)
    found = match(first, nodes[0], code, bound) if nodes else None
    return None if found is None else _children(rest, nodes[1:], code, found)


def _slot(
    slot: Slot, rest: Sequence[Part], nodes: Sequence[Node], code: Code, bound: Bound
) -> Bound | None:
    size = len(slot.old)
    if len(nodes) < size:
        return None
    found: Bound | None = bound.copy()
    for part, node in zip(slot.old, nodes, strict=False):
        found = found and match(part, node, code, found)
    if found is None:
        return None
    found = found.copy()
    found.nodes = tuple(nodes[:size])
    if size:
        found.slot = (nodes[0].start_byte, nodes[size - 1].end_byte)
    elif nodes:
        found.slot = (nodes[0].start_byte, nodes[0].start_byte)
    return _children(rest, nodes[size:], code, found)


@dataclass(frozen=True, slots=True)
class Template:
    """What stands in the slot then: text, and the holes of the pattern by number."""

    pieces: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class AddArgument:
    """An argument is put into the list in the slot."""

    text: str
    label: str
    """Its name, or nothing for one that its place tells; then the list has to have `count`."""
    index: int
    count: int


@dataclass(frozen=True, slots=True)
class RemoveArgument:
    """An argument is taken out of the list in the slot."""

    label: str
    index: int
    count: int
    text: str
    """How it is written; any way if empty."""


@dataclass(frozen=True, slots=True)
class RenameLabel:
    """An argument of the list in the slot gets another name."""

    old: str
    new: str


Rewrite: TypeAlias = "Template | AddArgument | RemoveArgument | RenameLabel"


class Site(NamedTuple):
    """Where an edit was made."""

    uri: str
    line: int
    text: str = ""
    """The line before the edit."""
    outer: str = ""
    """The outermost definition that it is in."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A change that other places may need."""

    kind: Kind
    language: str
    root: Part
    rewrite: Rewrite
    keys: tuple[str, ...]
    """Words that are in each place; places are looked for where the first of them stands."""
    title: str
    """What is changed into what, for the user."""
    needs: tuple[str, ...] = ()
    """Names that the edit brought in, which have to be known in a place."""
    local: frozenset[str] = frozenset()
    """Those of them that only the edited function knows."""
    scope: str = ""
    """The definition in which places are; everywhere if empty."""
    unbound: str = ""
    """A name that must not be defined any more where places are."""
    evidence: int = 1
    """How many edits were this change."""
    done: str = ""
    """The edited line as it is now, where the change would change it back."""
    sites: tuple[Site, ...] = ()
    """Where these were."""
    old: str = ""
    """What was replaced, as it was written."""
    new: str = ""
    """What stands there now."""
