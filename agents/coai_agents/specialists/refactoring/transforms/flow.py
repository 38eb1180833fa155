"""What flows into and out of selected statements: variables by value, and control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coai_agents.source import Span
from coai_agents.specialists.refactoring.names import Binding, Role, Use
from coai_agents.specialists.refactoring.site import RefusalError, Site, holds, same
from coai_agents.specialists.refactoring.transforms.control import (
    BRANCHES,
    COMMENTS,
    Selected,
    always_returns,
    awaits_within,
)
from coai_agents.syntax.tree import ancestors

if TYPE_CHECKING:
    from tree_sitter import Node


@dataclass(frozen=True, slots=True)
class Flow:
    """What the statements take, what they give, and how they end."""

    takes: tuple[Binding, ...]
    gives: tuple[Binding, ...]
    returns: bool
    """Whether they always end in a `return`."""
    awaits: bool


def selected(site: Site) -> Selected:
    """Return the statements that are selected; raises `RefusalError`."""
    span = site.trimmed
    low, high = site.source.byte_offset(span.start), site.source.byte_offset(span.end)
    containers = site.tree.grammar.containers
    for around in site.around():
        if around.type not in containers or (site.family == "ruby" and around.type == "begin"):
            continue
        inside = [
            each
            for each in around.named_children
            if each.type not in COMMENTS and low < each.end_byte and each.start_byte < high
        ]
        whole = inside and low <= inside[0].start_byte and inside[-1].end_byte <= high + 1
        if not whole:
            continue
        function = site.function(around)
        if function is None:
            raise RefusalError("The statements stand in no function.")
        return Selected(tuple(inside), around, function, _outermost(site, around))
    raise RefusalError("The selection is not made of whole statements of one block.")


def _outermost(site: Site, node: Node) -> Node:
    found = node
    for each in ancestors(node):
        if each.type in ("class_body", "class_definition", "declaration_list", "class", "module"):
            break
        if each.type in site.shapes.functions and each.type not in site.shapes.inner:
            found = each
    return found


def flow_of(site: Site, chosen: Selected) -> Flow:
    """Return what flows in and out; raises `RefusalError` where a call could not stand for it."""
    awaits = awaits_within(site, chosen)
    returns = always_returns(chosen.statements[-1])
    takes: list[Binding] = []
    gives: list[Binding] = []
    for binding in _crossing(site, chosen):
        taken, given = _directions(site, chosen, binding, returns=returns)
        if taken:
            takes.append(binding)
        if given:
            gives.append(binding)
    return Flow(tuple(takes), tuple(gives), returns, awaits)


# ----------------------------------------------------------------------- data


def _crossing(site: Site, chosen: Selected) -> list[Binding]:
    """Return the variables of the functions around that the statements use."""
    span = Span(site.source.offset_of_byte(chosen.first), site.source.offset_of_byte(chosen.last))
    found: dict[Binding, None] = {}
    for use in site.names.within(span):
        binding = use.binding
        if binding is None:
            continue
        if use.role is not Role.READ and not binding.is_local:
            raise RefusalError(f"It writes {binding.name}, which is no local variable.")
        if binding.is_local and not chosen.covers(binding.scope.node):
            found[binding] = None
    return list(found)


def _directions(
    site: Site, chosen: Selected, binding: Binding, *, returns: bool
) -> tuple[bool, bool]:
    """Return whether a variable's value flows in, and whether it flows out."""
    inside = [each for each in binding.uses if chosen.covers(each.node)]
    outside = [each for each in binding.uses if not chosen.covers(each.node)]
    written = any(each.role is not Role.READ for each in inside)
    loop = _loop(site, chosen)
    if not outside:
        if loop is not None and not _written_first(site, chosen, inside) and _by_function(site):
            raise RefusalError(f"{binding.name} keeps its value from one round to the next.")
        return False, False
    _no_closures(site, chosen, binding, inside, outside, written=written)
    taken = any(each.role is not Role.READ for each in outside) and not _written_first(
        site, chosen, inside
    )
    taken = taken and (not inside[0].declares or _by_function(site))
    later = [each for each in outside if each.node.start_byte >= chosen.last]
    round_ = [each for each in outside if loop is not None and holds(loop, each.node)]
    live = any(each.role is not Role.WRITE for each in [*later, *round_])
    live |= loop is not None and taken and not holds(loop, binding.scope.node)
    live |= bool(later) and inside[0].declares and not _by_function(site)
    given = written and live and not returns
    if given and not taken and not _definite(site, chosen, inside):
        taken = any(each.role is not Role.READ for each in outside)
        if not taken:
            raise RefusalError(f"{binding.name} gets a value on some ways only.")
    if not _by_function(site) and written and not any(each.declares for each in inside):
        # The new function has to have it declared.
        taken = True
    if taken and not _known_before(site, chosen, binding, outside):
        raise RefusalError(f"{binding.name} may have no value yet where the call would stand.")
    if given and _seen_on_failure(chosen, outside):
        raise RefusalError(f"{binding.name} is read where an error is handled.")
    return taken, given


