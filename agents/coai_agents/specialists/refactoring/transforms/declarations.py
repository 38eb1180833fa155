"""Declarations split and joined."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.source import Edit, Span
from coai_agents.specialists.refactoring.effects import Effect, effect, reads
from coai_agents.specialists.refactoring.site import (
    ENDED,
    Offer,
    RefusalError,
    Site,
    same,
    walk,
)
from coai_agents.specialists.refactoring.transforms.choices import end_of, given

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

_COMMENTS = frozenset({"comment", "line_comment", "block_comment"})


# --------------------------------------------------------- split and join


def split_declaration(site: Site) -> Iterator[Offer]:
    """Split a declaration: of several variables into one each, of one into name and value."""
    for node in site.nearest("lexical_declaration", "variable_declaration", "assignment",
                             "local_variable_declaration", "local_declaration_statement",
                             "var_declaration", "short_var_declaration"):  # fmt: skip
        if node.type == "assignment":
            if site.family not in ("python", "ruby"):
                continue
            yield _split_tuple(site, node)
            return
        if node.type == "short_var_declaration":
            yield _split_tuple(site, node)
            return
        holder = node
        if node.type == "local_declaration_statement":
            holder = next(
                each for each in node.named_children if each.type == "variable_declaration"
            )
        elif node.type == "variable_declaration" and site.family == "csharp":
            holder, node = node, node.parent or node  # noqa: PLW2901 - the statement it is in
        statement = site.statement(node)
        if not same(statement, node):
            raise RefusalError("It is a part of another statement.")
        yield _split_declarators(site, node, holder)
        return
    raise RefusalError("There is no declaration here that could be split.")


def _split_declarators(site: Site, node: Node, holder: Node) -> Offer:
    declarators = [
        each for each in holder.named_children if each.type in ("variable_declarator", "var_spec")
    ]
    if not declarators:
        raise RefusalError("There is no declaration here that could be split.")
    prefix = site.source.text[site.start(node) : site.start(declarators[0])]
    indent = site.indent(site.start(node))
    mark = ";" if site.family in ENDED else ""
    joint = f"{mark}{site.newline}{indent}"
    if len(declarators) > 1:
        if site.family == "go" or any(each.type in _COMMENTS for each in holder.named_children):
            raise RefusalError("Its parts stand apart already, or have comments.")
        text = joint.join(f"{prefix}{site.text(each)}" for each in declarators) + mark
        return Offer("Split declaration", (Edit(Span(site.start(node), end_of(site, node)), text),))
    (only,) = declarators
    name = only.child_by_field_name("name")
    value = only.child_by_field_name("value")
    if value is None and site.family == "csharp" and only.named_child_count > 1:
        value = only.named_children[-1]
    if name is None or value is None or name.type not in ("identifier", "variable_name"):
        raise RefusalError("It gives no variable a value.")
    if prefix.split()[0] in ("const", "final", "readonly", "using") or (
        "var " in f"{prefix} " and site.family in ("java", "csharp")
    ):
        raise RefusalError("Such a declaration has to have its value.")
    if value.type in ("array_initializer", "initializer_expression"):
        raise RefusalError("Its value cannot stand alone.")
    kind = site.text(only.child_by_field_name("type"))
    if site.family == "go" and not kind:
        raise RefusalError("Its type is not written.")
    typed = f" {kind}" if site.family == "go" else kind
    text = f"{prefix}{site.text(name)}{typed}{joint}{site.text(name)} = {site.text(value)}{mark}"
    return Offer(
        "Split declaration and assignment",
        (Edit(Span(site.start(node), end_of(site, node)), text),),
    )


def _split_tuple(site: Site, node: Node) -> Offer:
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    typed = node.child_by_field_name("type")
    indent, newline = site.indent(site.start(node)), site.newline
    if typed is not None and left is not None and right is not None:
        name = site.text(left)
        text = f"{name}: {site.text(typed)}{newline}{indent}{name} = {site.text(right)}"
        return Offer("Split declaration and assignment", (site.replaced(node, text),))
    lists = (
        "pattern_list",
        "expression_list",
        "left_assignment_list",
        "right_assignment_list",
        "tuple",
    )
    if left is None or right is None or left.type not in lists or right.type not in lists:
        raise RefusalError("It assigns one value.")
    names, values = left.named_children, right.named_children
    if len(names) != len(values) or any(each.type != "identifier" for each in names):
        raise RefusalError("Its names and values do not stand side by side.")
    if any("splat" in each.type for each in values):
        raise RefusalError("Its names and values do not stand side by side.")
    for at, value in enumerate(values[1:], 1):
        read = {binding.name for binding in reads(site, value)}
        if read & {site.text(each) for each in names[:at]} or effect(site, value) >= Effect.ANY:
            raise RefusalError("A value needs what the names were before.")
    if effect(site, values[0]) >= Effect.ANY and any(
        effect(site, e) > Effect.CONSTANT for e in values[1:]
    ):
        raise RefusalError("The order of what is evaluated would change.")
    sign = ":=" if node.type == "short_var_declaration" else "="
    if sign == ":=" and any(
        use is not None
        and use.binding is not None
        and len([w for w in use.binding.writes if w.declares]) > 1
        for use in (site.names.at(site.start(each)) for each in names)
    ):
        raise RefusalError("Some of its names are declared before.")
    lines = [f"{site.text(n)} {sign} {site.text(v)}" for n, v in zip(names, values, strict=True)]
    return Offer("Split declaration", (site.replaced(node, f"{newline}{indent}".join(lines)),))


def join_declaration(site: Site) -> Iterator[Offer]:
    """Join a declaration without a value and the assignment right below it."""
    for node in site.nearest("lexical_declaration", "variable_declaration", "expression_statement",
                             "local_variable_declaration", "local_declaration_statement",
                             "var_declaration"):  # fmt: skip
        statement = site.statement(node)
        if statement is None or not same(statement, node):
            continue
        below = statement.next_named_sibling
        name = _declared_alone(site, statement)
        if name is None:
            continue
        assigned = (
            None if below is None or below.type in _COMMENTS else given(site, _only_of(below))
        )
        if below is None or assigned is None or assigned[0] != f"{name} = ":
            raise RefusalError(f"{name} is not given its value right below.")
        if name in {binding.name for binding in reads(site, assigned[1])}:
            raise RefusalError(f"Its value needs {name} itself.")
        end = site.end(statement)
        text = site.source.text[site.start(statement) : end].rstrip(";").rstrip()
        if site.family == "javascript" and text.startswith("const"):
            raise RefusalError("It has its value.")
        joined = f"{text} = {site.text(assigned[1])}{';' if site.family in ENDED else ''}"
        span = Span(site.start(statement), end_of(site, below))
        yield Offer("Join declaration and assignment", (Edit(span, joined),))
        return
    raise RefusalError("There is no declaration without a value here.")


def _only_of(statement: Node) -> Node:
    inner = statement.named_children
    return inner[0] if statement.type == "expression_statement" and len(inner) == 1 else statement


def _declared_alone(site: Site, statement: Node) -> str | None:
    """Return the only name of a declaration without a value."""
    if site.family == "python":
        inner = statement.named_children
        if len(inner) != 1 or inner[0].type != "assignment":
            return None
        only = inner[0]
        if (
            only.child_by_field_name("right") is not None
            or only.child_by_field_name("type") is None
        ):
            return None
        return site.text(only.child_by_field_name("left"))
    found = [each for each in walk(statement) if each.type in ("variable_declarator", "var_spec")]
    if len(found) != 1:
        return None
    name = found[0].child_by_field_name("name")
    has = found[0].child_by_field_name("value") is not None
    if site.family == "csharp":
        has = found[0].named_child_count > 1
    return None if has or name is None or name.type != "identifier" else site.text(name)
