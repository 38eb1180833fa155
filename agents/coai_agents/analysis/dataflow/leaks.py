"""What a function opens and does not close: files, connections, sockets.

Only what stays in the function is looked at. What is returned, stored, captured or passed on is
somebody else's to close; a `with` and a `finally` close on every way. The function's body is walked
through once, whatever it opens.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Final, cast

from coai_agents.analysis.dataflow import ir
from coai_agents.analysis.dataflow.folding import COMPARISONS, NOT
from coai_agents.analysis.dataflow.pieces import written_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tree_sitter import Node

_SKIPPED: Final = frozenset({"node", "name", "written", "operator", "kind", "type"})
"""Fields of the engine's nodes that hold no expressions."""


@dataclass(frozen=True, slots=True)
class Leak:
    """What is opened at `node` and not closed; `some` if it is, but not on every way."""

    node: Node
    some: bool


@dataclass(slots=True)
class _Opened:
    node: Node
    gone: bool = False
    """Whether somebody else may close it, or a `with` does."""
    safe: bool = False
    """Whether it is closed where every way leads through."""
    closed: list[int] = field(default_factory=list[int])


def leaks(
    function: ir.Function,
    opening: Collection[int],
    closing: Collection[str],
    borrowing: Collection[str],
    *,
    strict: bool,
) -> list[Leak]:
    """Return what a function leaks.

    `opening` are the identities of the calls that open something, `closing` the methods that close
    it, and `borrowing` the functions that only use what they are passed. `strict` asks for a way of
    closing that errors do not skip.
    """
    found = _Walk(opening, closing, borrowing)
    found.statements(function.body)
    return list(found.leaks(strict=strict))


class _Walk:
    """One way through a function's body."""

    def __init__(
        self, opening: Collection[int], closing: Collection[str], borrowing: Collection[str]
    ) -> None:
        self._opening, self._closing, self._borrowing = opening, closing, borrowing
        self._opened: dict[str, _Opened] = {}
        self._left: list[int] = []
        self._final = False
        self._inner = False

    def leaks(self, *, strict: bool) -> Iterator[Leak]:
        """Yield what stays open."""
        for each in self._opened.values():
            if each.gone or each.safe:
                continue
            if not each.closed:
                yield Leak(each.node, some=False)
                continue
            last = max(each.closed)
            ways = sum(each.node.end_byte < at < last for at in self._left)
            if strict or ways >= len(each.closed):
                yield Leak(each.node, some=True)

    def statements(self, body: list[ir.Statement]) -> None:
        """Walk through statements."""
        for statement in body:
            self._visit(statement)

    def _visit(self, part: object) -> None:  # noqa: C901, PLR0912 - one case for each kind
        match part:
            case ir.Assign(target=ir.Name(name=name), value=ir.Call() as call):
                if id(call) in self._opening and not self._inner:
                    self._open(name, call)
                self._call(call)
            case ir.Assign(target=target, value=value):
                if not isinstance(target, ir.Name):
                    self._visit(target)
                self._visit(value)
            case ir.Call():
                self._call(part)
            case ir.Member(object=ir.Name(name=name), name=member):
                if member in self._closing:
                    self._give_away(name)
            case ir.Name(name=name):
                self._give_away(name)
            case ir.Operation(operator=operator, operands=operands) if (
                operator in COMPARISONS or operator in NOT
            ):
                for operand in operands:
                    if not isinstance(operand, ir.Name):
                        self._visit(operand)
            case ir.If(test=test, yes=yes, no=no):
                if not isinstance(test, ir.Name):
                    self._visit(test)
                self.statements(yes)
                self.statements(no)
            case ir.Loop(iterable=ir.Name(), body=body, otherwise=otherwise):
                self.statements(body)
                self.statements(otherwise)
            case ir.Try(body=body, handlers=handlers, final=final):
                self.statements(body)
                # Ways out of a handler begin where opening may have failed.
                left = len(self._left)
                for handler in handlers:
                    self.statements(handler.body)
                del self._left[left:]
                before, self._final = self._final, True
                self.statements(final)
                self._final = before
            case ir.Function(body=body):
                before, self._inner = self._inner, True
                self.statements(body)
                self._inner = before
            case ir.Return() | ir.Leave(kind="raise" | "throw"):
                if not self._inner:
                    self._left.append(part.node.start_byte)
                self._children(part)
            case _:
                self._children(part)

    def _children(self, part: object) -> None:
        if not is_dataclass(part):
            return
        for each in fields(part):
            if each.name in _SKIPPED:
                continue
            value = getattr(part, each.name)
            if isinstance(value, list):
                for item in cast("list[object]", value):
                    if isinstance(item, tuple):
                        for inner in cast("tuple[object, ...]", item):
                            self._visit(inner)
                    else:
                        self._visit(item)
            elif is_dataclass(value):
                self._visit(value)

    def _open(self, name: str, call: ir.Call) -> None:
        if name in self._opened:
            # Opened anew under the same name: which of them is closed cannot be told.
            self._opened[name].gone = True
            return
        self._opened[name] = _Opened(call.node)

    def _give_away(self, name: str) -> None:
        known = self._opened.get(name)
        if known is not None:
            known.gone = True

    def _call(self, call: ir.Call) -> None:
        match call.callee:
            case ir.Member(object=ir.Name(name=name), name=method):
                known = self._opened.get(name)
                if known is not None and self._inner:
                    known.gone = True
                elif known is not None and method in self._closing:
                    known.closed.append(call.node.start_byte)
                    known.safe = known.safe or self._final
            case ir.Name():
                pass
            case callee:
                self._visit(callee)
        borrows = written_of(call.callee) in self._borrowing
        for argument in call.arguments:
            if not (borrows and isinstance(argument.value, ir.Name)):
                self._visit(argument.value)
