"""What a changed import says: of the same import in other files, and of what it is called here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from coai_agents.changes.code import import_around, parts
from coai_agents.changes.patterns import MANY, Kind, Name, Pattern, Shape, Slot, Template
from coai_agents.changes.roles import exact
from coai_agents.changes.wording import keys_of, titled
from coai_agents.syntax.imports import imports

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.changes.code import Code
    from coai_agents.changes.difference import Difference
    from coai_agents.changes.patterns import Part

_MODULES = ("module_name", "source", "path", "argument")


def import_patterns(found: Difference) -> tuple[Pattern, ...]:
    """Return the patterns of an edit within an import."""
    lifted = _whole_name(found)
    if len(lifted.old) != 1 or len(lifted.new) != 1:
        return ()
    code = lifted.before
    new = lifted.after.text(lifted.new[0])
    around = import_around(lifted.parent)
    if around is None or not lifted.old[0].is_named or "\n" in new:
        return ()
    part: Part = Slot((exact(lifted.old[0], code),))
    node = lifted.parent
    inner: Node = lifted.old[0]
    while True:
        part = Shape(node.type, tuple(_siblings(node, inner, part, code)))
        if node == around or node.parent is None:
            break
        node, inner = node.parent, node
    made = Pattern(
        kind=Kind.IMPORT_CHANGED,
        language=code.tree.source.language,
        root=part,
        rewrite=Template((new,)),
        keys=keys_of(part),
        title=titled(lifted, Kind.IMPORT_CHANGED),
    )
    return (made, *_renamed(lifted))


def _whole_name(found: Difference) -> Difference:
    """Return the difference of a whole dotted name or string, of which a part was changed."""
    while found.parent.parent is not None and found.new_parent.parent is not None:
        text = found.before.text(found.parent)
        if import_around(found.parent) == found.parent or any(sign in text for sign in " ,\n{("):
            break
        above, new_above = found.parent.parent, found.new_parent.parent
        index = parts(above).index(found.parent)
        found = replace(
            found,
            parent=above,
            start=index,
            end=index + 1,
            new_parent=new_above,
            new_end=index + 1,
        )
    return found


def _siblings(node: Node, inner: Node, part: Part, code: Code) -> list[Part]:
    """Return a node's parts: the module stays, other names may be others."""
    module = next((m for f in _MODULES if (m := node.child_by_field_name(f)) is not None), None)
    found: list[Part] = []
    for child in parts(node):
        if child == inner:
            found.append(part)
        elif child == module:
            found.append(exact(child, code))
        elif not found or found[-1] is not MANY:
            found.append(MANY)
    return found if found[-1] is MANY else [*found, MANY]


def _renamed(found: Difference) -> tuple[Pattern, ...]:
    """Return the pattern for what the file itself calls the import now."""
    before = {each.local_name for each in imports(found.before.tree)}
    after = {each.local_name for each in imports(found.after.tree)}
    gone, come = before - after, after - before
    if len(gone) != 1 or len(come) != 1:
        return ()
    old, new = gone.pop(), come.pop()
    if not old.isidentifier() or not new.isidentifier():
        return ()
    return (
        Pattern(
            kind=Kind.DEFINITION_RENAMED,
            language=found.before.tree.source.language,
            root=Slot((Name(old, member=False),)),
            rewrite=Template((new,)),
            keys=(old,),
            title=titled(found, Kind.DEFINITION_RENAMED),
            unbound=old,
        ),
    )
