"""Inline variable: its only value in its place, where that is the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.source import Edit, Span
from coai_agents.specialists.refactoring.effects import (
    Effect,
    disturbed,
    earlier_effect,
    effect,
    evaluated_always,
    region,
)
from coai_agents.specialists.refactoring.names import Role
from coai_agents.specialists.refactoring.site import (
    Offer,
    RefusalError,
    Site,
    fitted,
    holds,
    same,
)
from coai_agents.syntax.tree import ancestors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from coai_agents.specialists.refactoring.names import Binding


# ------------------------------------------------------------------- inlining


def inline_variable(site: Site) -> Iterator[Offer]:
    """Put a variable's only value in its place, and drop the variable."""
    binding = _variable(site)
    declaration, value = _only_value(site, binding)
    statement = site.statement(declaration)
    if statement is None or statement.parent is None:
        raise RefusalError(f"{binding.name} is not given its value by a statement.")
    uses = [each for each in binding.uses if each.role is Role.READ]
    if not uses:
        raise RefusalError(f"{binding.name} is read nowhere.")
    _reads_follow(site, binding, [each.node for each in uses], statement, value)
    edits = [Edit(site.whole_lines(statement), "")]
    text = site.text(value)
    if "\n" in text and site.family in ("python", "ruby", "go") and not re.match(r"[\[({]", text):
        text = f"({text})"
    edits += [_inlined(site, each.node, text) for each in uses]
    yield Offer(f"Inline variable {binding.name}", tuple(edits))


def _variable(site: Site) -> Binding:
    use = site.names.at(site.trimmed.start)
    if site.lines:
        first = site.source.line_start(site.source.line_at(site.trimmed.start))
        span = Span(first, max(site.trimmed.end, first))
        found = [each for each in site.names.within(span) if each.declares and each.binding]
        use = found[0] if found else None
    if use is None or use.binding is None:
        raise RefusalError("There is no variable of this file here.")
    binding = use.binding
    if binding.parameter:
        raise RefusalError(f"{binding.name} is a parameter.")
    if not binding.is_local and site.family not in ("python", "javascript", "ruby", "php"):
        raise RefusalError(f"{binding.name} is no local variable.")
    if not binding.is_local and binding.scope.kind in ("file", "class"):
        raise RefusalError(f"{binding.name} may be used from other files.")
    return binding


_DECLARATORS: Final = frozenset(
    {"assignment", "variable_declarator", "short_var_declaration", "var_spec",
     "assignment_expression"}
)  # fmt: skip


def _only_value(site: Site, binding: Binding) -> tuple[Node, Node]:
    writes = binding.writes
    if len(writes) != 1:
        raise RefusalError(f"{binding.name} is written at {len(writes)} places.")
    at = writes[0].node.parent
    if at is not None and at.type == "expression_list":
        if at.named_child_count > 1:
            raise RefusalError("It is declared with others.")
        at = at.parent
    if at is None or at.type not in _DECLARATORS:
        raise RefusalError(f"{binding.name} is not given its value by an assignment of its own.")
    value = at.child_by_field_name("value") or at.child_by_field_name("right")
    if value is None and site.family == "csharp" and at.named_child_count > 1:
        value = at.named_children[-1]
    if value is not None and value.type == "expression_list" and value.named_child_count == 1:
        value = value.named_children[0]
    if value is None or value.type in ("expression_list", "right_assignment_list"):
        raise RefusalError(f"{binding.name} has no value of its own.")
    if value.type == "assignment":
        raise RefusalError("Several variables are given one value.")
    around = at.parent
    if at.type == "variable_declarator" and around is not None:
        declarators = [e for e in around.named_children if e.type == "variable_declarator"]
        if len(declarators) > 1:
            raise RefusalError(
                "Several variables are declared at once; split the declaration first."
            )
    _keeps_type(site, at, value)
    return at, value


def _keeps_type(site: Site, declarator: Node, value: Node) -> None:
    """Refuse where the declared type makes another value of what is written."""
    around = declarator.parent if declarator.type == "variable_declarator" else declarator
    kind = None if around is None else around.child_by_field_name("type")
    if site.family == "go" and "literal" in value.type and value.type != "composite_literal":
        if kind is not None and site.text(kind) not in ("int", "string", "bool"):
            raise RefusalError(f"{site.text(kind)} is another type than the literal's own.")
        return
    name = "" if kind is None else site.text(kind)
    converting = ("byte", "sbyte", "short", "ushort", "char", "long", "ulong", "uint", "float",
                  "double", "decimal", "object", "Object", "dynamic", "nint")  # fmt: skip
    boxed = name.rstrip("?") in ("Integer", "Long", "Double")
    if site.family in ("java", "csharp") and (name in converting or boxed):
        raise RefusalError(f"The declared type {name} may convert the value.")
    if value.type in ("array_initializer", "initializer_expression"):
        raise RefusalError("Its value cannot stand alone.")


