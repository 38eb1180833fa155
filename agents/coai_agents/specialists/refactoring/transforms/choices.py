"""Conditional expressions into statements and back; declarations split and joined."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.source import Edit, Span
from coai_agents.specialists.refactoring.effects import Effect, effect
from coai_agents.specialists.refactoring.site import (
    ENDED,
    Offer,
    RefusalError,
    Site,
    same,
    walk,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

_COMMENTS = frozenset({"comment", "line_comment", "block_comment"})
_TERNARIES = ("conditional_expression", "ternary_expression", "conditional")


def _parts(site: Site, node: Node) -> tuple[Node, Node, Node]:
    """Return condition, consequence and alternative of a conditional expression."""
    condition = node.child_by_field_name("condition")
    one = node.child_by_field_name("consequence") or node.child_by_field_name("body")
    other = node.child_by_field_name("alternative")
    named = [each for each in node.named_children if each.type not in _COMMENTS]
    if site.family == "python" and len(named) == 3:  # noqa: PLR2004 - value, condition, value
        return named[1], named[0], named[2]
    if condition is None or one is None or other is None:
        raise RefusalError("It leaves one of its values out.")
    return condition, one, other


def to_if(site: Site) -> Iterator[Offer]:
    """Write a conditional expression that is all of a statement's value as an `if`."""
    if site.family == "go":
        raise RefusalError("Go has no conditional expressions.")
    for node in site.nearest(*_TERNARIES):
        statement = site.statement(node)
        head = None if statement is None else _head(site, node, statement)
        if statement is None or head is None:
            continue
        condition, one, other = _parts(site, node)
        yield Offer(
            "Replace with if",
            (_as_if(site, statement, (condition, one, other), head),),
        )
        return
    raise RefusalError("No conditional expression here is all of what is assigned or returned.")


def _head(site: Site, node: Node, statement: Node) -> tuple[str, str, str] | None:
    """Return what stands before the value, what is declared first, and what ends the statement."""
    above, at = node.parent, node
    while above is not None and above.type in ("parenthesized_expression", "argument_list"):
        above, at = above.parent, above
    if above is None:
        return None
    mark = ";" if site.family in ENDED else ""
    if above.type in ("return_statement", "return") and above.id == statement.id:
        return "return ", "", mark
    if above.type in ("assignment", "assignment_expression"):
        left = above.child_by_field_name("left")
        holder = above.parent
        alone = same(above, statement) or (
            holder is not None and holder.type == "expression_statement" and same(holder, statement)
        )
        right = above.child_by_field_name("right")
        if left is None or not alone or not same(right, at):
            return None
        if effect(site, left) > Effect.STATE or (
            effect(site, left) > Effect.PURE and site.family != "python"
        ):
            return None
        if above.child_by_field_name("type") is not None:
            return (
                f"{site.text(left)} = ",
                f"{site.text(left)}: {site.text(above.child_by_field_name('type'))}",
                mark,
            )
        return f"{site.text(left)} = ", "", mark
    if above.type == "variable_declarator":
        return _declared_head(site, above, statement, mark)
    return None


def _declared_head(
    site: Site, declarator: Node, statement: Node, mark: str
) -> tuple[str, str, str] | None:
    name = declarator.child_by_field_name("name")
    holder = declarator.parent
    if name is None or holder is None or name.type != "identifier":
        return None
    if sum(each.type == "variable_declarator" for each in holder.named_children) > 1:
        return None
    if site.family == "javascript":
        kind = "var" if holder.type == "variable_declaration" else "let"
        typed = site.text(declarator.child_by_field_name("type"))
        if statement.type == "export_statement":
            return None
        return f"{site.text(name)} = ", f"{kind} {site.text(name)}{typed}", mark
    kind = holder.child_by_field_name("type")
    if kind is None or site.text(kind) == "var" or statement.type == "field_declaration":
        return None
    if "final" in site.text(statement).split():
        return f"{site.text(name)} = ", f"final {site.text(kind)} {site.text(name)}", mark
    return f"{site.text(name)} = ", f"{site.text(kind)} {site.text(name)}", mark


def _as_if(
    site: Site,
    statement: Node,
    parts: tuple[Node, Node, Node],
    head: tuple[str, str, str],
) -> Edit:
    before, declared, mark = head
    start = site.start(statement)
    line = site.source.line_start(site.source.line_at(start))
    if site.source.text[line:start].strip():
        raise RefusalError("Its statement does not begin on a line of its own.")
    outer, newline = site.indent(start), site.newline
    inner = f"{outer}{site.unit}"
    condition, one, other = (site.text(each) for each in parts)
    if any("\n" in each for each in (condition, one, other)):
        raise RefusalError("It goes over several lines.")
    first = [f"{declared}{mark}"] if declared else []
    bare_condition = condition
    if parts[0].type == "parenthesized_expression":
        bare_condition = condition[1:-1]
    match site.family:
        case "python":
            lines = [
                f"if {bare_condition}:",
                f"{inner}{before}{one}",
                f"{outer}else:",
                f"{inner}{before}{other}",
            ]
        case "ruby":
            lines = [
                f"if {bare_condition}",
                f"{inner}{before}{one}",
                f"{outer}else",
                f"{inner}{before}{other}",
                f"{outer}end",
            ]
        case _:
            lines = [f"if ({bare_condition}) {{", f"{inner}{before}{one}{mark}",
                     f"{outer}}} else {{",
                     f"{inner}{before}{other}{mark}", f"{outer}}}"]  # fmt: skip
    if first:
        lines = [*first, f"{outer}{lines[0]}", *lines[1:]]
    return Edit(Span(start, end_of(site, statement)), newline.join(lines))


