"""Tests: what is known of values where a test holds, and where it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from coai_agents.static import ir
from coai_agents.static.calls import REJECTED, Calls
from coai_agents.static.folding import AND, NOT, OR
from coai_agents.static.pieces import extended, written_of
from coai_agents.static.values import EVERYTHING, NOTHING, Taint, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from coai_agents.static.scope import Scope


class Guards(Calls):
    """Adds what tests tell."""

    def _call(self, expr: ir.Call, scope: Scope) -> Value:
        value = super()._call(expr, scope)
        callee = expr.callee
        if isinstance(callee, ir.Member) and self.rules.confirming.knows(callee.name):
            receiver = self.eval(callee.object, scope)
            path = extended(receiver.qual, callee.name)
            cleared = self.rules.confirming.first(callee.name, path, callee.written)
            if cleared is not None:
                self._clear(receiver.all_taints(), cleared, scope)
        return value

    def narrow(self, test: ir.Expr, scope: Scope, *, holds: bool) -> None:
        """Take into account that a test holds, or that it does not."""
        match test:
            case ir.Operation(operator=name, operands=[operand]) if name in NOT:
                self.narrow(operand, scope, holds=not holds)
            case ir.Operation(operator=name, operands=[one, other]) if name in AND or name in OR:
                if holds == (name in AND) or _is_type_test(one):
                    self.narrow(one, scope, holds=holds)
                    self.narrow(other, scope, holds=holds)
            case ir.Operation(operator=name, operands=[one, other]):
                self._narrow_comparison(name, one, other, scope, holds=holds)
            case ir.Call():
                self._narrow_call(test, scope, holds=holds)
            case ir.Binding(value=value):
                self.narrow(value, scope, holds=holds)
            case ir.Several(parts=[part]):
                self.narrow(part, scope, holds=holds)
            case _:
                pass

    def _narrow_comparison(
        self, name: str, one: ir.Expr, other: ir.Expr, scope: Scope, *, holds: bool
    ) -> None:
        left, right = self.eval(one, scope), self.eval(other, scope)
        if name in ("in", "not in"):
            inside = (name == "in") == holds
            if left.known and not inside:
                self._clear_rejected(left, right, scope)
            elif inside and not left.known and not right.all_taints():
                self._clear(left.taints, frozenset({EVERYTHING}), scope)
        elif name in ("==", "===", "is", "!=", "!==", "is not"):
            same = (name in ("==", "===", "is")) == holds
            if not same or (left.const is None and left.known):
                return
            if right.known and (right.const is None or right.const == ""):
                return
            # An index from a search that found nothing: the text is not there.
            if isinstance(right.const, int) and not isinstance(right.const, bool):
                if right.const < 0 and isinstance(one, ir.Call):
                    self._narrow_call(one, scope, holds=False)
                return
            if not right.taints:
                self._clear(left.taints, frozenset({EVERYTHING}), scope)
            elif not left.taints:
                self._clear(right.taints, frozenset({EVERYTHING}), scope)

    def _narrow_call(self, test: ir.Call, scope: Scope, *, holds: bool) -> None:
        callee = test.callee
        values = [self.eval(argument.value, scope) for argument in test.arguments]
        receiver = NOTHING
        if isinstance(callee, ir.Member):
            receiver = self.eval(callee.object, scope)
            name, path = callee.name, extended(receiver.qual, callee.name)
        else:
            name = path = callee.name if isinstance(callee, ir.Name) else ""
        searches = name in ("includes", "contains", "Contains", "indexOf", "include?", "find")
        if not holds and searches and values and receiver.taints:
            self._clear_rejected(values[0], receiver, scope)
            return
        if not holds and path in ("strings.Contains", "strpos", "str_contains") and len(values) > 1:
            self._clear_rejected(values[1], values[0], scope)
            return
        written = written_of(callee)
        cleared = self.rules.guards.first(name, path, written)
        if cleared is not None and values and values[0].const in ("'", '"'):
            cleared |= {"code:begins"}
        if cleared is None and not isinstance(callee, ir.Function):
            cleared = self.rules.guarded_by_name(f"{written}.{name}")
        if not holds or cleared is None:
            return
        for value in (receiver, *values):
            self._clear(value.all_taints(), cleared, scope)

    def _clear_rejected(self, text: Value, subject: Value, scope: Scope) -> None:
        """Take into account that a value has a text nowhere in it."""
        const = text.const
        if isinstance(const, str) and (categories := REJECTED.get(const)) is not None:
            self._clear(subject.all_taints(), frozenset(categories), scope)

    def _clear(self, taints: Sequence[Taint], categories: frozenset[str], scope: Scope) -> None:
        """Take into account that what comes from somewhere is harmless from here on."""
        origins = [taint.origin for taint in taints]
        if not origins:
            return
        for name, value in scope.values.items():
            cleared = _cleared(value, origins, categories)
            if cleared is not value:
                scope.values[name] = cleared


def _is_type_test(test: ir.Expr) -> bool:
    """Say whether a test only asks for a type: what stands beside it decides."""
    match test:
        case ir.Operation(operands=[ir.Operation(operator="typeof"), _]):
            return True
        case ir.Call(callee=ir.Name(name="isinstance")):
            return True
        case _:
            return False


def _cleared(value: Value, origins: Sequence[Node], categories: frozenset[str]) -> Value:
    taints = _without(value.taints, origins, categories)
    rest = _without(value.rest, origins, categories)
    items = value.items
    if items:
        inner = {key: _cleared(item, origins, categories) for key, item in items.items()}
        if any(inner[key] is not item for key, item in items.items()):
            items = inner
    if taints is value.taints and rest is value.rest and items is value.items:
        return value
    if rest is value.rest and items is value.items:
        return value.tainted_by(taints)
    return replace(value, taints=taints, rest=rest, items=items)


def _without(
    taints: tuple[Taint, ...], origins: Sequence[Node], categories: frozenset[str]
) -> tuple[Taint, ...]:
    if not any(taint.origin in origins for taint in taints):
        return taints
    return tuple(
        taint.without(categories) if taint.origin in origins else taint for taint in taints
    )
