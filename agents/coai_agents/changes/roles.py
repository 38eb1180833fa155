"""The role of a place: what around it says that it is another place of the same sort.

A number or a variable means nothing by itself. What tells that two of them are the same thing is
what they are given to: the argument of a function, the entry of a name, one side of a comparison.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.changes.code import DOTS, ITSELF, NAMED_BY, call_of, parts
from coai_agents.changes.patterns import MANY, Exact, Hole, Shape
from coai_agents.syntax.imports import imports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from coai_agents.changes.code import Code
    from coai_agents.changes.patterns import Part

HIGHEST: Final = 4
"""Nodes above a place that are looked at for its role."""

MEMBER: Final = 3
"""Parts of `a.b`."""

TELLING: Final = 3
"""Letters of a name that tells something."""


def exact(node: Node, code: Code) -> Exact:
    """Return the part that only this text matches."""
    return Exact(node.type, code.text(node))


def anything(node: Node) -> Hole:
    """Return a part that any node matches, a hole of its own."""
    return Hole(-1 - node.start_byte)


def callee_parts(call: Node, code: Code) -> list[Part]:
    """Return the parts of a call before its arguments.

    The name stays; what it is a member of may be anything but the object itself, a class or a
    module.
    """
    before = [part for part in parts(call) if call_of(part) is None]
    arguments = call.child_by_field_name("arguments")
    before = [part for part in before if arguments and part.end_byte <= arguments.start_byte]
    found: list[Part] = []
    for number, part in enumerate(before):
        behind = before[number + 1].type if number + 1 < len(before) else ""
        found.append(receiver(part, code) if behind in DOTS else _callee(part, code))
    return found


def _callee(node: Node, code: Code) -> Part:
    inner = parts(node)
    if len(inner) == MEMBER and inner[1].type in DOTS:
        return Shape(
            node.type, (receiver(inner[0], code), *(exact(each, code) for each in inner[1:]))
        )
    return exact(node, code)


def receiver(node: Node, code: Code) -> Part:
    """Return the part for what a member is taken from."""
    text = code.text(node)
    if text in ITSELF or (code.is_name(node) and (text[:1].isupper() or is_module(text, code))):
        return exact(node, code)
    return anything(node) if node.is_named else exact(node, code)


def is_module(name: str, code: Code) -> bool:
    """Say whether a file imports something by this name."""
    return any(
        name in (each.local_name, each.local_name.rsplit("/", 1)[-1]) for each in imports(code.tree)
    )


def in_role(code: Code, parent: Node, start: int, end: int, inner: Part) -> Part | None:
    """Return the pattern of a place by its role, or None if it has none.

    `inner` is what stands for the children from `start` to `end` of `parent`.
    """
    part, known = _around(code, parent, start, end, inner)
    node = parent
    for _ in range(HIGHEST):
        call = call_of(node)
        if call is not None:
            return Shape(call.type, (*callee_parts(call, code), part, MANY))
        above = node.parent
        if above is None or above.type in code.tree.grammar.containers:
            break
        if known and call_of(above) is None:
            break
        index = parts(above).index(node)
        part, also = _around(code, above, index, index + 1, part)
        known = known or also
        node = above
    return part if known else None


def _around(code: Code, node: Node, start: int, end: int, inner: Part) -> tuple[Part, bool]:
    """Return a node's part around an inner one, and whether it tells the role."""
    children = parts(node)
    before, behind = children[:start], children[end:]
    others = [*before, *behind]
    if call_of(node) is not None:
        return Shape(node.type, (*_any(before, code), inner, MANY)), False
    name = next(
        (found for field in NAMED_BY if (found := node.child_by_field_name(field)) in others), None
    )
    if name is not None:
        kept = [exact(e, code) if e == name or not e.is_named else anything(e) for e in others]
        return Shape(node.type, (*kept[:start], inner, *kept[start:])), True
    kept = [exact(each, code) for each in others]
    tells = _is_operation(node) and any(
        each.is_named and len(code.text(each)) >= TELLING for each in others
    )
    return Shape(node.type, (*kept[:start], inner, *kept[start:])), tells


def _any(nodes: Sequence[Node], code: Code) -> list[Part]:
    return [anything(node) if node.is_named else exact(node, code) for node in nodes]


def _is_operation(node: Node) -> bool:
    """Say whether a node puts things in relation: `a < b`, `a[b]`."""
    fields = ("operator", "operators", "subscript", "index")
    return any(node.child_by_field_name(field) is not None for field in fields)