def _by_function(site: Site) -> bool:
    """Say whether variables belong to functions, not to blocks, and need no declaration."""
    return site.family in ("python", "php", "ruby")


def _has_value(use: Use) -> bool:
    above = use.node.parent
    if above is None or above.type != "variable_declarator":
        return True
    return above.named_child_count > 1


def _no_closures(
    site: Site,
    chosen: Selected,
    binding: Binding,
    inside: list[Use],
    outside: list[Use],
    *,
    written: bool,
) -> None:
    home = chosen.function

    def in_closure(use: Use) -> bool:
        at = site.function(use.node)
        return at is not None and not same(at, home) and holds(home, at)

    outer = not same(binding.scope.function.node, home) and site.family != "ruby"
    if outer and written:
        raise RefusalError(f"{binding.name} is another function's.")
    closures = [each for each in (*inside, *outside) if in_closure(each)]
    if closures and (written or any(each.role is not Role.READ for each in closures)):
        raise RefusalError(f"{binding.name} is shared with a function within.")
    captured = [each for each in inside if in_closure(each)]
    changes = [e for e in outside if e.role is not Role.READ and e.node.start_byte >= chosen.last]
    if captured and changes:
        raise RefusalError(f"{binding.name} is shared with a function within.")


def _loop(site: Site, chosen: Selected) -> Node | None:
    """Return the outermost loop of the function around the statements."""
    found = None
    for each in ancestors(chosen.container):
        if same(each, chosen.function):
            break
        if each.type in site.shapes.loops or (
            each.type in ("block", "do_block") and site.family == "ruby"
        ):
            found = each
    return found


def _simple(site: Site, chosen: Selected, use: Use) -> Node | None:
    """Return the selected statement that a write is directly in: it is done if that is reached."""
    statement = next((each for each in chosen.statements if holds(each, use.node)), None)
    if statement is None:
        return None
    compound = (*site.shapes.loops, *site.shapes.functions, *BRANCHES, "try_statement", "begin",
                "switch_statement", "match_statement", "conditional_expression", "case",
                "ternary_expression", "boolean_operator", "if_modifier", "unless_modifier",
                "conditional", "expression_switch_statement", "switch_expression")  # fmt: skip
    for each in ancestors(use.node):
        if each.type in compound:
            return None
        if same(each, statement):
            return statement
    return None


def _written_first(site: Site, chosen: Selected, inside: list[Use]) -> bool:
    """Say whether a variable gets a value in the statements before they read it, for sure."""
    first = inside[0]
    if first.role is not Role.WRITE:
        return False
    statement = _simple(site, chosen, first)
    return statement is not None and not any(
        each.role is not Role.WRITE and holds(statement, each.node) for each in inside
    )


def _definite(site: Site, chosen: Selected, inside: list[Use]) -> bool:
    return any(e.role is not Role.READ and _simple(site, chosen, e) is not None for e in inside)


def _known_before(site: Site, chosen: Selected, binding: Binding, outside: list[Use]) -> bool:
    """Say whether a variable has a value for sure where the statements begin."""
    if binding.parameter or site.family in ("javascript", "go"):
        return True
    if not _by_function(site):
        # What is declared without a value may have none yet, and is none to hand over.
        return all(_has_value(each) for each in outside if each.declares)
    for each in outside:
        if each.role is Role.READ or each.node.start_byte >= chosen.first:
            continue
        statement = site.statement(each.node)
        if statement is None:
            continue
        if holds(statement, chosen.container):
            return True
        container = statement.parent
        simple = statement.type not in ("if_statement", "try_statement", *site.shapes.loops,
                                        "if", "unless", "begin", "match_statement")  # fmt: skip
        if simple and container is not None and holds(container, chosen.container):
            return True
    return False


def _seen_on_failure(chosen: Selected, outside: list[Use]) -> bool:
    for each in ancestors(chosen.container):
        if each.type in (
            "try_statement",
            "begin",
            "try_with_resources_statement",
            "with_statement",
        ):
            handled = [use for use in outside if holds(each, use.node)]
            if any(use.role is not Role.WRITE and not chosen.covers(use.node) for use in handled):
                return True
        if same(each, chosen.function):
            break
    return False
