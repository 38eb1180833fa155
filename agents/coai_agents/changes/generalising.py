"""From one edit to the patterns of places that need the same change.

What the edit left as it was becomes a hole, what it changed is the rewrite, and what gives the
place its identity stays. An edit whose place has no identity, such as a number in a sum, has no
pattern: it is better to offer nothing than something wrong.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from coai_agents.changes.binding import bound_in, bound_outside
from coai_agents.changes.code import (
    call_of,
    callee_of,
    import_around,
    is_label,
    is_member,
    is_value,
    leaves,
    parts,
)
from coai_agents.changes.importing import import_patterns
from coai_agents.changes.patterns import (
    MANY,
    AddArgument,
    Hole,
    Kind,
    Pattern,
    RemoveArgument,
    RenameLabel,
    Shape,
    Slot,
    Template,
)
from coai_agents.changes.renaming import definition_patterns
from coai_agents.changes.rewriting import elements, label_of
from coai_agents.changes.roles import MEMBER, anything, callee_parts, exact, in_role, receiver
from coai_agents.changes.wording import keys_of, titled

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tree_sitter import Node

    from coai_agents.changes.code import Code
    from coai_agents.changes.difference import Difference
    from coai_agents.changes.patterns import Part, Rewrite

_VALUE: Final = re.compile(r"^[\w.+-]+$")


def generalise(found: Difference) -> tuple[Pattern, ...]:
    """Return the patterns of one edit, the most telling first."""
    if import_around(found.parent) is not None:
        made = import_patterns(found)
    else:
        made = definition_patterns(found)
        if made is None:
            made = _arguments(found) or _single(found) or _expression(found)
    return tuple(each for each in made if each.keys)


def pattern_of(
    found: Difference, kind: Kind, root: Part, rewrite: Rewrite, keys: tuple[str, ...] = ()
) -> Pattern:
    """Return a pattern with all that follows from the edit."""
    needs, local = _needs(found)
    return Pattern(
        kind=kind,
        language=found.before.tree.source.language,
        root=root,
        rewrite=rewrite,
        keys=keys or keys_of(root),
        title=titled(found, kind),
        needs=needs,
        local=local,
    )


def _needs(found: Difference) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the names that an edit brought in, and which of them only one function knows."""
    code = found.after
    old = {found.before.text(name) for node in found.old for name in leaves(node)}
    fresh = {
        code.text(name)
        for node in found.new
        for name in code.names(node)
        if code.text(name) not in old
    }
    known = tuple(sorted(name for name in fresh if bound_in(code, code.tree.root, name)))
    local = frozenset(name for name in known if not bound_outside(code, name))
    return known, local


# ---------------------------------------------------------------- arguments


def _arguments(found: Difference) -> tuple[Pattern, ...]:
    """Arguments that were put in, taken out, renamed or moved."""
    call = call_of(found.parent)
    if call is None:
        return ()
    old, new = elements(found.parent), elements(found.new_parent)
    if len(old) == len(new) and len(found.old) == len(found.new) == 1:
        return ()
    before = [found.before.text(each) for each in old]
    after = [found.after.text(each) for each in new]
    slot = Slot((Shape(found.parent.type, (MANY,)),))
    root = Shape(call.type, (*callee_parts(call, found.before), slot, MANY))
    if len(after) == len(before) + 1:
        at = found_at(before, after)
        if at is None or "\n" in after[at]:
            return ()
        label = label_of(new[at], found.after)
        add = AddArgument(after[at], label, at, len(before))
        return (pattern_of(found, Kind.ARGUMENT_ADDED, root, add),)
    if len(after) == len(before) - 1:
        at = found_at(after, before)
        if at is None:
            return ()
        label = label_of(old[at], found.before)
        text = "" if label else before[at]
        remove = RemoveArgument(label, at if not label else -1, len(before), text)
        return (pattern_of(found, Kind.ARGUMENT_REMOVED, root, remove),)
    return _rearranged(found, call)


def found_at(fewer: Sequence[str], more: Sequence[str]) -> int | None:
    """Return where a list has one more than another, or None if that is not all."""
    for at in range(len(more)):
        if [*more[:at], *more[at + 1 :]] == list(fewer):
            return at
    return None


