"""Rust's macros and patterns: what the grammar leaves as tokens, and what takes values apart.

Whoever wrote a grammar cannot know what a macro takes. Nearly all take expressions, so the tokens
of one are parsed as what they would be without it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow.ir import (
    Argument,
    Assign,
    Binding,
    Call,
    Const,
    Container,
    Evaluate,
    Index,
    Leave,
    Name,
    Operation,
    Several,
)
from coai_agents.analysis.dataflow.lowering.base import items, joined, unescape
from coai_agents.analysis.dataflow.lowering.valued import Valued

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

    from coai_agents.analysis.dataflow.ir import Expr, Statement
    from coai_agents.syntax.tree import SyntaxTree

_FORMATTING: Final = frozenset(
    {"format", "format_args", "concat", "anyhow", "eyre", "const_format"}
)
_WRITING: Final = frozenset({"write", "writeln"})
_PRINTING: Final = frozenset(
    {"print", "println", "eprint", "eprintln", "trace", "debug", "info", "warn", "error", "log"}
)
_LEAVING: Final = frozenset({"panic", "unreachable", "todo", "unimplemented", "bail"})

_HOLE: Final = re.compile(r"\{\{|\}\}|\{([^{}:]*)(?::[^{}]*)?\}")
_QUOTES: Final = re.compile(r"^[a-z]{0,2}(#*)\"")

MOST: Final = 20_000
"""Bytes of a macro's tokens that are parsed: what is longer is a table."""

MOST_REPEATED: Final = 64
"""Characters that stand for an array of one value many times."""


