"""What a changed definition says of its uses: a new name, another parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.changes.binding import is_binding
from coai_agents.changes.code import ITSELF, function_around, is_member
from coai_agents.changes.patterns import (
    AddArgument,
    Call,
    Kind,
    Name,
    Pattern,
    RemoveArgument,
    RenameLabel,
    Slot,
    Template,
)
from coai_agents.changes.rewriting import elements, is_spread
from coai_agents.changes.wording import titled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from coai_agents.changes.code import Code
    from coai_agents.changes.difference import Difference


def definition_patterns(found: Difference) -> tuple[Pattern, ...] | None:
    """Return what follows from an edit of a definition; None if it was none."""
    above = found.parent.parent
    if above is not None and above.child_by_field_name("parameters") == found.parent:
        changed = _parameters(found, above)
        if changed is not None:
            return changed
    if len(found.old) == 1 and len(found.new) == 1:
        old, new = found.old[0], found.new[0]
        names = found.before.is_name(old) and found.after.is_name(new)
        if names and not is_member(old) and is_binding(old, found.before):
            return _renamed(found, old)
    return None


def _renamed(found: Difference, old: Node) -> tuple[Pattern, ...]:
    code = found.before
    name, new = code.text(old), found.after.text(found.new[0])
    function = function_around(old, code)
    own = function is not None and function.child_by_field_name("name") == old
    if own and function is not None:
        outer = None if function.parent is None else function_around(function.parent, code)
        method = _is_method(function, code)
    else:
        outer, method = function, False
    scope = "" if outer is None else _name_of(outer, code)
    if outer is not None and not scope:
        return ()
    pattern = _pattern(found, Kind.DEFINITION_RENAMED, name, new, method=method, scope=scope)
    if own or function is None or not _is_parameter(old, function):
        return (pattern,)
    label = Pattern(
        kind=Kind.KEYWORD_RENAMED,
        language=code.tree.source.language,
        root=Call(scope),
        rewrite=RenameLabel(name, new),
        keys=(scope,),
        title=titled(found, Kind.KEYWORD_RENAMED),
    )
    return (pattern, label)


def _pattern(
    found: Difference, kind: Kind, name: str, new: str, *, method: bool, scope: str
) -> Pattern:
    return Pattern(
        kind=kind,
        language=found.before.tree.source.language,
        root=Slot((Name(name, member=method),)),
        rewrite=Template((new,)),
        keys=(name,),
        title=titled(found, kind),
        scope=scope,
        unbound=name,
    )


def _is_method(function: Node, code: Code) -> bool:
    """Say whether a function is used behind a dot: it stands in a class."""
    above = function.parent
    for _ in range(4):
        if above is None:
            return False
        if "class" in above.type or "interface" in above.type:
            return True
        if function_around(above, code) == above:
            return False
        above = above.parent
    return False


def _is_parameter(node: Node, function: Node) -> bool:
    parameters = function.child_by_field_name("parameters")
    return parameters is not None and (
        parameters.start_byte <= node.start_byte and node.end_byte <= parameters.end_byte
    )


def _name_of(function: Node, code: Code) -> str:
    name = function.child_by_field_name("name")
    return "" if name is None else code.text(name)


def _parameters(found: Difference, function: Node) -> tuple[Pattern, ...] | None:
    """Return what calls have to do about a parameter more or less; None if that is not all."""
    old, new = _named(found.parent, found.before), _named(found.new_parent, found.after)
    name = _name_of(function, found.before)
    if abs(len(old) - len(new)) != 1 or not name:
        return None
    fewer, more = sorted((old, new), key=len)
    at = next((k for k in range(len(more)) if [*more[:k], *more[k + 1 :]] == fewer), None)
    if at is None or not more[at]:
        return ()
    own = 1 if more and more[0] in ITSELF else 0
    side = found.new_parent if len(new) > len(old) else found.parent
    parameter = elements(side)[at]
    if is_spread(parameter) or own > at:
        return ()
    if len(new) < len(old):
        remove = RemoveArgument(more[at], at - own, len(more) - own, "")
        return (_call(found, Kind.PARAMETER_REMOVED, name, remove),)
    if parameter.child_by_field_name("value") is not None:
        return ()  # what has a default need not be said
    add = AddArgument(more[at], "", at - own, len(fewer) - own)
    return (_call(found, Kind.PARAMETER_ADDED, name, add, more[at]),)


def _named(parameters: Node, code: Code) -> Sequence[str]:
    """Return the names of parameters."""
    return [next((code.text(e) for e in _names(each, code)), "") for each in elements(parameters)]


def _names(parameter: Node, code: Code) -> Sequence[Node]:
    name = parameter.child_by_field_name("name") or parameter.child_by_field_name("pattern")
    within = parameter if name is None else name
    return list(code.names(within)) if within.children else [within]


def _call(
    found: Difference,
    kind: Kind,
    name: str,
    rewrite: AddArgument | RemoveArgument,
    need: str = "",
) -> Pattern:
    return Pattern(
        kind=kind,
        language=found.before.tree.source.language,
        root=Call(name),
        rewrite=rewrite,
        keys=(name,),
        title=titled(found, kind),
        needs=(need,) if need else (),
        local=frozenset({need}) if need else frozenset(),
    )
