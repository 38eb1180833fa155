"""Carrying a pattern's change out in a place that it matches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from coai_agents.changes.code import parts
from coai_agents.changes.patterns import AddArgument, RemoveArgument, RenameLabel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from coai_agents.changes.code import Code
    from coai_agents.changes.patterns import Bound, Rewrite, Template

Replaced: TypeAlias = "tuple[int, int, str]"
"""Bytes from and to, and what is to stand there."""

_SPREAD: Final = ("splat", "spread", "variadic")


def rewritten(rewrite: Rewrite, bound: Bound, code: Code) -> Replaced | None:
    """Return what becomes of a place, or None if it needs nothing or nobody knows what."""
    if isinstance(rewrite, AddArgument):
        return _added(rewrite, bound.nodes[0], code)
    if isinstance(rewrite, RemoveArgument):
        return _removed(rewrite, bound.nodes[0], code)
    if isinstance(rewrite, RenameLabel):
        return _relabelled(rewrite, bound.nodes[0], code)
    return (*bound.slot, filled(rewrite, bound))


def filled(template: Template, bound: Bound) -> str:
    """Return a template with what stands in its holes."""
    return "".join(
        piece if isinstance(piece, str) else bound.holes[piece] for piece in template.pieces
    )


def elements(arguments: Node) -> list[Node]:
    """Return the arguments in a list, or its parameters."""
    return [part for part in parts(arguments) if part.is_named]


def label_of(argument: Node, code: Code) -> str:
    """Return an argument's name, or nothing for one that its place tells."""
    name = argument.child_by_field_name("name")
    value = argument.child_by_field_name("value")
    return code.text(name) if name is not None and value is not None else ""


def is_spread(argument: Node) -> bool:
    """Say whether an argument stands for several, nobody knows which."""
    return any(word in argument.type for word in _SPREAD)


def _added(rewrite: AddArgument, arguments: Node, code: Code) -> Replaced | None:
    there = elements(arguments)
    labels = [label_of(each, code) for each in there]
    if any(is_spread(each) for each in there) or not arguments.children:
        return None
    index = rewrite.index
    if rewrite.label:
        if rewrite.label in labels:
            return None
        index = len(there)
    elif len(there) != rewrite.count or any(labels[:index]):
        return None
    if not there:
        at = arguments.children[0].end_byte
        return at, at, rewrite.text
    if index == 0:
        at = there[0].start_byte
        return at, at, f"{rewrite.text}, "
    before = there[index - 1]
    at = before.end_byte
    return at, at, f",{_gap(arguments, before, code)}{rewrite.text}"


def _gap(arguments: Node, before: Node, code: Code) -> str:
    """Return what stands between arguments: a blank, or a new line where each has its own."""
    row = before.start_point.row
    others = (each for each in parts(arguments) if each.start_byte < before.start_byte)
    if any(each.start_point.row == row for each in others):
        return " "
    line = code.bytes[: before.start_byte].rpartition(b"\n")[2]
    return "\n" + line.decode()


def _removed(rewrite: RemoveArgument, arguments: Node, code: Code) -> Replaced | None:
    there = elements(arguments)
    labels = [label_of(each, code) for each in there]
    index = rewrite.index
    if rewrite.label and rewrite.label in labels:
        index = labels.index(rewrite.label)
    elif len(there) != rewrite.count or any(labels[: index + 1]) or rewrite.index < 0:
        return None
    if any(is_spread(each) for each in there[: index + 1]):
        return None
    gone = there[index]
    if rewrite.text and code.text(gone) != rewrite.text:
        return None
    return _without(there, index)


def _without(there: Sequence[Node], index: int) -> Replaced:
    gone = there[index]
    if index > 0:
        return there[index - 1].end_byte, gone.end_byte, ""
    if len(there) > 1:
        return gone.start_byte, there[1].start_byte, ""
    return gone.start_byte, gone.end_byte, ""


def _relabelled(rewrite: RenameLabel, arguments: Node, code: Code) -> Replaced | None:
    labels = {label_of(each, code): each for each in elements(arguments)}
    if rewrite.old not in labels or rewrite.new in labels:
        return None
    name = labels[rewrite.old].child_by_field_name("name")
    assert name is not None
    return name.start_byte, name.end_byte, rewrite.new
