"""What adapters share of languages in which a branch is a value: Kotlin, Scala.

`val x = if (a) b else c` is lowered to a branch that assigns in both arms, so that what the arms
do besides counts as in any branch. Where no statement can stand, a function that is called at
once takes its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from coai_agents.analysis.dataflow.ir import (
    Argument,
    Assign,
    Call,
    Conditional,
    Const,
    Container,
    Define,
    Evaluate,
    Function,
    If,
    Index,
    Item,
    Leave,
    Member,
    Name,
    Operation,
    Return,
    Several,
    Switch,
)
from coai_agents.analysis.dataflow.lowering.base import Adapter, items, kept_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tree_sitter import Node

    from coai_agents.analysis.dataflow.ir import Case, Expr, Parameter, Statement
    from coai_agents.syntax.tree import SyntaxTree

Put: TypeAlias = "Callable[[Node, Expr], list[Statement]]"
"""What makes a statement of a branch's value: it assigns it, returns it, or only evaluates it."""


class Valued(Adapter):
    """Adds branches that are values."""

    def __init__(self, tree: SyntaxTree, deadline: float) -> None:
        super().__init__(tree, deadline)
        self.branching: dict[str, Callable[[Node, Put], list[Statement]]] = {}
        """What lowers a branch, each arm's value put where it belongs."""

    def branches(self) -> None:
        """Let branches stand as statements and, through a function, as expressions."""
        for kind, lower in self.branching.items():
            self.statements[kind] = lambda node, lower=lower: lower(node, self.evaluate)
            self.expressions[kind] = lambda node, lower=lower: self.enclosed(
                node, lower(node, self.give)
            )

    def evaluate(self, node: Node, value: Expr) -> list[Statement]:
        """Evaluate a value that nobody wants."""
        return [Evaluate(node, value)]

    def give(self, node: Node, value: Expr) -> list[Statement]:
        """Return a value."""
        return [Return(node, value)]

    def assigning(self, target: Expr, declared: str = "") -> Put:
        """Return what assigns a value that is declared there."""

        def put(node: Node, value: Expr) -> list[Statement]:
            return [Assign(node, target, value, type=declared, declares=True)]

        return put

    def valued(self, node: Node | None, put: Put) -> list[Statement]:
        """Lower an expression, whatever arms it has, and put its value where it belongs."""
        if node is None:
            return []
        if (lower := self.branching.get(node.type)) is not None:
            return lower(node, put)
        if self.has_no_value(node):
            return self.statement(node)
        return put(node, self.expr(node))

    def has_no_value(self, node: Node) -> bool:
        """Say whether a node can only be a statement: a declaration, an assignment, a jump."""
        return node.type in _JUMPS or (
            node.type in self.statements and node.type not in self.expressions
        )

    def ending(self, nodes: Sequence[Node], put: Put) -> list[Statement]:
        """Lower statements of which the last is the value."""
        real = [each for each in nodes if each.type not in self.ignored]
        return [*self.body(real[:-1]), *self.valued(real[-1] if real else None, put)]

    def enclosed(self, node: Node, statements: list[Statement]) -> Expr:
        """Return statements as an expression: a choice, or a function that is called at once."""
        value = self._plain_value(statements)
        return Call(node, Function(node, "", [], statements), []) if value is None else value

    def _plain_value(self, statements: list[Statement]) -> Expr | None:
        """Return what statements give that do nothing else; None if they do."""
        if len(statements) != 1:
            return None
        (only,) = statements
        if isinstance(only, Return):
            return only.value
        if isinstance(only, Evaluate):
            return only.value
        if isinstance(only, If):
            yes, no = self._plain_value(only.yes), self._plain_value(only.no)
            return None if yes is None or no is None else Conditional(only.node, only.test, yes, no)
        if isinstance(only, Switch):
            values = [self._plain_value(each.body) for each in only.cases]
            arms = [
                (c.patterns, v) for c, v in zip(only.cases, values, strict=True) if v is not None
            ]
            whole = len(arms) == len(only.cases)
            return self.choice(only.node, only.subject, arms) if whole else None
        return None

    def spread(self, node: Node, names: Sequence[tuple[Node, str]], value: Expr) -> list[Statement]:
        """Assign the parts of a value to names, in their order."""
        whole = Name(node, "@whole")
        lowered: list[Statement] = [Assign(node, whole, value, declares=True)]
        lowered += [
            Assign(at, Name(at, name), Index(at, whole, Const(at, number)), declares=True)
            for number, (at, name) in enumerate(names)
        ]
        return lowered

    def chosen(
        self, node: Node, subject: Expr | None, arms: Sequence[tuple[list[Expr], Case]]
    ) -> list[Statement]:
        """Lower a choice: a switch where constants decide, else one test after the other."""
        plain = all(isinstance(each, Const) for tests, _ in arms for each in tests)
        if subject is not None and plain:
            for tests, case in arms:
                case.patterns = tests
            return [Switch(node, subject, [case for _, case in arms])]
        rest: list[Statement] = []
        for tests, case in reversed(arms):
            if case.default:
                rest = case.body
                continue
            test = self._any(node, subject, tests)
            rest = [If(node, test, case.body, rest)]
        return rest

    def _any(self, node: Node, subject: Expr | None, tests: Sequence[Expr]) -> Expr:
        """Return the test whether one of several holds, of constants that the subject is it."""
        found: Expr | None = None
        for each in tests:
            equal = subject is not None and isinstance(each, Const | Name | Member)
            test = Operation(node, "==", [subject, each]) if subject and equal else each
            found = test if found is None else Operation(node, "||", [found, test])
        return Several(node, []) if found is None else found

    def made(self, node: Node, name: str, values: list[Argument]) -> Expr | None:
        """Return the literal that a call stands for: a list, a map; None if it is none."""
        if any(each.name for each in values):
            return None
        if name in _LISTS:
            return Container(
                node, [Item(each.value, spread=each.spread) for each in values], keyed=False
            )
        pairs = [each.value for each in values if isinstance(each.value, Container)]
        if name in _MAPS and len(pairs) == len(values):
            found = [each.items for each in pairs]
            if all(len(pair) == 2 for pair in found):  # noqa: PLR2004 - key and value
                listed = [Item(value.value, key.value) for key, value in found]
                return Container(node, listed, keyed=True)
        return None

    def pair(self, node: Node, left: Expr, right: Expr) -> Expr:
        """Return `a to b`."""
        return Container(node, items([left, right]))

    def constructor(
        self, node: Node, name: str, parameters: list[Parameter], members: Sequence[Statement]
    ) -> list[Statement]:
        """Return what a class's own parameters do: they are fields, and fields are made of them."""
        if not parameters:
            return []
        body = kept_fields(node, [each.name for each in parameters], "this")
        for each in members:
            if isinstance(each, Assign) and isinstance(each.target, Name) and each.declares:
                field = each.target
                target = Member(
                    each.node, Name(each.node, "this"), field.name, f"this.{field.name}"
                )
                body.append(Assign(each.node, target, each.value, type=each.type))
        return [Define(node, Function(node, name, parameters, body, method=True))]

    def left_by(self, node: Node, kind: str) -> list[Statement]:
        """Lower `throw` and the like, which have their value as their only child."""
        inner = self.meaning(node)
        return [Leave(node, kind, self.expr(inner[0]) if inner else None)]

    def java_name(self, name: str) -> str:
        """Return what Java calls a method of the language's own library that does the same."""
        return _OF_JAVA.get(name, name)

    def sum(self, node: Node, left: Expr, operator: str, right: Expr) -> Expr:
        """Return an operation; text that is added to text is text."""
        if operator in ("++", "+"):
            return Operation(node, "+", [left, right])
        return Operation(node, {"===": "==", "!==": "!="}.get(operator, operator), [left, right])


_LISTS: Final = frozenset(
    {"byteArrayOf", "intArrayOf", "charArrayOf", "listOf", "setOf", "mutableListOf", "arrayOf"}
    | {"mutableSetOf", "arrayListOf", "listOfNotNull", "List", "Seq", "Vector", "Array", "Set"}
    | {"IndexedSeq", "ListBuffer", "ArrayBuffer"}
)
_JUMPS: Final = frozenset({"return_expression", "throw_expression"})
_OF_JAVA: Final = {"toByteArray": "getBytes", "encodeToByteArray": "getBytes"}
_MAPS: Final = frozenset({"mapOf", "mutableMapOf", "hashMapOf", "linkedMapOf", "Map", "HashMap"})
