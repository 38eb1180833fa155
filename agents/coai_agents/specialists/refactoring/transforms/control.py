"""Control flow of selected statements: whether a call could stand for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.refactoring.site import RefusalError, Site
from coai_agents.syntax.tree import ancestors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

COMMENTS: Final = frozenset({"comment", "line_comment", "block_comment"})
_RETURNS: Final = frozenset({"return_statement", "return"})
_THROWS: Final = frozenset({"raise_statement", "throw_statement", "throw_expression"})
_YIELDS: Final = frozenset({"yield", "yield_expression", "yield_statement"})
_AWAITS: Final = frozenset({"await", "await_expression"})
BRANCHES: Final = frozenset({"if_statement", "if", "unless"})
_FORBIDDEN: Final = {
    "nonlocal_statement": "It says where names belong, which a new function would not know.",
    "global_statement": "It says where names belong, which a new function would not know.",
    "defer_statement": "What is deferred would be done at the end of the new function.",
    "goto_statement": "It jumps.",
    "labeled_statement": "It has a label.",
    "super": "It calls what the class inherits.",
    "delete_statement": "It deletes a name.",
    "unset_statement": "It deletes a variable.",
    "fallthrough_statement": "It falls through to another case.",
    "static_variable_declaration": "It keeps a value from call to call.",
    "global_declaration": "It says where names belong, which a new function would not know.",
    "retry": "It jumps.",
    "redo": "It jumps.",
}


@dataclass(frozen=True, slots=True)
class Selected:
    """Statements one after the other in one block of one function."""

    statements: tuple[Node, ...]
    container: Node
    function: Node
    outermost: Node
    """The outermost function around them within the same class."""

    @property
    def first(self) -> int:
        """The byte that they begin at."""
        return self.statements[0].start_byte

    @property
    def last(self) -> int:
        """The byte that they end at."""
        return self.statements[-1].end_byte

    def covers(self, node: Node) -> bool:
        """Say whether a node stands in them."""
        return self.first <= node.start_byte and node.end_byte <= self.last


def own_nodes(site: Site, roots: Sequence[Node]) -> Iterator[Node]:
    """Yield the nodes of statements, without those of functions within."""
    waiting = list(reversed(roots))
    while waiting:
        node = waiting.pop()
        yield node
        nested = node.type in site.shapes.functions and node.type not in site.shapes.inner
        if not nested:
            waiting.extend(reversed(node.children))


def awaits_within(site: Site, chosen: Selected) -> bool:
    """Refuse what leaves the statements other than at their end; say whether they await."""
    awaits = False
    ends = always_returns(chosen.statements[-1])
    for node in own_nodes(site, chosen.statements):
        if not node.is_named and node.type not in ("async", "await"):
            continue
        if why := _FORBIDDEN.get(node.type):
            raise RefusalError(why)
        if node.type in _RETURNS and not ends:
            raise RefusalError("It returns on some of its ways only.")
        if node.type in _YIELDS:
            raise RefusalError("It yields, and so would make the new function a generator.")
        if node.type in ("break_statement", "continue_statement", "break", "next"):
            _stays(site, chosen, node)
        if (
            node.type == "identifier"
            and site.text(node) == "arguments"
            and site.family == "javascript"
        ):
            raise RefusalError("It reads `arguments`.")
        awaits |= node.type in _AWAITS or (node.type == "async" and not node.is_named)
        awaits |= node.type == "await" and not node.is_named
    if awaits and site.family not in ("python", "javascript"):
        raise RefusalError("It awaits, and the new function's type is not known.")
    return awaits


def _stays(site: Site, chosen: Selected, jump: Node) -> None:
    targets = set(site.shapes.loops)
    if jump.type in ("break_statement", "break"):
        targets |= {"switch_statement", "switch_expression", "expression_switch_statement",
                    "type_switch_statement", "select_statement"}  # fmt: skip
    if site.family == "ruby":
        targets |= {"block", "do_block"}
    if any(each.type not in COMMENTS for each in jump.named_children):
        raise RefusalError("It jumps out of more than one loop.")
    for each in ancestors(jump):
        if each.type in targets:
            if not chosen.covers(each):
                break
            return
    raise RefusalError("It jumps to what is not selected.")


def always_returns(statement: Node) -> bool:
    """Say whether a statement ends its function on every way, and by returning on some."""
    kind = statement.type
    if kind in _RETURNS:
        return True
    if kind not in BRANCHES:
        return False
    branches = _branches(statement)
    return (
        len(branches) > 1
        and all(each and _leaves(each) for each in branches)
        and any(each and always_returns(each) for each in branches)
    )


def _leaves(statement: Node) -> bool:
    return statement.type in _THROWS or always_returns(statement)


def _branches(node: Node) -> list[Node | None]:
    """Return the last statement of each branch; a single one where there is no `else`."""
    found: list[Node | None] = []
    consequence = node.child_by_field_name("consequence") or node.child_by_field_name("body")
    found.append(_last(consequence))
    for other in node.children_by_field_name("alternative"):
        if other.type in ("elif_clause", "elsif", "else_if_clause"):
            found.append(
                _last(other.child_by_field_name("consequence") or other.child_by_field_name("body"))
            )
            nested = other.child_by_field_name("alternative")
            if nested is not None:
                found.append(_last(nested))
            elif other.type == "elsif":
                return found[:1]
        elif other.type in BRANCHES:
            found.append(other)
        else:
            found.append(_last(other))
    kinds = [each.type for each in node.children_by_field_name("alternative")]
    return found[:1] if kinds and kinds[-1] in ("elif_clause", "else_if_clause") else found


def _last(block: Node | None) -> Node | None:
    while block is not None and (
        block.type in ("else_clause", "block", "statement_block", "compound_statement", "then",
                       "else", "statement_list")
    ):  # fmt: skip
        inner = [each for each in block.named_children if each.type not in COMMENTS]
        block = inner[-1] if inner else None
    return block
