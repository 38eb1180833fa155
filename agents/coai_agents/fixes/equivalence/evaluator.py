"""An evaluator of a small part of Python: pure functions of numbers, texts and collections.

It reads the program's tree and never runs it: there is no name, attribute or import that it could
reach a file, a process or this program by. What it does not know ends in `UntoldError`, and so does
what takes too long or gets too large.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Final, cast

from coai_agents.fixes.equivalence.values import (
    BINARY,
    BUILTINS,
    COMPARED,
    METHODS,
    MOST_PARTS,
    PLAIN,
    UNARY,
    UntoldError,
    bounded,
    listed,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_STEPS: Final = 2_000
"""Nodes that are looked at in one call."""
MOST_ALL: Final = 40_000
"""Nodes that are looked at in all calls; about 50 ms."""
MOST_DEPTH: Final = 20
"""Calls within calls."""


class RaisedError(Exception):
    """The program raised an exception by itself, of this name."""


class _Returned(Exception):  # noqa: N818 - no error, the way out of a function
    def __init__(self, value: object) -> None:
        super().__init__()
        self.value = value


class _Left(Exception):  # noqa: N818 - no error, the way out of a loop
    """`break`, or `continue` where `again`."""

    def __init__(self, *, again: bool) -> None:
        super().__init__()
        self.again = again


class Machine:
    """Evaluates calls of the functions of one file."""

    def __init__(self, functions: dict[str, ast.FunctionDef]) -> None:
        """Take the functions that may call one another, by their names."""
        self._functions = functions
        self._steps = 0
        self._depth = 0
        self._all = 0

    def called(self, name: str, arguments: list[Any]) -> object:
        """Return what a call gives; raises `UntoldError`, `RaisedError` or what Python raises."""
        self._steps = self._depth = 0
        return self._call(self._functions[name], arguments)

    def _call(self, function: ast.FunctionDef, arguments: list[Any]) -> object:
        given = function.args
        names = [each.arg for each in (*given.posonlyargs, *given.args)]
        missing = len(names) - len(arguments)
        if (
            given.vararg
            or given.kwarg
            or given.kwonlyargs
            or not 0 <= missing <= len(given.defaults)
        ):
            raise UntoldError
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise UntoldError
        defaults = given.defaults[len(given.defaults) - missing :]
        names_now = dict(
            zip(names, [*arguments, *(self._value(e, {}) for e in defaults)], strict=True)
        )
        try:
            self._block(function.body, names_now)
        except _Returned as returned:
            return returned.value
        finally:
            self._depth -= 1
        return None

    # ------------------------------------------------------------- statements

    def _block(self, body: list[ast.stmt], names: dict[str, Any]) -> None:
        for each in body:
            self._step()
            known = _STATEMENTS.get(type(each))
            if known is None:
                raise UntoldError
            known(self, each, names)

    def _step(self) -> None:
        self._steps += 1
        self._all += 1
        if self._steps > MOST_STEPS or self._all > MOST_ALL:
            raise UntoldError

    def return_(self, node: ast.Return, names: dict[str, Any]) -> None:
        """End the function."""
        raise _Returned(None if node.value is None else self._value(node.value, names))

    def assign(self, node: ast.Assign, names: dict[str, Any]) -> None:
        """Give names or places a value."""
        value = self._value(node.value, names)
        for each in node.targets:
            self._store(each, value, names)

    def annotated(self, node: ast.AnnAssign, names: dict[str, Any]) -> None:
        """Give a name with a type a value."""
        if node.value is not None:
            self._store(node.target, self._value(node.value, names), names)

    def changed(self, node: ast.AugAssign, names: dict[str, Any]) -> None:
        """Change what a name holds."""
        if not isinstance(node.target, ast.Name) or node.target.id not in names:
            raise UntoldError
        before, by = names[node.target.id], self._value(node.value, names)
        if isinstance(before, list | set | dict):
            raise UntoldError  # it changes what others hold, too
        names[node.target.id] = self._applied(node.op, before, by)

    def _store(self, target: ast.expr, value: object, names: dict[str, Any]) -> None:
        if isinstance(target, ast.Name):
            names[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            if not isinstance(value, list | tuple | str):
                raise UntoldError
            for each, one in zip(target.elts, list(value), strict=True):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - any values
                self._store(each, one, names)
        elif isinstance(target, ast.Subscript):
            of = self._value(target.value, names)
            if not isinstance(of, list | dict):
                raise UntoldError
            of[self._value(target.slice, names)] = value
            bounded(of)  # pyright: ignore[reportUnknownArgumentType] - any values
        else:
            raise UntoldError

    def if_(self, node: ast.If, names: dict[str, Any]) -> None:
        """Take one of two ways."""
        self._block(node.body if self._value(node.test, names) else node.orelse, names)

    def for_(self, node: ast.For, names: dict[str, Any]) -> None:
        """Go through values; a list may grow meanwhile."""
        for each in self._iterated(node.iter, names):
            self._step()
            self._store(node.target, each, names)
            try:
                self._block(node.body, names)
            except _Left as left:
                if not left.again:
                    return
        self._block(node.orelse, names)

    def while_(self, node: ast.While, names: dict[str, Any]) -> None:
        """Go on while something holds."""
        while self._value(node.test, names):
            self._step()
            try:
                self._block(node.body, names)
            except _Left as left:
                if not left.again:
                    return
        self._block(node.orelse, names)

    def left(self, node: ast.Break | ast.Continue, _names: dict[str, Any]) -> None:
        """Leave a loop or begin its next round."""
        raise _Left(again=isinstance(node, ast.Continue))

    def said(self, node: ast.Expr, names: dict[str, Any]) -> None:
        """Evaluate a value for what it does."""
        self._value(node.value, names)

    def nothing(self, _node: ast.Pass, _names: dict[str, Any]) -> None:
        """Do nothing."""

    def raised(self, node: ast.Raise, names: dict[str, Any]) -> None:
        """Raise an exception, of which only the name counts."""
        what = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        if not isinstance(what, ast.Name) or what.id in names:
            raise UntoldError
        raise RaisedError(what.id)

    # ------------------------------------------------------------ expressions

    def _value(self, node: ast.expr, names: dict[str, Any]) -> Any:  # noqa: ANN401 - a program's own
        self._step()
        known = _EXPRESSIONS.get(type(node))
        if known is None:
            raise UntoldError
        return bounded(known(self, node, names))

    def _iterated(self, node: ast.expr, names: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
        value = self._value(node, names)
        if isinstance(value, int | float | None):
            raise TypeError
        return value

    def constant(self, node: ast.Constant, _names: dict[str, Any]) -> object:
        """Return what is written."""
        if not isinstance(node.value, PLAIN):
            raise UntoldError
        return node.value

    def name(self, node: ast.Name, names: dict[str, Any]) -> object:
        """Return what a name holds; a global one holds what is not known."""
        if node.id not in names:
            raise UntoldError
        return names[node.id]

    def binary(self, node: ast.BinOp, names: dict[str, Any]) -> object:
        """Return what an operator makes of two values."""
        return self._applied(node.op, self._value(node.left, names), self._value(node.right, names))

    def _applied(self, kind: ast.operator, left: Any, right: Any) -> object:  # noqa: ANN401 - as above
        known = BINARY.get(type(kind))
        if known is None or (isinstance(kind, ast.Mod) and isinstance(left, str)):
            raise UntoldError
        if isinstance(kind, ast.Mult):
            several, times = (right, left) if isinstance(left, int) else (left, right)
            if isinstance(times, int) and not isinstance(several, int | float):
                # What is too large is never made.
                bounded([several] * min(times, MOST_PARTS))
                if times > MOST_PARTS:
                    raise UntoldError
        return bounded(known(left, right))

    def unary(self, node: ast.UnaryOp, names: dict[str, Any]) -> object:
        """Return what an operator makes of a value."""
        return UNARY[type(node.op)](self._value(node.operand, names))

    def either(self, node: ast.BoolOp, names: dict[str, Any]) -> object:
        """Return the first value that decides."""
        value: object = None
        for each in node.values:
            value = self._value(each, names)
            if bool(value) is isinstance(node.op, ast.Or):
                return value
        return value

    def compared(self, node: ast.Compare, names: dict[str, Any]) -> object:
        """Return whether each value stands so to the next; identity only for None."""
        left = self._value(node.left, names)
        for kind, each in zip(node.ops, node.comparators, strict=True):
            right = self._value(each, names)
            if isinstance(kind, ast.Is | ast.IsNot):
                if right is not None and left is not None:
                    raise UntoldError
                holds = (left is right) is isinstance(kind, ast.Is)
            else:
                holds = COMPARED[type(kind)](left, right)
            if not holds:
                return holds
            left = right
        return True

    def chosen(self, node: ast.IfExp, names: dict[str, Any]) -> object:
        """Return one of two values."""
        return self._value(node.body if self._value(node.test, names) else node.orelse, names)

    def collected(self, node: ast.List | ast.Tuple | ast.Set, names: dict[str, Any]) -> object:
        """Return values together."""
        made = [self._value(each, names) for each in node.elts]
        return (
            made
            if isinstance(node, ast.List)
            else (tuple if isinstance(node, ast.Tuple) else set)(made)
        )

    def mapped(self, node: ast.Dict, names: dict[str, Any]) -> object:
        """Return values by keys."""
        pairs = zip(node.keys, node.values, strict=True)
        return {
            self._value(key, names): self._value(value, names)
            for key, value in pairs
            if key is not None
        }

    def taken(self, node: ast.Subscript, names: dict[str, Any]) -> object:
        """Return a part of a value."""
        of = self._value(node.value, names)
        at = node.slice
        if isinstance(at, ast.Slice):
            ends = (at.lower, at.upper, at.step)
            return of[slice(*(None if each is None else self._value(each, names) for each in ends))]
        return of[self._value(at, names)]

    def written(self, node: ast.JoinedStr, names: dict[str, Any]) -> object:
        """Return a text with values in it, as they are written by themselves."""
        made = ""
        for each in node.values:
            if isinstance(each, ast.FormattedValue):
                if each.format_spec is not None or each.conversion not in (-1, 115):
                    raise UntoldError
                made += str(self._value(each.value, names))
            else:
                made += str(self._value(each, names))
        return made

    def comprehended(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, names: dict[str, Any]
    ) -> object:
        """Return what is made of each value that is let through."""
        if len(node.generators) != 1 or node.generators[0].is_async:
            raise UntoldError
        clause, within, made = node.generators[0], dict(names), list[Any]()
        for each in self._iterated(clause.iter, names):
            self._store(clause.target, each, within)
            if all(self._value(test, within) for test in clause.ifs):
                made.append(self._value(node.elt, within))
        return set(made) if isinstance(node, ast.SetComp) else made

    def call(self, node: ast.Call, names: dict[str, Any]) -> object:
        """Call a function of the file, a builtin, or a method of a value."""
        if any(isinstance(each, ast.Starred) for each in node.args) or node.keywords:
            raise UntoldError
        function = node.func
        if isinstance(function, ast.Name) and function.id not in names:
            arguments = self._given(node, names)
            if function.id in self._functions:
                return self._call(self._functions[function.id], arguments)
            if function.id in BUILTINS:
                return listed(BUILTINS[function.id](*arguments))
        elif isinstance(function, ast.Attribute):
            of: Any = self._value(function.value, names)
            if function.attr in METHODS.get(type(cast("object", of)), ()):
                arguments = self._given(node, names)
                made = listed(getattr(of, function.attr)(*arguments))
                bounded(of)
                return made
        raise UntoldError

    def _given(self, node: ast.Call, names: dict[str, Any]) -> list[Any]:
        """Return a call's arguments; what is within one may grow while the next is evaluated."""
        return bounded([self._value(each, names) for each in node.args])