def end_of(site: Site, statement: Node) -> int:
    """Return where a statement ends, with its semicolon."""
    end = site.end(statement)
    if site.family in ENDED and site.source.text[end : end + 1] == ";":
        end += 1
    return end


def to_ternary(site: Site) -> Iterator[Offer]:
    """Write an `if` whose branches give one thing two values as a conditional expression."""
    if site.family == "go":
        raise RefusalError("Go has no conditional expressions.")
    node = next(site.nearest("if_statement", "if"), None)
    if node is None:
        raise RefusalError("There is no `if` here.")
    condition = node.child_by_field_name("condition")
    consequence = node.child_by_field_name("consequence") or node.child_by_field_name("body")
    alternatives = node.children_by_field_name("alternative")
    if condition is None or consequence is None or len(alternatives) != 1:
        raise RefusalError("It has not just two branches.")
    if node.parent is not None and node.parent.type in ("else_clause", "if_statement", "else"):
        raise RefusalError("It is another condition's `else`.")
    one, other = _only(consequence), _only(alternatives[0])
    first, second = given(site, one), given(site, other)
    if first is None or second is None or first[0] != second[0]:
        raise RefusalError("Its branches do not give one thing two values.")
    if any(each.type in _COMMENTS for each in walk(node)):
        raise RefusalError("Its comments would be lost.")
    values = [_value(site, each[1]) for each in (first, second)]
    test = site.text(condition)
    mark = ";" if site.family in ENDED else ""
    if site.family == "python":
        text = f"{values[0]} if {test} else {values[1]}"
    else:
        inner = test[1:-1] if condition.type == "parenthesized_expression" else test
        loose = any(word in inner for word in (" = ", "?", " and ", " or "))
        text = f"{f'({inner})' if loose else inner} ? {values[0]} : {values[1]}"
        if site.family == "ruby" and re_word_end(inner):
            text = f"({inner}) ? {values[0]} : {values[1]}"
    if any("\n" in each for each in (test, *values)):
        raise RefusalError("It goes over several lines.")
    yield Offer(
        "Replace with a conditional expression", (site.replaced(node, f"{first[0]}{text}{mark}"),)
    )


def re_word_end(text: str) -> bool:
    """Say whether Ruby would read the `?` after a condition as the end of a method's name."""
    return not text[-1:].isalnum()


def _only(branch: Node) -> Node | None:
    """Return the one statement of a branch."""
    at = branch
    while at.type in ("else_clause", "block", "statement_block", "compound_statement", "then",
                      "else", "expression_statement"):  # fmt: skip
        inner = [each for each in at.named_children if each.type not in _COMMENTS]
        if len(inner) != 1:
            return None
        at = inner[0]
    return at


def given(site: Site, statement: Node | None) -> tuple[str, Node] | None:
    """Return what a statement gives a value to, and the value."""
    if statement is None:
        return None
    if statement.type in ("return_statement", "return"):
        values = [each for each in statement.named_children if each.type not in _COMMENTS]
        if (
            len(values) == 1
            and values[0].type == "argument_list"
            and values[0].named_child_count == 1
        ):
            values = [values[0].named_children[0]]
        return ("return ", values[0]) if len(values) == 1 else None
    if statement.type in ("assignment", "assignment_expression", "assignment_statement"):
        left, right = statement.child_by_field_name("left"), statement.child_by_field_name("right")
        left, right = _alone(left), _alone(right)
        sign = statement.child_by_field_name("operator")
        plain = sign is None or site.text(sign) == "="
        if (
            left is None
            or right is None
            or not plain
            or right.type in ("assignment", "assignment_expression")
        ):
            return None
        if effect(site, left) > Effect.STATE or (
            effect(site, left) > Effect.PURE and site.family != "python"
        ):
            return None
        if statement.child_by_field_name("type") is not None:
            return None
        return f"{site.text(left)} = ", right
    return None


def _alone(node: Node | None) -> Node | None:
    """Return the only part of one of Go's lists."""
    one = node is not None and node.type == "expression_list" and node.named_child_count == 1
    return node.named_children[0] if node is not None and one else node


def _value(site: Site, node: Node) -> str:
    text = site.text(node)
    loose = node.type in (*_TERNARIES, "expression_list", "lambda", "named_expression",
                          "assignment_expression", "arrow_function", "sequence_expression", "yield",
                          "right_assignment_list")  # fmt: skip
    return f"({text})" if loose else text
