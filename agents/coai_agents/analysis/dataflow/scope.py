"""The variables of a function or a module while it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow.values import join

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.dataflow.ir import Expr
    from coai_agents.analysis.dataflow.values import Value


FACT: Final = "\0"
"""What begins the name of what is known of an expression, among variables' names."""


def _fact(node: Node) -> str:
    text = (node.text or b"").decode("utf-8", "replace")
    return FACT + "".join(text.split()).replace('"', "'")


class Scope:
    """Variables by name, within those of what is around."""

    __slots__ = ("around", "bare", "closes", "learnt", "members", "tests", "values")

    def __init__(self, around: Scope | None = None) -> None:
        self.values: dict[str, Value] = {}
        self.around = around
        self.members: dict[str, Value] | None = None if around is None else around.members
        """What methods of the class have put into its objects."""
        self.tests: dict[str, Expr] = {}
        """Tests whose results are kept in variables."""
        self.learnt = False
        """Whether anything is known of expressions that are no variables."""
        self.closes = False
        """Whether what is assigned here may be a variable of the function around it."""
        self.bare = False
        """Whether these members are known by their bare names, as in Java's and C#'s classes."""

    def get(self, name: str) -> Value | None:
        """Return a variable's value, or None if nothing binds the name."""
        scope: Scope | None = self
        while scope is not None:
            value = scope.values.get(name)
            if scope.bare and scope.members is not None:
                value = scope.members.get(name, value)
            if value is not None:
                return value
            scope = scope.around
        return None

    def put(self, name: str, value: Value) -> None:
        """Let a variable have a value, or the field that a bare name means."""
        if self.learnt:
            for fact in [each for each in self.values if each[:1] == FACT and name in each]:
                del self.values[fact]
        if name not in self.values:
            if self.closes and (outer := self._outer(name)) is not None:
                outer.values[name] = join(outer.values[name], value)
                return
            scope = self.around
            while scope is not None:
                if scope.bare and scope.members is not None and name in scope.members:
                    scope.members[name] = join(scope.members[name], value)
                    return
                if name in scope.values:
                    break
                scope = scope.around
        self.values[name] = value

    def _outer(self, name: str) -> Scope | None:
        """Return the function around this one that has a variable; None for the file's own."""
        scope = self.around
        while scope is not None and scope.around is not None:
            if name in scope.values:
                return scope
            scope = scope.around
        return None

    def learn(self, node: Node, value: Value) -> None:
        """Know an expression's value, here and wherever it is written again."""
        self.learnt = True
        self.values[_fact(node)] = value

    def known(self, node: Node) -> Value | None:
        """Return what was learnt of an expression."""
        return self.values.get(_fact(node))

    def branch(self) -> dict[str, Value]:
        """Return a copy of the variables, to come back to."""
        return dict(self.values)

    def merge(self, other: dict[str, Value]) -> None:
        """Let each variable be what it is here or what it is there."""
        mine = self.values
        if self.learnt:
            # What is known on one way only is not known behind both.
            for name in [each for each in mine if each[:1] == FACT and each not in other]:
                del mine[name]
        for name, value in other.items():
            here = mine.get(name)
            if here is None and name[:1] == FACT:
                continue
            if here is None:
                # Bound on one way only: on the other one it would fail, or be the outer one.
                mine[name] = value
            elif here is not value:
                mine[name] = join(here, value)