def _rearranged(found: Difference, call: Node) -> tuple[Pattern, ...]:
    """Arguments in another order, or others."""
    made = _general(found, [found.parent], [found.new_parent])
    if made is None:
        return ()
    old, template, _ = made
    root = Shape(call.type, (*callee_parts(call, found.before), Slot(old), MANY))
    return (pattern_of(found, Kind.ARGUMENTS_CHANGED, root, template),)


# --------------------------------------------------------- one thing for one


def _single(found: Difference) -> tuple[Pattern, ...]:
    """One name or literal that became another."""
    if len(found.old) != 1 or len(found.new) != 1:
        return ()
    old, new = found.old[0], found.new[0]
    if not old.is_named or not new.is_named:
        return ()
    if found.before.is_name(old) and found.after.is_name(new):
        return _name(found, old)
    if _is_literal(old, found.before) and _is_literal(new, found.after):
        slot = Slot((exact(old, found.before),))
        root = in_role(found.before, found.parent, found.start, found.end, slot)
        text = found.after.text(new)
        if root is None or "\n" in text:
            return ()
        return (pattern_of(found, Kind.LITERAL_CHANGED, root, Template((text,))),)
    return ()


def _is_literal(node: Node, code: Code) -> bool:
    return code.is_string(node) or (not node.children and not code.is_name(node))


def _name(found: Difference, old: Node) -> tuple[Pattern, ...]:
    code, parent = found.before, found.parent
    slot = Slot((exact(old, code),))
    new = found.after.text(found.new[0])
    template = Template((new,))
    if is_label(old) and parent.parent is not None and (call := call_of(parent.parent)) is not None:
        arguments = Slot((Shape(parent.parent.type, (MANY,)),))
        root: Part | None = Shape(call.type, (*callee_parts(call, code), arguments, MANY))
        rename = RenameLabel(code.text(old), new)
        return (pattern_of(found, Kind.KEYWORD_RENAMED, root, rename),)
    if callee_of(parent) == old:
        before = callee_parts(parent, code)[:-1]
        root = Shape(parent.type, (*before, slot, MANY))
        return (pattern_of(found, Kind.CALLEE_RENAMED, root, template),)
    if is_member(old):
        return _member(found, slot, template)
    if _is_type(parent):
        root = Shape(parent.type, (MANY, slot, MANY))
        return (pattern_of(found, Kind.TYPE_CHANGED, root, template),)
    root = in_role(code, parent, found.start, found.end, slot)
    if root is None:
        return ()
    return (pattern_of(found, Kind.NAME_CHANGED, root, template),)


def _member(found: Difference, slot: Slot, template: Template) -> tuple[Pattern, ...]:
    code, parent = found.before, found.parent
    inner = parts(parent)
    if found.end != len(inner) or len(inner) < MEMBER:
        return ()
    taken = receiver(inner[0], code)
    shape = Shape(parent.type, (taken, *(exact(e, code) for e in inner[1:-1]), slot))
    above = parent.parent
    if above is not None and callee_of(above) == parent:
        root = Shape(above.type, (shape, MANY))
        return (pattern_of(found, Kind.CALLEE_RENAMED, root, template),)
    return (pattern_of(found, Kind.ATTRIBUTE_RENAMED, shape, template),)


def _is_type(node: Node) -> bool:
    return "type" in node.type and node.type not in ("typed_parameter", "typed_default_parameter")


# -------------------------------------------------------------- expressions


def _expression(found: Difference) -> tuple[Pattern, ...]:
    """Whatever else became something else: it was wrapped, or written in another way."""
    olds, news = list(found.old), list(found.new)
    lifted = found
    if len(olds) != 1 or len(news) != 1 or not olds[0].is_named or not news[0].is_named:
        if found.parent.parent is None or found.parent.type in found.before.tree.grammar.containers:
            return ()
        olds, news = [found.parent], [found.new_parent]
        lifted = _lifted(found)
        if lifted is None:
            return ()
    made = _general(found, olds, news)
    if made is None:
        return ()
    old, template, holes = made
    only = old[0]
    if isinstance(only, Hole):
        return _wrapped(lifted, olds[0], template, only)
    kind = _kind_of(olds[0], template)
    if keys_of(Slot(old)) and any(_tells(node, found.before, holes) for node in olds):
        return (pattern_of(lifted, kind, Slot(old), template),)
    root = in_role(lifted.before, lifted.parent, lifted.start, lifted.end, Slot(old))
    return () if root is None else (pattern_of(lifted, kind, root, template),)


