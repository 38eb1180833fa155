"""What all adapters share: the way through the tree, texts, and literals."""

from __future__ import annotations

import re
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow.ir import (
    UNKNOWN,
    Assign,
    Binding,
    Block,
    Conditional,
    Const,
    Evaluate,
    If,
    Item,
    Leave,
    Loop,
    Member,
    Module,
    Name,
    Operation,
    OutOfTimeError,
    Return,
    Several,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tree_sitter import Node

    from coai_agents.analysis.dataflow.ir import Expr, Part, Statement
    from coai_agents.syntax.tree import SyntaxTree

    Lower = Callable[[Node], Expr]
    LowerStatement = Callable[[Node], "list[Statement]"]

MAX_DEPTH: Final = 90
"""Expressions and blocks nested deeper than this are not looked into: nobody reads such code, and
every level costs frames of Python's stack, here and in the engine."""

NODES_PER_LOOK: Final = 1_024
"""The clock is looked at once in so many nodes."""

_ESCAPES: Final = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "0": "\0",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "`": "`",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "a": "\a",
    "\n": "",
}
_ESCAPE: Final = re.compile(
    r"\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL
)


def unescape(text: str) -> str:
    """Return what a string's text stands for, by the escapes that the languages have in common."""
    return _ESCAPE.sub(_unescaped, text) if "\\" in text else text