_STATEMENTS: Final[dict[type[ast.stmt], Callable[..., None]]] = {
    ast.Return: Machine.return_,
    ast.Assign: Machine.assign,
    ast.AnnAssign: Machine.annotated,
    ast.AugAssign: Machine.changed,
    ast.If: Machine.if_,
    ast.For: Machine.for_,
    ast.While: Machine.while_,
    ast.Break: Machine.left,
    ast.Continue: Machine.left,
    ast.Expr: Machine.said,
    ast.Pass: Machine.nothing,
    ast.Raise: Machine.raised,
}
_EXPRESSIONS: Final[dict[type[ast.expr], Callable[..., object]]] = {
    ast.Constant: Machine.constant,
    ast.Name: Machine.name,
    ast.BinOp: Machine.binary,
    ast.UnaryOp: Machine.unary,
    ast.BoolOp: Machine.either,
    ast.Compare: Machine.compared,
    ast.IfExp: Machine.chosen,
    ast.List: Machine.collected,
    ast.Tuple: Machine.collected,
    ast.Set: Machine.collected,
    ast.Dict: Machine.mapped,
    ast.Subscript: Machine.taken,
    ast.JoinedStr: Machine.written,
    ast.ListComp: Machine.comprehended,
    ast.SetComp: Machine.comprehended,
    ast.GeneratorExp: Machine.comprehended,
    ast.Call: Machine.call,
}
