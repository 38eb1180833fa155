"""The place that a fixer looks at: a finding, its node, and edits of what is around it.

Offsets are those of the snapshot; nodes are turned into them here and nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.source import Edit, Span
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.source import Source
    from coai_agents.syntax.tree import SyntaxTree

COMMENTS: Final = frozenset({"comment", "line_comment", "block_comment"})

_CALLS: Final = frozenset(
    {
        "call",
        "call_expression",
        "function_call_expression",
        "invocation_expression",
        "member_call_expression",
        "method_invocation",
        "new_expression",
        "object_creation_expression",
        "scoped_call_expression",
    }
)

_FUNCTIONS: Final = frozenset(
    {
        "arrow_function",
        "function_declaration",
        "function_definition",
        "function_expression",
        "lambda",
        "method",
        "method_declaration",
        "method_definition",
    }
)

_NAMES: Final = frozenset({"identifier", "variable_name", "shorthand_property_identifier"})


@dataclass(frozen=True, slots=True)
class Site:
    """A finding and the smallest named node that holds it."""

    tree: SyntaxTree
    finding: Finding
    node: Node

    @property
    def source(self) -> Source:
        """The snapshot."""
        return self.tree.source

    @property
    def call(self) -> Node | None:
        """The call that the finding is about, if it is about one."""
        node: Node | None = self.node
        while node is not None and node.type in ("expression_statement", "await", "ERROR"):
            node = node.named_children[0] if node.named_children else None
        return node if node is not None and node.type in _CALLS else None

    def text(self, node: Node | None) -> str:
        """Return a node's text; of none, nothing."""
        return "" if node is None else self.tree.text(node)

    def replaced(self, node: Node, text: str) -> Edit:
        """Return the edit that puts a text in a node's place."""
        return Edit(self.tree.span(node), text)

    def between(self, start: int, end: int, text: str = "") -> Edit:
        """Return the edit of a span of offsets."""
        return Edit(Span(start, end), text)

    def wrapped(self, node: Node, before: str, after: str) -> list[Edit]:
        """Return the edits that put a text on either side of a node."""
        start, end = self.tree.start(node), self.tree.end(node)
        return [self.between(start, start, before), self.between(end, end, after)]

    def callee(self, call: Node) -> str:
        """Return what is called, as it is written, without white space."""
        for name in ("function", "constructor", "type"):
            node = call.child_by_field_name(name)
            if node is not None:
                return re.sub(r"\s+", "", self.text(node))
        of = call.child_by_field_name("object") or call.child_by_field_name("receiver")
        of = of or call.child_by_field_name("scope")
        method = call.child_by_field_name("name") or call.child_by_field_name("method")
        joined = f"{self.text(of)}.{self.text(method)}" if of is not None else self.text(method)
        return re.sub(r"\s+", "", joined)

    def arguments(self, call: Node) -> list[Node]:
        """Return a call's arguments without the comments between them."""
        there = call.child_by_field_name("arguments")
        if there is None:
            there = next((each for each in call.named_children if "argument" in each.type), None)
        if there is None or there.type == "generator_expression":
            return []
        return [each for each in there.named_children if each.type not in COMMENTS]

    def argument(self, call: Node, at: int) -> Node | None:
        """Return the value of an argument by its place; None if there is none or it has a name."""
        arguments = self.arguments(call)
        if not 0 <= at < len(arguments):
            return None
        return None if arguments[at].type in _NAMED else value_of(arguments[at])

    def keyword(self, call: Node, name: str) -> Node | None:
        """Return a call's argument of a name."""
        for argument in self.arguments(call):
            if argument.type == "keyword_argument":
                written = argument.child_by_field_name("name")
                if self.text(written) == name:
                    return argument
        return None

    def added(self, call: Node, text: str) -> Edit | None:
        """Return the edit that adds an argument behind the others, a comma before it."""
        arguments = self.arguments(call)
        if arguments:
            end = self.tree.end(arguments[-1])
            return self.between(end, end, f", {text}")
        there = call.child_by_field_name("arguments")
        if there is None or self.text(there)[:1] != "(":
            return None
        start = self.tree.start(there) + 1
        return self.between(start, start, text)

    def removed(self, argument: Node) -> Edit:
        """Return the edit that removes an argument with the comma before or behind it."""
        before, behind = argument.prev_sibling, argument.next_sibling
        start, end = self.tree.start(argument), self.tree.end(argument)
        if before is not None and before.type == ",":
            return self.between(self.tree.start(before), end)
        if behind is not None and behind.type == ",":
            end = self.tree.end(behind)
            text = self.source.text
            while end < len(text) and text[end] in " \t":
                end += 1
        return self.between(start, end)

    def enclosing(self, node: Node) -> Node:
        """Return the function that a node is in, or the whole file."""
        above = node.parent
        while above is not None and above.type not in _FUNCTIONS:
            above = above.parent
        return self.tree.root if above is None else above

    def statement(self, node: Node) -> Node:
        """Return the statement that a node is in."""
        here = node
        while here.parent is not None and not (
            here.type.endswith(("_statement", "_declaration"))
            or here.parent.type in ("block", "module", "program", "statement_list")
        ):
            here = here.parent
        return here

    def indent(self, offset: int) -> str:
        """Return the white space that an offset's line begins with."""
        line = self.source.line_text(self.source.line_at(offset))
        return line[: len(line) - len(line.lstrip())]

    @property
    def line_end(self) -> str:
        """How the document ends its lines."""
        return "\r\n" if "\r\n" in self.source.text else "\n"

    def only_value(self, name: Node) -> Node | None:
        """Return what a name stands for if it is assigned once, before, and read here only."""
        if name.type not in _NAMES:
            return None
        written = self.text(name)
        around = self.enclosing(name)
        uses = [each for each in descendants(around) if each.type == name.type]
        uses = [each for each in uses if self.text(each) == written]
        if len(uses) != 2 or uses[1].start_byte != name.start_byte:  # noqa: PLR2004 - set and read
            return None
        parent = uses[0].parent
        if parent is not None and parent.type == "expression_list":
            parent = parent.parent if parent.named_child_count == 1 else None
        if parent is None or not _assigns(parent) or self.enclosing(uses[0]) != around:
            return None
        if self.conditional(parent, name):
            return None
        value = parent.child_by_field_name("right") or parent.child_by_field_name("value")
        if value is not None and value.type == "expression_list":
            return value.named_children[0] if value.named_child_count == 1 else None
        return value

    def conditional(self, first: Node, second: Node) -> bool:
        """Say whether a block holds the first of two nodes and not the second one."""
        around = first.parent
        while around is not None and around.end_byte < second.start_byte:
            if around.type in ("block", "statement_block", "compound_statement"):
                return True
            around = around.parent
        return False

    def changed_between(self, names: Sequence[str], start: int, end: int) -> bool:
        """Say whether text between two offsets may give one of the names another value."""
        between = self.source.text[start:end]
        return any(
            re.search(rf"(?<![\w.]){re.escape(name)}\s*(?:[-+*/.%|&]|:)?=(?!=)", between)
            for name in names
        )


_NAMED: Final = frozenset({"keyword_argument", "list_splat", "dictionary_splat", "spread_element"})


def _assigns(node: Node) -> bool:
    kinds = ("assignment", "variable_declarator", "short_var_declaration", "assignment_expression")
    return node.type in kinds


def value_of(argument: Node) -> Node:
    """Return what an argument hands over, without its wrapping."""
    if argument.type == "argument" and argument.named_children:
        return argument.named_children[-1]
    return argument


def descendants(node: Node) -> Iterator[Node]:
    """Yield a node and all that is in it, in the order of the text."""
    waiting = [node]
    while waiting:
        here = waiting.pop()
        yield here
        waiting.extend(reversed(here.children))


def site_of(source: Source, finding: Finding) -> Site | None:
    """Return a finding's place, or None where the document cannot be parsed."""
    tree = parse(source)
    if tree is None:
        return None
    start = source.byte_offset(finding.span.start)
    end = source.byte_offset(finding.span.end)
    node = tree.root.named_descendant_for_byte_range(start, end)
    return None if node is None else Site(tree, finding, node)