def _lifted(found: Difference) -> Difference | None:
    """Return the same difference as one of the node that it is in."""
    above, new_above = found.parent.parent, found.new_parent.parent
    if above is None or new_above is None:
        return None
    index, new_index = parts(above).index(found.parent), parts(new_above).index(found.new_parent)
    if index != new_index:
        return None
    return replace(
        found, parent=above, start=index, end=index + 1, new_parent=new_above, new_end=index + 1
    )


def _kind_of(old: Node, template: Template) -> Kind:
    if len(template.pieces) == 1 and isinstance(template.pieces[0], int):
        return Kind.UNWRAPPED
    return Kind.TYPE_CHANGED if _is_type(old) else Kind.EXPRESSION_CHANGED


def _tells(node: Node, code: Code, holes: Collection[tuple[str, str]]) -> bool:
    """Say whether what was replaced tells by itself that it is to be replaced elsewhere.

    A function that is called does, a member and a generic type, as far as they are no holes; a
    variable, a literal or `None` does not.
    """
    if _may_differ(node, code) and _key(node, code) in holes:
        return False
    if is_member(node) or callee_of(node) is not None or _is_generic(node, code):
        return True
    return any(_tells(child, code, holes) for child in node.children)


def _is_generic(node: Node, code: Code) -> bool:
    """Say whether a node is a type with types of its own, as in `Optional[int]`."""
    inner = parts(node)
    return "generic" in node.type and len(inner) > 1 and code.is_name(inner[0])


def _wrapped(found: Difference, old: Node, template: Template, hole: Hole) -> tuple[Pattern, ...]:
    """Something was put around a whole expression: around which, its callee or its role says."""
    code = found.before
    if (callee_of(old)) is not None:
        inner = Shape(old.type, (*callee_parts(old, code), anything(parts(old)[-1]), MANY))
        root: Part | None = Slot((Hole(hole.number, inner),))
    else:
        slot = Slot((Hole(hole.number, exact(old, code)),))
        root = in_role(code, found.parent, found.start, found.end, slot)
    return () if root is None else (pattern_of(found, Kind.WRAPPED, root, template),)


def _general(
    found: Difference, olds: Sequence[Node], news: Sequence[Node]
) -> tuple[tuple[Part, ...], Template, Collection[tuple[str, str]]] | None:
    """Return the old code with holes where the new one has the same, and the new one with them."""
    mine = {_key(e, found.before) for node in olds for e in _values(node, found.before)}
    theirs = {_key(e, found.after) for node in news for e in _values(node, found.after)}
    holes: dict[tuple[str, str], int] = {}
    old = tuple(_with_holes(node, found.before, mine & theirs, holes) for node in olds)
    pieces: list[str | int] = []
    for node in news:
        pieces += _pieces(node, found.after, holes)
    if any(isinstance(piece, str) and "\n" in piece for piece in pieces):
        return None
    return old, Template(tuple(pieces)), holes


def _key(node: Node, code: Code) -> tuple[str, str]:
    return node.type, code.text(node)


def _values(node: Node, code: Code) -> list[Node]:
    """Return the nodes within one that could be others elsewhere."""
    found: list[Node] = []
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if _may_differ(each, code):
            found.append(each)
        waiting.extend(each.children)
    return found


def _may_differ(node: Node, code: Code) -> bool:
    above = node.parent
    if not is_value(node) or call_of(node) is not None:
        return False
    if above is not None and callee_of(above) == node and code.is_name(node):
        return False
    return any(code.is_name(leaf) for leaf in leaves(node))


def _with_holes(
    node: Node, code: Code, shared: set[tuple[str, str]], holes: dict[tuple[str, str], int]
) -> Part:
    key = _key(node, code)
    if key in shared and _may_differ(node, code):
        return Hole(holes.setdefault(key, len(holes)))
    if not node.children or code.is_string(node):
        return exact(node, code)
    return Shape(node.type, tuple(_with_holes(each, code, shared, holes) for each in parts(node)))


def _pieces(node: Node, code: Code, holes: dict[tuple[str, str], int]) -> list[str | int]:
    number = holes.get(_key(node, code)) if _may_differ(node, code) else None
    if number is not None:
        return [number]
    if not node.children or code.is_string(node):
        return [code.text(node)]
    found: list[str | int] = []
    at = node.start_byte
    for child in node.children:
        if child.start_byte > at:
            found.append(code.bytes[at : child.start_byte].decode())
        found += _pieces(child, code, holes)
        at = child.end_byte
    return found
