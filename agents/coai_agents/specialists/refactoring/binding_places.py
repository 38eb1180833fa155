"""What a name at a place does, where the tables of `shapes.toml` cannot say it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.specialists.refactoring.shapes import field_of
from coai_agents.syntax.tree import ancestors

if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Node


def evaluated_outside(node: Node) -> Node | None:
    """Return the child that Python evaluates in the scope around: a default, the first iterable."""
    if node.type in ("default_parameter", "typed_default_parameter"):
        return node.child_by_field_name("value")
    if node.type == "for_in_clause" and node.parent is not None:
        first = next(each for each in node.parent.children if each.type == "for_in_clause")
        return node.child_by_field_name("right") if first.id == node.id else None
    return None


def _by_keyword(_node: Node, _at: Node, above: Node) -> str:
    """Tell JavaScript's `var`, which a function has, from `let` and `const`."""
    declaration = above.parent
    is_var = declaration is not None and declaration.type == "variable_declaration"
    return "function" if is_var else "here"


def _in_for(_node: Node, _at: Node, above: Node) -> str:
    kind = above.child_by_field_name("kind")
    return "write" if kind is None else "function" if kind.type == "var" else "here"


def _in_range(_node: Node, _at: Node, above: Node) -> str:
    return "here" if any(each.type == ":=" for each in above.children) else "write"


def _in_foreach(_node: Node, at: Node, above: Node) -> str:
    return "read" if above.named_children[0].id == at.id else "function"


def _behind_as(node: Node, at: Node, _above: Node) -> str:
    bound = any(each.type == "as_pattern_target" for each in ancestors(node))
    return "function" if bound and at.id != node.id else "read"


def _captured(node: Node, _at: Node, _above: Node) -> str:
    is_dotted = node.parent is not None and node.parent.named_child_count > 1
    return "read" if is_dotted else "function"


def _counted(_node: Node, _at: Node, above: Node) -> str:
    return "both" if any(each.type in ("++", "--") for each in above.children) else "read"


def _unless_plain(_node: Node, _at: Node, assignment: Node) -> str:
    """Return whether an assignment also reads what it writes, as `+=` does."""
    operator = assignment.child_by_field_name("operator")
    return "write" if operator is None or operator.type == "=" else "both"


def csharp_member(node: Node, above: Node, place: str) -> bool:
    """Say whether a name of C# is a type's, or a member's in an initializer."""
    if field_of(node) in ("type", "returns"):
        return True
    if place == "assignment_expression.left" and above.parent is not None:
        return above.parent.type == "initializer_expression"
    return above.type in ("type_argument_list", "base_list", "nullable_type", "array_type")


def go_member(above: Node) -> bool:
    """Say whether a name is a field's in a struct's literal."""
    if above.type != "literal_element" or field_of(above) != "key":
        return False
    literal = next((each for each in ancestors(above) if each.type == "composite_literal"), None)
    kind = None if literal is None else literal.child_by_field_name("type")
    return kind is None or kind.type not in ("map_type", "slice_type", "array_type")


SPECIAL: Final[dict[tuple[str, str], Callable[[Node, Node, Node], str]]] = {
    ("javascript", "variable_declarator.name"): _by_keyword,
    ("javascript", "for_in_statement.left"): _in_for,
    ("java", "spread_parameter."): lambda _node, _at, _above: "here",
    ("java", "assignment_expression.left"): _unless_plain,
    ("csharp", "assignment_expression.left"): _unless_plain,
    ("go", "assignment_statement.left"): _unless_plain,
    ("go", "range_clause.left"): _in_range,
    ("php", "foreach_statement."): _in_foreach,
    ("python", "with_item.value"): _behind_as,
    ("python", "except_clause.value"): _behind_as,
    ("python", "except_group_clause.value"): _behind_as,
    ("python", "case_pattern."): _captured,
    ("python", "keyword_pattern."): _captured,
    ("csharp", "prefix_unary_expression."): _counted,
    ("csharp", "postfix_unary_expression."): _counted,
}
"""What the tables of places cannot say: what a name there is, by the nodes around it."""
