"""What a file defines: functions, classes and so on, with their signatures and documentation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from coai_agents.source import Span
from coai_agents.syntax.language import Kind
from coai_agents.syntax.places import enclosing_nodes
from coai_agents.syntax.repair import repaired
from coai_agents.syntax.tree import ancestors

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.syntax.grammars import Grammar
    from coai_agents.syntax.language import Definitions
    from coai_agents.syntax.tree import SyntaxTree

FUNCTIONS = frozenset({Kind.FUNCTION, Kind.METHOD})
CLASSES = frozenset({Kind.CLASS, Kind.INTERFACE, Kind.ENUM, Kind.IMPLEMENTATION})


@dataclass(frozen=True, slots=True)
class Definition:
    """Something that a file defines."""

    kind: Kind
    name: str
    """Its name, or nothing for a function without one."""
    container: str
    """The names of what it is defined in, joined by dots."""
    depth: int
    """In how many other definitions it stands."""
    span: Span
    """All of it, with decorators and `export`, without documentation above it."""
    signature: Span
    """What stands before the body; of what has no body, the first line."""
    body: Span | None
    """The body, with its brackets where it has any."""
    documentation: Span | None
    """The comments right above it, or the string that its body begins with."""

    @property
    def qualified_name(self) -> str:
        """The name with what it is defined in."""
        return f"{self.container}.{self.name}" if self.container else self.name

    @property
    def full_span(self) -> Span:
        """The span with the documentation above it."""
        if self.documentation is None or self.documentation.start >= self.span.start:
            return self.span
        return Span(self.documentation.start, self.span.end)


@dataclass(frozen=True, slots=True)
class _Defined:
    """A node that defines something, before what it stands in is known."""

    node: Node
    kind: Kind
    name: str
    value: Node | None


def outline(tree: SyntaxTree) -> tuple[Definition, ...]:
    """Return what a file defines, in the order of the text; local variables are left out."""
    from tree_sitter import QueryCursor  # noqa: PLC0415 - native code, loaded on first use

    cursor = QueryCursor(tree.grammar.definition_query)
    nodes = cursor.captures(tree.root).get("definition", [])
    nodes.sort(key=lambda node: (node.start_byte, -node.end_byte))
    return tuple(found for found in _nested(tree, nodes) if found.name)


def definitions(tree: SyntaxTree) -> dict[str, tuple[Definition, ...]]:
    """Return a file's definitions by name; a name may be defined more than once."""
    by_name: dict[str, tuple[Definition, ...]] = {}
    for definition in outline(tree):
        by_name[definition.name] = (*by_name.get(definition.name, ()), definition)
    return by_name


def enclosing_function(tree: SyntaxTree, offset: int) -> Definition | None:
    """Return the innermost function around an offset, or None if it is in none.

    The signature belongs to the function. One that the document does not close ends at the offset.
    """
    whole = repaired(tree, offset)
    nodes = enclosing_nodes(whole.tree, offset, tree.grammar.definitions)
    for found in reversed(_nested(whole.tree, list(reversed(nodes)))):
        if found.kind in FUNCTIONS:
            return replace(
                found,
                span=whole.original(found.span),
                signature=whole.original(found.signature),
                body=None if found.body is None else whole.original(found.body),
                documentation=(
                    None if found.documentation is None else whole.original(found.documentation)
                ),
            )
    return None


def definitions_around(tree: SyntaxTree, offset: int) -> list[Definition]:
    """Return the definitions that hold the character after an offset, outer ones first."""
    known = tree.grammar.definitions
    nodes = [node for node in ancestors(tree.leaf_after(offset)) if node.type in known]
    return _nested(tree, list(reversed(nodes)))


def _nested(tree: SyntaxTree, nodes: list[Node]) -> list[Definition]:
    """Turn nodes in the order of the text, outer ones first, into definitions."""
    found: list[Definition] = []
    around: list[tuple[Definition, Node]] = []
    values: set[int] = set()
    for node in nodes:
        # What a name is given is defined by that name already.
        defined = None if node.id in values else _defined(tree, node)
        if defined is None:
            continue
        while around and around[-1][1].end_byte <= node.start_byte:
            around.pop()
        local = any(outer.kind in FUNCTIONS for outer, _ in around)
        if local and defined.kind in (Kind.VARIABLE, Kind.FIELD):
            continue
        if defined.value is not None:
            values.add(defined.value.id)
        definition = _definition(tree, defined, [outer for outer, _ in around])
        found.append(definition)
        around.append((definition, node))
    return found


def _defined(tree: SyntaxTree, node: Node) -> _Defined | None:
    """Read a node by what its language's file says of it; None if it defines nothing."""
    rule = tree.grammar.definitions[node.type]
    kind = rule.kind
    name, met = _name(tree, node, rule)
    if rule.name and (name is None or (rule.names and name.type not in rule.names)):
        name_text = None
    else:
        name_text = "" if name is None else tree.text(name).strip("\"'`")
    value = node.child_by_field_name(rule.value) if rule.value else None
    if value is not None:
        met.append(value)
    for each in met:
        kind = rule.kinds.get(each.type, kind)
    if rule.with_body and _body(tree.grammar, node, None) is None:
        return None
    if kind is None or name_text is None:
        return None
    if value is not None and value.type not in rule.kinds:
        value = None
    return _Defined(node, kind, name_text, value)


