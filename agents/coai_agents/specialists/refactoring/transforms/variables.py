"""Extract variable and inline variable."""

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
from coai_agents.specialists.refactoring.naming import proposed
from coai_agents.specialists.refactoring.shapes import field_of, place_of
from coai_agents.specialists.refactoring.site import (
    BRACED,
    Offer,
    RefusalError,
    Site,
    bare,
    holds,
    walk,
)
from coai_agents.syntax.tree import ancestors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from coai_agents.specialists.refactoring.names import Binding

_NO_VALUE: Final = frozenset(
    {"block", "statement_block", "argument_list", "arguments", "expression_statement", "argument",
     "parenthesized_expression", "expression_list", "pair", "keyword_argument", "spread_element",
     "list_splat", "dictionary_splat", "type", "type_identifier", "predefined_type",
     "interpolation",
     "template_substitution", "string_content", "string_fragment", "identifier", "variable_name",
     "variable_declarator", "named_expression", "literal_element", "keyed_element", "slice",
     "property_identifier", "field_identifier", "name", "attribute_list", "bracketed_argument_list",
     "string_start", "string_end", "escape_sequence", "format_specifier", "type_conversion",
     "interpolation_brace", "generator_expression", "super"}
)  # fmt: skip
"""Nodes that are no value of their own, or not worth a name."""
_LITERALS: Final = re.compile(
    r"integer|float|number|literal|string|true|false|none|nil|null|symbol"
)


def is_value(site: Site, node: Node) -> bool:
    """Say whether a node is an expression that can be given a name."""
    shapes = site.shapes
    known = shapes.pure | shapes.state | shapes.fresh | shapes.calls
    extra = ("await", "await_expression", "new_expression", "object_creation_expression",
             "dictionary_comprehension")  # fmt: skip
    if node.type in _NO_VALUE or node.type not in (*known, *extra) or not node.is_named:
        return False
    place = place_of(node)
    if field_of(node) in ("left", "name", "type", "field", "property", "attribute", "alias", "key"):
        binary = place.split(".")[0] in ("binary_operator", "binary_expression", "binary",
                                         "boolean_operator", "comparison_operator")  # fmt: skip
        if not (field_of(node) == "left" and binary):
            return False
    if field_of(node) in ("function", "method", "constructor") and node.type in shapes.state:
        return False
    above = node.parent
    return above is not None and above.type not in (
        "concatenated_string", "assignment_pattern", "import_statement", "decorator",
        "update_expression", "delete_statement", "del_statement", "unset_statement",
    )  # fmt: skip


def extract_variable(site: Site) -> Iterator[Offer]:
    """Give an expression a name; first where it stands, then wherever it stands equally."""
    node = _selected(site)
    statement = site.statement(node)
    loose = _braceless(site, node)
    if loose is not None:
        statement = loose
    if statement is None or statement.parent is None:
        raise RefusalError("It stands in no statement before which a variable could be declared.")
    _may_move(site, node, statement)
    name = proposed(site, node)
    declared = _declaration(site, node, name)
    written = f"${name}" if site.family == "php" else name
    others = [] if loose is not None else _equal(site, node, statement)
    yield Offer(
        f"Extract variable {name}",
        _with(site, [node], statement, declared, written, braces=loose is not None),
        (name,),
    )
    if others:
        places = [node, *others]
        yield Offer(
            f"Extract variable {name}, at all {len(places)} places",
            _with(site, places, statement, declared, written, braces=False),
            (name,),
        )


def _selected(site: Site) -> Node:
    """Return the expression that is selected; on a line, the value of its statement."""
    if site.lines:
        for each in site.inside(*(site.shapes.pure | site.shapes.calls | site.shapes.fresh)):
            plain = _LITERALS.search(each.type) and not each.named_child_count
            is_whole = each.parent is not None and each.parent.type == "expression_statement"
            if is_value(site, each) and not plain and not is_whole:
                return each
        raise RefusalError("No expression on these lines can be given a name.")
    span = site.trimmed
    if not len(span):
        raise RefusalError("Select the expression that is to be given a name.")
    for each in site.around():
        if site.tree.span(each) == span and is_value(site, each):
            return bare(each) if is_value(site, bare(each)) else each
        if not span.covers(site.tree.span(each)):
            break
    raise RefusalError("The selection is no whole expression.")


def _braceless(site: Site, node: Node) -> Node | None:
    """Return the only statement of an `if` or a loop without brackets that a node is in."""
    if site.family not in BRACED:
        return None
    for each in ancestors(node):
        above = each.parent
        if above is None or above.type in site.tree.grammar.containers:
            return None
        whole = ("if_statement", "else_clause", *site.shapes.loops)
        if (
            above.type in whole
            and each.type.endswith("_statement")
            and field_of(each) in ("consequence", "alternative", "body", "")
        ):
            return each if each.type != "if_statement" or field_of(each) != "alternative" else None
    return None


