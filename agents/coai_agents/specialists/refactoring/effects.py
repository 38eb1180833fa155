"""What evaluating an expression can do, and whether it may be evaluated elsewhere instead.

Three questions: has it an effect, does it read what others may change, and is anything that it
reads written on the way between two places. Where the tree does not answer, the answer is the one
that forbids.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from coai_agents.source import Span
from coai_agents.specialists.refactoring.names import Role
from coai_agents.specialists.refactoring.shapes import field_of
from coai_agents.specialists.refactoring.site import holds, same, walk
from coai_agents.syntax.tree import ancestors

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.specialists.refactoring.names import Binding
    from coai_agents.specialists.refactoring.site import Site


class Effect(IntEnum):
    """What an expression does, from nothing to anything."""

    CONSTANT = 0
    """Literals and names, which cannot fail either."""
    PURE = 1
    """Operators on them: an equal value each time, or the same error."""
    STATE = 2
    """It reads members or elements, which others may change in between."""
    FRESH = 3
    """It makes an object, which is another one each time."""
    ANY = 4
    """A call, an assignment, `await`: anything."""


_LEAVES: Final = frozenset({"comment", "line_comment", "block_comment"})
_NAMES: Final = frozenset(
    {"binary_operator", "binary_expression", "binary", "unary_operator", "comparison_operator"}
)
_LAZY: Final = frozenset({"and", "or", "&&", "||", "??", "&.", "?."})


def effect(site: Site, node: Node) -> Effect:
    """Return the strongest effect of an expression."""
    shapes, found = site.shapes, Effect.CONSTANT
    waiting = [node]
    while waiting:
        at = waiting.pop()
        if at.type in _LEAVES:
            continue
        if at.type in shapes.state:
            found = max(found, Effect.STATE)
        elif at.type in shapes.fresh:
            found = max(found, Effect.FRESH)
            if at.type in shapes.functions:
                continue
        elif at.type not in shapes.pure or any(
            e.type in ("++", "--", "<-", "&") for e in at.children
        ):
            return Effect.ANY
        elif at.named_child_count and "string" not in at.type and at.type != "variable_name":
            found = max(found, Effect.PURE)
        if site.family == "ruby" and at.type == "identifier" and _is_call(site, at):
            return Effect.ANY
        waiting.extend(at.named_children)
    return found


def _is_call(site: Site, node: Node) -> bool:
    """Say whether a bare word of Ruby is no variable."""
    use = site.names.at(site.start(node))
    return use is None or use.binding is None


def evaluated_always(site: Site, node: Node, statement: Node) -> str:
    """Return why an expression of a statement may not be evaluated just before it; else nothing."""
    at = node
    while not same(at, statement) and at.parent is not None:
        above = at.parent
        if above.type in site.shapes.functions:
            return "It is evaluated in another function, or once for each element."
        if above.type in site.shapes.loops and not _is_iterable(at, above):
            return "It is evaluated in each round of a loop."
        if _is_lazy(at, above):
            return "It is evaluated only if what stands before it allows that."
        if above.type in ("elif_clause", "else_clause", "elsif", "else_if_clause", "else"):
            return "It is evaluated only if the conditions above are false."
        if above.type in ("switch_case", "case_clause", "expression_case", "when", "switch_section",
                          "decorator", "default_parameter", "typed_default_parameter",
                          "assignment_pattern", "optional_parameter", "for_in_clause"):  # fmt: skip
            return "It is evaluated at another time than its statement."
        at = above
    return ""


def _is_iterable(node: Node, loop: Node) -> bool:
    """Say whether a part of a loop is what it goes over, which is evaluated once."""
    return (
        field_of(node) in ("right", "value", "initializer", "init") or node.type == "range_clause"
    ) and loop.type not in ("while_statement", "do_statement")


def _is_lazy(node: Node, above: Node) -> bool:
    signs = {each.type for each in above.children}
    if signs & _LAZY and above.type not in ("parameters", "argument_list"):
        return not same(above.named_children[0], node)
    if above.type in ("conditional_expression", "ternary_expression", "conditional"):
        condition = above.child_by_field_name("condition")
        if condition is not None:
            return not same(condition, node)
        return not same(above.named_children[1], node)
    if above.type in ("if_modifier", "unless_modifier", "rescue_modifier"):
        return field_of(node) == "body"
    chained = above.type == "comparison_operator" and above.named_child_count > 2  # noqa: PLR2004 - a < b < c
    return chained and not any(same(each, node) for each in above.named_children[:2])


def earlier_effect(site: Site, node: Node, statement: Node) -> Effect:
    """Return the strongest effect of what a statement evaluates before one of its expressions."""
    found = Effect.CONSTANT
    at = node
    while not same(at, statement) and at.parent is not None:
        modified = at.parent.type.endswith("_modifier") and field_of(at) == "condition"
        for each in at.parent.named_children:
            if each.start_byte >= at.start_byte or modified:
                # A condition behind its statement is evaluated first.
                break
            if (
                not _is_target(each)
                and field_of(each)
                not in (
                    "type",
                    "name",
                    "function",
                    "method",
                )
            ) or (field_of(each) in ("function", "method") and each.named_child_count):
                found = max(found, effect(site, each))
        at = at.parent
    return found


def _is_target(node: Node) -> bool:
    """Say whether a node is the left side of an assignment that evaluates nothing."""
    plain = ("identifier", "variable_name", "instance_variable", "pattern_list", "expression_list",
             "tuple_pattern", "object_pattern", "array_pattern",
             "left_assignment_list")  # fmt: skip
    return field_of(node) in ("left", "name") and node.type in plain


def reads(site: Site, node: Node) -> list[Binding]:
    """Return the variables of the file that an expression reads."""
    uses = site.names.within(site.tree.span(node))
    return list(dict.fromkeys(each.binding for each in uses if each.binding is not None))


def region(site: Site, first: Node, last: Node, container: Node) -> Span:
    """Return the text that may run between two places in a block: loops are run whole."""
    end = last.end_byte
    for each in ancestors(last):
        if same(each, container):
            break
        if each.type in site.shapes.loops or each.type in site.shapes.functions:
            end = max(end, each.end_byte)
    start = first.end_byte
    return Span(site.source.offset_of_byte(start), site.source.offset_of_byte(max(start, end)))


def disturbed(site: Site, node: Node, between: Span, but: tuple[Span, ...] = ()) -> str:
    """Return why an expression may have another value after a stretch of text; else nothing.

    `but` are places in the stretch that do not count: the expression's own occurrences.
    """
    for binding in reads(site, node):
        for each in binding.uses:
            start = site.start(each.node)
            if each.role is not Role.READ and between.start <= start < between.end:
                return f"{binding.name} is written in between."
        if _written_by_closure(binding):
            return f"{binding.name} is also written in another function."
        if not binding.is_local and effect_between(site, between, but) >= Effect.ANY:
            return f"{binding.name} is no local variable, and what is called may change it."
    free = [e for e in site.names.within(site.tree.span(node)) if e.binding is None]
    if free and effect(site, node) >= Effect.PURE and site.family == "ruby":
        return "It calls a method."
    if effect(site, node) >= Effect.STATE and effect_between(site, between, but) >= Effect.ANY:
        return "It reads members that what is done in between may change."
    return ""


def _written_by_closure(binding: Binding) -> bool:
    """Say whether another function than its own writes a variable."""
    home = binding.scope.function
    return any(each.scope.function is not home for each in binding.writes)


def effect_between(site: Site, between: Span, but: tuple[Span, ...] = ()) -> Effect:
    """Return the strongest effect of the calls, assignments to members and so on in a stretch."""
    low, high = (site.source.byte_offset(each) for each in (between.start, between.end))
    around = site.tree.root.descendant_for_byte_range(low, max(low, high)) or site.tree.root
    for each in walk(around):
        if each.end_byte <= low or each.start_byte >= high or not each.is_named:
            continue
        if any(span.covers(site.tree.span(each)) for span in but):
            continue
        if each.start_byte < low and not holds(each, around):
            continue
        if each.type in site.shapes.calls and each.start_byte >= low:
            return Effect.ANY
        if each.type in ("await", "await_expression", "yield", "new_expression", "delete_statement",
                         "object_creation_expression", "yield_expression"):  # fmt: skip
            return Effect.ANY
        left = each.child_by_field_name("left")
        if left is not None and "assignment" in each.type and left.type in site.shapes.state:
            return Effect.ANY
        if site.family == "ruby" and each.type == "identifier" and _is_call(site, each):
            return Effect.ANY
    return Effect.CONSTANT