def _name(tree: SyntaxTree, node: Node, rule: Definitions) -> tuple[Node | None, list[Node]]:
    """Follow the path to a name; also return the nodes on the way."""
    met: list[Node] = []
    at = node
    for step in rule.name:
        again = True
        while again:
            child = _step(tree.grammar, at, step.rstrip("?*"))
            again = child is not None and step.endswith("*")
            if child is None and not step.endswith(("?", "*")):
                return None, met
            if child is not None:
                met.append(child)
                at = child
    return (at if met else None), met


def _step(grammar: Grammar, node: Node, field: str) -> Node | None:
    if field == "0":
        return node.named_children[0] if node.named_child_count else None
    child = node.child_by_field_name(field)
    if child is None and node.type in grammar.transparent and node.named_child_count:
        return node.named_children[-1]
    return child


def _body(grammar: Grammar, node: Node, value: Node | None) -> Node | None:
    """Find the body: a field of that name, or the first block, of the node or its value."""
    for owner in (node, value):
        if owner is None:
            continue
        body = owner.child_by_field_name("body")
        if body is None:
            blocks = (each for each in owner.children if each.is_named)
            body = next((each for each in blocks if each.type in grammar.blocks), None)
        if body is not None:
            return body
    return None


def _definition(tree: SyntaxTree, defined: _Defined, around: list[Definition]) -> Definition:
    kind = defined.kind
    if around and around[-1].kind in CLASSES:
        kind = {Kind.FUNCTION: Kind.METHOD, Kind.VARIABLE: Kind.FIELD}.get(kind, kind)
    outermost = _wrapped(tree.grammar, defined.node)
    span = tree.span(outermost)
    body = _body(tree.grammar, defined.node, defined.value)
    first, within = _extent(tree, defined.node, body)
    if first is not None:
        signature = _end_before(tree, first)
    elif kind in (Kind.VARIABLE, Kind.FIELD):
        signature = min(span.end, tree.source.line_end(tree.source.line_at(span.start)))
    else:
        signature = span.end
    return Definition(
        kind=kind,
        name=defined.name,
        container=".".join(outer.name for outer in around if outer.name),
        depth=len(around),
        span=span,
        signature=Span(span.start, max(span.start, signature)),
        body=within,
        documentation=_documentation(tree, outermost, body),
    )


def _extent(tree: SyntaxTree, node: Node, body: Node | None) -> tuple[Node | None, Span | None]:
    """Return the node that follows the signature, if one does, and the body's span.

    That node need not be a body: in Ruby's empty `module M end` it is the `end`.
    """
    grammar = tree.grammar
    if body is not None and body.type not in grammar.blocks:
        return body, tree.span(body)
    owner = node if body is None else body
    last = owner.children[-1] if owner.child_count else owner
    if body is None and last.type not in grammar.block_closing:
        return None, None
    # A bracket may be preceded by words that are part of the signature: `interface {`.
    for child in owner.children if body is not None else owner.children[1:]:
        if grammar.closers.get(child.type) in grammar.block_closing and not child.is_named:
            return child, Span(tree.start(child), tree.end(last))
    return (last, None) if body is None else (body, tree.span(body))


def _end_before(tree: SyntaxTree, node: Node) -> int:
    """Return the end of what stands before a node, without comments."""
    before = next((each.prev_sibling for each in ancestors(node) if each.prev_sibling), None)
    while before is not None and before.type in tree.grammar.comments:
        before = before.prev_sibling
    return tree.start(node) if before is None else tree.end(before)


def _wrapped(grammar: Grammar, node: Node) -> Node:
    """Return the outermost node that stands around this one definition and no other."""
    while (parent := node.parent) is not None and parent.type in grammar.wrappers:
        others = (other for other in parent.children if other.id != node.id)
        if any(other.type in grammar.definitions for other in others):
            break
        node = parent
    return node


def _documentation(tree: SyntaxTree, node: Node, body: Node | None) -> Span | None:
    grammar = tree.grammar
    if grammar.spec.lexical.docstrings and body is not None and body.named_child_count:
        first = body.named_children[0]
        inner = first.named_children[0] if first.named_child_count == 1 else first
        if inner.type in grammar.strings:
            return tree.span(inner)
    start = line = None
    end = tree.start(node)
    above = node.prev_sibling
    if above is None and node.parent is not None and node.parent.start_byte == node.start_byte:
        above = node.parent.prev_sibling  # Ruby's body begins after a first comment in a class
    line = tree.source.line_at(end)
    while above is not None and above.type in grammar.comments | grammar.leading:
        span = tree.span(above)
        first_line, last_line = (tree.source.line_at(at) for at in (span.start, span.end))
        alone = not tree.source.text[tree.source.line_start(first_line) : span.start].strip()
        if last_line < line - 1 or not alone:
            break
        if above.type in grammar.comments:
            if start is None:
                end = span.end
            start = span.start
        line = first_line
        above = above.prev_sibling
    return None if start is None else Span(start, end)