class Macros(Valued):
    """Adds macros and patterns."""

    def __init__(self, tree: SyntaxTree, deadline: float) -> None:
        super().__init__(tree, deadline)
        self._language = tree.grammar.language
        self._parser: Parser | None = None

    def content(self, node: Node) -> str:
        """Return what a string of any kind stands for; that of bytes is text, too."""
        written = self.text(node)
        opening = _QUOTES.match(written)
        if opening is None:
            return written
        inner = written[opening.end() : len(written) - 1 - len(opening[1])]
        return inner if node.type == "raw_string_literal" else unescape(inner)

    def array(self, node: Node) -> Expr:
        """Lower an array; one value many times is a constant if the value is one."""
        parts = self.meaning(node)
        if node.child_by_field_name("length") is None and ";" not in [
            c.type for c in node.children
        ]:
            return Container(node, items(self.parts(node)))
        return Const(node, "\0" * MOST_REPEATED) if self._is_number(parts[0]) else self.first(node)

    def _is_number(self, node: Node) -> bool:
        return node.type == "integer_literal"

    # ------------------------------------------------------------------------------------ macros

    def macro(self, node: Node) -> Expr:
        """Lower a macro to what it does, or to a call of its name with what it is given."""
        written = self.name_of(node, "macro")
        name = written.rpartition("::")[2]
        given = self._tokens(node)
        if name in _FORMATTING:
            return self._formatted(node, given)
        if name == "vec":
            return (
                given[0]
                if len(given) == 1 and isinstance(given[0], Container | Const)
                else (Several(node, given))
            )
        if name in _WRITING and given:
            text = self._formatted(node, given[1:])
            if isinstance(given[0], Name):
                return Binding(node, given[0], Operation(node, "+", [given[0], text]))
            return Call(node, Name(node, f"{name}!"), [Argument(given[0]), Argument(text)])
        if name in _PRINTING:
            return Call(node, Name(node, f"{name}!"), [Argument(self._formatted(node, given))])
        if name == "matches" and len(given) == 2:  # noqa: PLR2004 - a value and a pattern
            return self._matches(node, given[0], given[1])
        path = written.replace("::", ".")
        return Call(node, Name(node, f"{path}!"), [Argument(each) for each in given])

    def macro_statement(self, node: Node) -> list[Statement]:
        """Lower a macro that stands as a statement."""
        value = self.macro(node)
        name = self.name_of(node, "macro").rpartition("::")[2]
        return [Leave(node, "throw", value)] if name in _LEAVING else [Evaluate(node, value)]

    def _tokens(self, node: Node) -> list[Expr]:
        """Parse what a macro is given as expressions, and lower them."""
        tree = self.child_of(node, "token_tree")
        if tree is None or tree.end_byte - tree.start_byte > MOST:
            return []
        return self._among(self._parsed(tree))

    def _among(self, node: Node) -> list[Expr]:
        """Lower what stands between a macro's brackets."""
        if node.type in ("source_file", "ERROR", "expression_statement"):
            return [value for each in self.meaning(node) for value in self._among(each)]
        if node.type in ("tuple_expression", "parenthesized_expression"):
            return self.parts(node)
        return [self.expr(node)]

    def _parsed(self, node: Node) -> Node:
        from tree_sitter import Parser, Range  # noqa: PLC0415 - native code, loaded on first use

        if self._parser is None:
            self._parser = Parser(self._language)
        span = Range(node.start_point, node.end_point, node.start_byte, node.end_byte)
        self._parser.included_ranges = [span]
        return self._parser.parse(self._bytes).root_node

    def _formatted(self, node: Node, given: list[Expr]) -> Expr:
        """Lower a format and its arguments to the text that they make."""
        first = given[0] if given else None
        if not (isinstance(first, Const) and isinstance(first.value, str)):
            return joined(node, given)
        named = {
            each.target.name: each.value
            for each in given[1:]
            if isinstance(each, Binding) and isinstance(each.target, Name)
        }
        values = [each for each in given[1:] if not isinstance(each, Binding)]
        parts: list[Expr] = []
        at = taken = 0
        for hole in _HOLE.finditer(first.value):
            parts.append(Const(first.node, first.value[at : hole.start()]))
            at = hole.end()
            wanted = hole[1]
            if wanted is None:
                parts.append(Const(first.node, hole[0][0]))
            elif not wanted or wanted.isdigit():
                number = int(wanted) if wanted else taken
                taken += not wanted
                parts += values[number : number + 1]
            else:
                parts.append(named.get(wanted) or Name(first.node, wanted))
        parts.append(Const(first.node, first.value[at:]))
        return joined(node, [e for e in parts if not (isinstance(e, Const) and e.value == "")])

    def _matches(self, node: Node, value: Expr, pattern: Expr) -> Expr:
        tests = [pattern]
        while isinstance(tests[0], Operation) and tests[0].operator == "|":
            tests[:1] = tests[0].operands
        return self._any(node, value, tests)

    # ---------------------------------------------------------------------------------- patterns

    def patterns(self, node: Node) -> list[Expr]:
        """Return what a pattern tests for; nothing for one that fits everything."""
        kind = node.type
        if kind == "or_pattern":
            return [test for each in self.meaning(node) for test in self.patterns(each)]
        if kind == "identifier" and not self.text(node)[:1].isupper():
            return []
        if kind == "_" or self.text(node) == "_":
            return []
        if kind in ("identifier", "scoped_identifier", "negative_literal") or "literal" in kind:
            return [self.expr(node)]
        if kind in ("mut_pattern", "ref_pattern", "reference_pattern"):
            return [test for each in self.meaning(node) for test in self.patterns(each)]
        inner = self.meaning(node)
        if kind == "tuple_struct_pattern" and len(inner) == 2:  # noqa: PLR2004 - `Some("a")`
            tests = self.patterns(inner[1])
            if tests and all(isinstance(each, Const) for each in tests):
                return tests
        return [Several(node, [])]

    def bound(self, pattern: Node, value: Expr) -> list[Statement]:
        """Return what gives the names of a pattern their values."""
        kind = pattern.type
        if kind in ("identifier", "shorthand_field_identifier"):
            name = self.text(pattern)
            if name[:1].isupper() or name == "_":
                return []
            return [Assign(pattern, Name(pattern, name), value, declares=True)]
        inner = self.meaning(pattern)
        if kind in ("tuple_pattern", "slice_pattern"):
            return [
                statement
                for at, each in enumerate(inner)
                for statement in self.bound(each, Index(each, value, Const(each, at)))
            ]
        if kind == "field_pattern":
            name = self.name_of(pattern, "name")
            target = pattern.child_by_field_name("pattern") or pattern.child_by_field_name("name")
            member = self.member(pattern, value, name)
            return [] if target is None else self.bound(target, member)
        if kind in ("tuple_struct_pattern", "struct_pattern"):
            inner = [each for each in inner if each != pattern.child_by_field_name("type")]
        if "literal" in kind or kind == "scoped_identifier":
            return []
        return [statement for each in inner for statement in self.bound(each, value)]