def _reads_follow(
    site: Site, binding: Binding, reads_: list[Node], statement: Node, value: Node
) -> None:
    container = statement.parent
    assert container is not None
    own = effect(site, value)
    for each in reads_:
        if each.start_byte < statement.end_byte or not holds(container, each):
            raise RefusalError(f"{binding.name} is read where this value need not have been given.")
        if any(e.type in ("export_statement", "delete_statement") for e in ancestors(each)):
            raise RefusalError(f"{binding.name} is seen elsewhere.")
        above = each.parent
        if above is not None and above.type in ("unary_expression", "argument", "by_ref"):
            texts = {site.text(e) for e in above.children}
            if texts & {"&", "ref", "out", "delete"}:
                raise RefusalError(f"{binding.name} itself is meant, not its value.")
    if own is Effect.FRESH and len(reads_) > 1:
        raise RefusalError("Each place would have an object of its own.")
    if own >= Effect.FRESH:
        _read_once(site, binding, reads_, statement, value)
        return
    for each in reads_:
        inner = site.names.at(site.start(each))
        closure = inner is not None and inner.scope.function is not binding.scope.function
        if closure and own > Effect.PURE:
            raise RefusalError(f"{binding.name} is read in another function, perhaps later.")
        last = max(reads_, key=lambda one: one.end_byte)
        between = region(site, statement, last if closure else each, container)
        if closure:
            home = binding.scope.node
            between = Span(between.start, site.end(home))
        if why := disturbed(site, value, between):
            raise RefusalError(why)
    _nothing_hides(site, reads_, value)


def _read_once(
    site: Site, binding: Binding, reads_: list[Node], statement: Node, value: Node
) -> None:
    """Let what has an effect move only into the next statement, and there come first."""
    if len(reads_) > 1:
        raise RefusalError(f"What gives {binding.name} its value would be done more than once.")
    (read,) = reads_
    following = statement.next_named_sibling
    home = site.statement(read)
    if following is None or not same(home, following):
        raise RefusalError(f"Something is done between the value of {binding.name} and its use.")
    if why := evaluated_always(site, read, following):
        raise RefusalError(why)
    if earlier_effect(site, read, following) > Effect.CONSTANT:
        raise RefusalError("What the statement does before would come before it.")
    _nothing_hides(site, reads_, value)


def _nothing_hides(site: Site, places: list[Node], value: Node) -> None:
    """Refuse where a name of the value means another variable at a place that it moves to."""
    wanted = {each.name: each.binding for each in site.names.within(site.tree.span(value))}
    for place in places:
        use = site.names.at(site.start(place))
        at = None if use is None else use.scope
        while at is not None:
            for name, binding in wanted.items():
                there = at.bound.get(name)
                if there and binding not in there:
                    raise RefusalError(f"{name} is another variable where it would be read.")
            if any(binding in (at.bound.get(name) or ()) for name, binding in wanted.items()):
                break
            at = at.above


def _inlined(site: Site, place: Node, text: str) -> Edit:
    if place.type == "shorthand_property_identifier":
        return Edit(site.tree.span(place), f"{site.text(place)}: {text}")
    span = site.tree.span(place)
    above = place.parent
    if above is not None and above.type == "interpolation" and site.family == "python":
        quotes = set(re.findall(r"[\"']", text))
        string = next((each for each in ancestors(place) if each.type == "string"), None)
        outer = "" if string is None else site.text(string.children[0])[-1:]
        if outer in quotes or "\\" in text or "\n" in text or text.startswith("{"):
            raise RefusalError("The value cannot stand in this string.")
        return Edit(span, text if not re.search(r"[:!]|lambda", text) else f"({text})")
    if site.family == "php" and any(each.type == "encapsed_string" for each in ancestors(place)):
        raise RefusalError("The value cannot stand in this string.")
    return Edit(span, fitted(site, span, text))