def _may_move(site: Site, node: Node, statement: Node) -> None:
    own = effect(site, node)
    if why := evaluated_always(site, node, statement):
        raise RefusalError(why)
    before = earlier_effect(site, node, statement)
    if before >= Effect.ANY and own > Effect.CONSTANT:
        raise RefusalError("What the statement does before would come after it.")
    if own >= Effect.ANY and before >= Effect.STATE:
        raise RefusalError("What the statement reads before would be read after it.")
    bound = [
        each.binding for each in site.names.within(site.tree.span(node)) if each.binding is not None
    ]
    inside = site.tree.span(statement)
    for each in bound:
        home = site.tree.span(each.scope.node)
        first = min((site.start(use.node) for use in each.uses if use.declares), default=0)
        local_to_node = site.tree.span(node).covers(Span(first, first)) and first != 0
        if inside.covers(home) and not local_to_node and inside != home:
            raise RefusalError(f"{each.name} exists only within the statement.")
        declared = any(use.declares and holds(statement, use.node) for use in each.uses)
        if declared and not local_to_node and first < site.start(node):
            raise RefusalError(f"{each.name} gets its value only within the statement.")
    function = site.function(node)
    if function is None and site.family in ("java", "csharp", "go"):
        raise RefusalError("It stands in no function.")
    if function is None and any(each.type in ("class_body", "class") for each in ancestors(node)):
        raise RefusalError("It stands in a class's body, not in a function.")


def _declaration(site: Site, node: Node, name: str) -> str:
    text = site.text(node)
    match site.family:
        case "javascript":
            return f"const {name} = {text};"
        case "java" | "csharp":
            if node.type in ("null_literal", "array_initializer", "lambda_expression",
                             "method_reference", "initializer_expression"):  # fmt: skip
                raise RefusalError("Its type cannot be inferred from it.")
            return f"var {name} = {text};"
        case "go":
            if node.type == "nil":
                raise RefusalError("Its type cannot be inferred from it.")
            return f"{name} := {text}"
        case "php":
            return f"${name} = {text};"
        case _:
            broken = "\n" in text and not re.match(r"[\[({\"']", text) and site.family == "python"
            return f"{name} = ({text})" if broken else f"{name} = {text}"


def _with(
    site: Site, places: list[Node], statement: Node, declared: str, name: str, *, braces: bool
) -> tuple[Edit, ...]:
    edits = [_use(site, each, name) for each in places]
    start = site.start(statement)
    indent = site.indent(start)
    if braces:
        line = site.source.line_at(start)
        own_line = not site.source.text[site.source.line_start(line) : start].strip()
        outer = indent.removesuffix(site.unit) if own_line else indent
        inner = f"{outer}{site.unit}"
        opening = "{" + f"{site.newline}{inner}{declared}{site.newline}{inner}"
        end = site.end(statement)
        closing = f"{site.newline}{outer}" + "}"
        return (Edit(Span(start, start), opening), *edits, Edit(Span(end, end), closing))
    line = site.source.line_start(site.source.line_at(start))
    if site.source.text[line:start].strip():
        # Another statement stands before it on the line.
        separator = "; " if site.family in ("python", "ruby", "go") else " "
        return (Edit(Span(start, start), f"{declared}{separator}"), *edits)
    return (Edit(Span(start, start), f"{declared}{site.newline}{indent}"), *edits)


def _use(site: Site, node: Node, name: str) -> Edit:
    above = node.parent
    span = site.tree.span(node)
    if above is not None and above.type == "parenthesized_expression" and _needless(site, above):
        span = site.tree.span(above)
    return Edit(span, name)


def _needless(site: Site, brackets: Node) -> bool:
    """Say whether brackets around a mere name have nothing else to hold."""
    above = brackets.parent
    if above is None or field_of(brackets) in ("condition", "object", "function"):
        return False
    return "\n" not in site.text(brackets) and above.type in (
        "binary_operator", "binary_expression", "boolean_operator", "comparison_operator",
        "assignment", "argument_list", "arguments", "not_operator",
    )  # fmt: skip


def _equal(site: Site, node: Node, statement: Node) -> list[Node]:
    """Return the other places, further on in the block, that have the same value for sure."""
    own = effect(site, node)
    container = statement.parent
    if own >= Effect.FRESH or container is None:
        return []
    tokens, bindings = _tokens(site, node), _bindings(site, node)
    found: list[Node] = []
    for each in walk(container):
        if each.start_byte < node.end_byte or each.type != node.type or not is_value(site, each):
            continue
        if _tokens(site, each) != tokens or _bindings(site, each) != bindings:
            continue
        between = region(site, node, each, container)
        but = tuple(site.tree.span(one) for one in (node, *found, each))
        if not disturbed(site, node, between, but):
            found.append(each)
    return found


def _tokens(site: Site, node: Node) -> list[str]:
    return [site.text(each) for each in walk(node) if not each.child_count]


def _bindings(site: Site, node: Node) -> list[Binding | None]:
    return [each.binding for each in site.names.within(site.tree.span(node))]