def _unescaped(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    if code is None:
        return _ESCAPES.get(match[4], match[0])
    number = int(code, 16)
    return chr(number) if number <= sys.maxunicode else match[0]


def number(text: str) -> object:
    """Return the value of a number as the languages write it, or UNKNOWN."""
    plain = text.replace("_", "").lower()
    try:
        return int(plain, 0)
    except ValueError:
        pass
    if re.fullmatch(r"0[0-7]+", plain):
        return int(plain, 8)
    digits = plain.rstrip("nluhdfm")
    try:
        return int(digits, 0)
    except ValueError:
        pass
    try:
        return float(digits)
    except ValueError:
        return UNKNOWN


class Adapter:
    """Lowers one tree; a language's adapter says what each kind of node becomes."""

    def __init__(self, tree: SyntaxTree, deadline: float) -> None:
        self._bytes = tree.source.text.encode()
        self._root = tree.root
        self._depth = 0
        self._deadline = deadline
        self._count = 0
        self._wanted: Callable[[Node], bool] | None = None
        self.expressions: dict[str, Lower] = {}
        self.statements: dict[str, LowerStatement] = {}
        self.ignored: frozenset[str] = frozenset({"comment", "line_comment", "block_comment"})

    def module(self, part: Part | None = None) -> Module:
        """Return the whole file, or a part of it."""
        if part is None:
            return Module(self._root, self.body(self._root.named_children))
        self._wanted = part.wanted
        return Module(self._root, self.body(part.nodes))

    # ------------------------------------------------------------------ the way through the tree

    def text(self, node: Node) -> str:
        """Return a node's text."""
        return self._bytes[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def field(self, node: Node, name: str) -> Expr:
        """Return what is in a field; nothing known if the field is empty."""
        child = node.child_by_field_name(name)
        return Several(node, []) if child is None else self.expr(child)

    def name_of(self, node: Node, name: str = "name") -> str:
        """Return the text in a field, or nothing."""
        child = node.child_by_field_name(name)
        return "" if child is None else self.text(child)

    def expr(self, node: Node) -> Expr:
        """Lower an expression; of one that the adapter does not know, its parts are."""
        lower = self.expressions.get(node.type)
        self._tick()
        self._depth += 1
        try:
            if self._depth > MAX_DEPTH:
                return Several(node, [])
            if lower is not None:
                return lower(node)
            return Several(node, self.parts(node), node.type)
        finally:
            self._depth -= 1

    def parts(self, node: Node) -> list[Expr]:
        """Lower all that is in a node and means something."""
        return [self.expr(child) for child in self.meaning(node)]

    def body(self, nodes: Iterable[Node]) -> list[Statement]:
        """Lower statements that stand one after the other."""
        lowered: list[Statement] = []
        for node in nodes:
            lowered += self.statement(node)
        return lowered

    def statement(self, node: Node) -> list[Statement]:
        """Lower one statement; what is none is evaluated."""
        kind = node.type
        if kind in self.ignored or not (self._wanted is None or self._wanted(node)):
            return []
        lower = self.statements.get(kind)
        self._tick()
        self._depth += 1
        try:
            if self._depth > MAX_DEPTH:
                return []
            if lower is not None:
                return lower(node)
        finally:
            self._depth -= 1
        if kind in self.expressions:
            return [Evaluate(node, self.expr(node))]
        # What is not known may hold statements that are: an error, a new kind of block.
        return self.body(node.named_children)

    def block(self, node: Node | None) -> list[Statement]:
        """Lower a block, or the one statement in its place; nothing if there is none."""
        if node is None:
            return []
        if node.type in self.statements or node.type in self.expressions:
            return self.statement(node)
        return self.body(node.named_children)

    def _tick(self) -> None:
        self._count += 1
        if self._count % NODES_PER_LOOK == 0 and perf_counter() > self._deadline:
            raise OutOfTimeError

    # ------------------------------------------------------------------------- common expressions

    def first(self, node: Node) -> Expr:
        """Lower what a node is only a wrapper of: parentheses, `await`."""
        inner = self.meaning(node)
        return self.expr(inner[0]) if inner else Several(node, [])

    def identifier(self, node: Node) -> Expr:
        """Lower a name."""
        return Name(node, self.text(node))

    def number(self, node: Node) -> Expr:
        """Lower a number."""
        return Const(node, number(self.text(node)))

    def string(self, node: Node) -> Expr:
        """Lower a string between quotes of one character, without interpolation."""
        return Const(node, unescape(self.text(node)[1:-1]))

    def const(self, value: object) -> Lower:
        """Return what lowers a keyword that stands for a value."""
        return lambda node: Const(node, value)

    def member(self, node: Node, of: Expr, name: str) -> Member:
        """Return a member of an object."""
        written = ""
        if isinstance(of, Name):
            written = f"{of.name}.{name}"
        elif isinstance(of, Member) and of.written:
            written = f"{of.written}.{name}"
        return Member(node, of, name, written)

    def left_chain(self, node: Node, kind: str) -> list[Node]:
        """Return the binary operations that a node's left operands are nested in, inner first.

        `a + b + c + ...` nests once for each operator, and code generators write thousands.
        """
        chain = [node]
        while True:
            left = chain[-1].child_by_field_name("left")
            if left is None or left.type != kind:
                break
            chain.append(left)
        chain.reverse()
        return chain

    # ----------------------------------------- what several grammars write with the same fields

    def binary(self, node: Node) -> Expr:
        """Lower an operator between two operands."""
        chain = self.left_chain(node, node.type)
        value = self.field(chain[0], "left")
        for each in chain:
            operator = self.name_of(each, "operator")
            value = Operation(each, operator, [value, self.field(each, "right")])
        return value

    def prefixed(self, node: Node) -> Expr:
        """Lower an operator before its operand."""
        operator = self.text(node)[:1]
        return Operation(node, "!" if operator == "!" else f"u{operator}", [self.first(node)])

    def ternary(self, node: Node) -> Expr:
        """Lower a choice between two values."""
        test, yes, no = ("condition", "consequence", "alternative")
        return Conditional(
            node, self.field(node, test), self.field(node, yes), self.field(node, no)
        )

    def choice(self, node: Node, subject: Expr, arms: Sequence[tuple[list[Expr], Expr]]) -> Expr:
        """Lower a choice among values by what another one is; no patterns for the default."""
        chosen: Expr = Several(node, [])
        for patterns, value in arms:
            if not patterns:
                chosen = value
        for patterns, value in reversed(arms):
            if patterns:
                tests: list[Expr] = [Operation(node, "==", [subject, each]) for each in patterns]
                test = tests[0]
                for other in tests[1:]:
                    test = Operation(node, "||", [test, other])
                chosen = Conditional(node, test, value, chosen)
        return chosen

    def type_arguments(self, node: Node, name: str = "type") -> tuple[str, ...]:
        """Return the arguments of a declared type, such as those of `Map<String, List<Long>>`."""
        written = self.name_of(node, name).partition("<")[2]
        inner = re.split(r"[<>,]", written.rpartition(">")[0])
        return tuple(each.strip().rstrip("?[]") for each in inner if each.strip())

    def yielded(self, node: Node) -> Expr:
        """Lower what a generator gives."""
        return Several(node, self.parts(node), "yield")

    def binding(self, node: Node) -> Expr:
        """Lower an assignment whose value is used."""
        return Binding(node, self.field(node, "left"), self.field(node, "right"))

    def updating(self, node: Node) -> Expr:
        """Lower an assignment with an operator whose value is used."""
        left = self.field(node, "left")
        value = Operation(node, self.operator_of(node), [left, self.field(node, "right")])
        return Binding(node, left, value)

    def operator_of(self, node: Node) -> str:
        """Return the operator of an assignment: `+` of `+=`, nothing of `=`."""
        return self.name_of(node, "operator").removesuffix("=")

    def assignment(self, node: Node) -> list[Statement]:
        """Lower an assignment, with or without an operator."""
        left, right = self.field(node, "left"), self.field(node, "right")
        return [Assign(node, left, right, self.operator_of(node))]

    def evaluated(self, node: Node) -> list[Statement]:
        """Lower an expression that stands as a statement, which an assignment does as itself."""
        inner = self.meaning(node)
        if not inner:
            return []
        if inner[0].type in self.statements:
            return self.statement(inner[0])
        return [Evaluate(node, self.expr(inner[0]))]

    def nested(self, node: Node) -> list[Statement]:
        """Lower a block that stands by itself."""
        return [Block(node, self.body(node.named_children))]

    def branch(self, node: Node) -> list[Statement]:
        """Lower `if`."""
        yes = self.block(node.child_by_field_name("consequence"))
        no = self.block(node.child_by_field_name("alternative"))
        return [If(node, self.field(node, "condition"), yes, no)]

    def repeated(self, node: Node) -> list[Statement]:
        """Lower `while`, and `do` with its test at the end."""
        body, test = self.block(node.child_by_field_name("body")), self.field(node, "condition")
        if node.type.startswith("do"):  # its test tells nothing of the first time
            test = Several(node, [test, Several(node, [])])
        return [Loop(node, body, test=test)]

    def returned(self, node: Node) -> list[Statement]:
        """Lower `return`."""
        return [Return(node, self.first(node) if node.named_child_count else None)]

    def left(self, node: Node) -> list[Statement]:
        """Lower what leaves a block: `break`, `continue`, `throw`, `raise`."""
        kind = node.type.removesuffix("_statement")
        raises = kind in ("throw", "raise") and node.named_child_count
        return [Leave(node, kind, self.first(node) if raises else None)]

    # ----------------------------------------------------------------------------- parts of nodes

    def meaning(self, node: Node) -> list[Node]:
        """Return the children that mean something."""
        return [each for each in node.named_children if each.type not in self.ignored]

    def type_of(self, node: Node, name: str = "type") -> str:
        """Return the name of a declared type without its arguments; nothing for `var`."""
        declared = re.split(r"[<\[?]", self.name_of(node, name), maxsplit=1)[0].strip()
        return "" if declared == "var" else declared

    def counted(self, node: Node, before: list[Statement]) -> list[Statement]:
        """Lower `for` with a counter, whose value cannot be told from its first one."""
        test = node.child_by_field_name("condition")
        parts = [] if test is None else [self.expr(test)]
        body = self.block(node.child_by_field_name("body"))
        return [*before, Loop(node, body, test=Several(node, [*parts, Several(node, [])]))]

    def inner(self, node: Node, name: str) -> list[Node]:
        """Return the children of what is in a field, none if it is empty."""
        child = node.child_by_field_name(name)
        return [] if child is None else child.named_children

    def inner_parts(self, node: Node, name: str) -> list[Expr]:
        """Lower what is in a field, nothing if it is empty."""
        child = node.child_by_field_name(name)
        return [] if child is None else self.parts(child)

    def child_of(self, node: Node, kind: str) -> Node | None:
        """Return the first child of a type."""
        return next((each for each in node.named_children if each.type == kind), None)


def kept_fields(node: Node, names: Iterable[str], this: str) -> list[Statement]:
    """Return what puts parameters into fields of the same names."""
    made: list[Statement] = []
    for name in names:
        field = name.lstrip("$")
        target = Member(node, Name(node, this), field, f"{this}.{field}")
        made.append(Assign(node, target, Name(node, name)))
    return made


def items(values: Iterable[Expr]) -> list[Item]:
    """Return the items of a sequence."""
    return [Item(value) for value in values]


def joined(node: Node, parts: list[Expr]) -> Expr:
    """Return text made of parts, a constant if all of them are."""
    if all(isinstance(part, Const) and isinstance(part.value, str) for part in parts):
        return Const(node, "".join(str(part.value) for part in parts if isinstance(part, Const)))
    return Text(node, parts)
