"""Expressions: from the engine's nodes to what is known of their values.

One file, because each kind of node is one row of a table, and all of them call one another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

from coai_agents.analysis.dataflow import ir
from coai_agents.analysis.dataflow.conditions import Occasion
from coai_agents.analysis.dataflow.containers import (
    INTERSECTING,
    Methods,
    elements,
    is_closed,
    key_of,
    lookup,
    sequence,
    store,
)
from coai_agents.analysis.dataflow.folding import AND, COMPARISONS, OR, fold, truth
from coai_agents.analysis.dataflow.ir import UNKNOWN
from coai_agents.analysis.dataflow.objects.members import accessor, held, kept
from coai_agents.analysis.dataflow.pieces import (
    built,
    extended,
    formatted,
    is_settled,
    item_node,
    spread,
    with_taints,
    without_numbers,
    written_of,
)
from coai_agents.analysis.dataflow.values import NOTHING, Kind, Taint, Value, join, merged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tree_sitter import Node

    from coai_agents.analysis.dataflow.values import Scope
    from coai_agents.analysis.findings.report import Reporter
    from coai_agents.analysis.rules.matching import RuleSet
    from coai_agents.analysis.rules.rules import SourceRule

SELF: Final = frozenset({"self", "this", "cls", "$this"})

_FORMAT: Final = "%"

_ARITHMETIC: Final = frozenset(
    {"add", "mul", "div", "mod", "bits", "-", "**", "u-", "u+", "~", "u~", ">>", ">>>"}
)
"""Operators whose results are numbers, whatever they are given."""

_OWN: Final = frozenset({"slice", "extract", "elements"})
"""Operators that no language has, and adapters write."""

_REPEATED: Final = (ir.Member, ir.Index, ir.Call)
"""Expressions of which it is remembered what a test has shown, for where they are written again."""


def _comes_in(table: Value) -> bool:
    """Say whether a table has something of a request, or its own keys."""
    return bool(table.items) or any(taint.kind is Kind.REMOTE for taint in table.all_taints())


@dataclass(frozen=True, slots=True)
class Passed:
    """The arguments of a call, evaluated."""

    positional: tuple[Value, ...]
    named: dict[str, Value]
    open_ended: bool

    def consts(self) -> list[object]:
        """Return what those are that have no names."""
        return [value.const for value in self.positional]

    def values(self) -> tuple[Value, ...]:
        """Return all of them."""
        return (*self.positional, *self.named.values()) if self.named else self.positional


NO_ARGUMENTS: Final = Passed((), {}, open_ended=False)


class Expressions:
    """Evaluates expressions of one file; its subclasses add calls, assignments and statements."""

    def __init__(self, rules: RuleSet, report: Reporter) -> None:
        self.rules = rules
        self.report = report
        self.methods = Methods(rules.containers)
        self.enumerations: set[str] = set()
        """The file's enumerations: their values are harmless."""
        self._evaluate: dict[type, Callable[[Any, Scope], Value]] = {
            ir.Const: self._const,
            ir.Name: self._name,
            ir.Member: self._member,
            ir.Index: self._index,
            ir.Call: self._call,
            ir.Text: self._text,
            ir.Operation: self._operation,
            ir.Conditional: self._conditional,
            ir.Container: self._container,
            ir.Binding: self._binding,
            ir.Function: self._function,
            ir.Several: self._several,
        }

    def tick(self) -> None:
        """Count a step; raises if there were too many."""
        raise NotImplementedError

    def apply(
        self,
        functions: Sequence[tuple[ir.Function, Scope]],
        passed: Passed,
        receiver: Value | None,
        node: Node,
    ) -> Value | None:
        """Return what a call of functions of this file returns; None if that is not known."""
        raise NotImplementedError

    def instance(self, made: Value, passed: Passed, node: Node) -> Value | None:
        """Return an object of a class of this file; None if `made` is no such class."""
        raise NotImplementedError

    def define(self, function: ir.Function, scope: Scope) -> Value:
        """Take note of a function, to be looked at in its own right."""
        raise NotImplementedError

    def promised(self, passed: Passed, node: Node) -> Value | None:
        """Return what a function lets a promise be; None if that is not known."""
        raise NotImplementedError

    def yielded(self, values: Sequence[Value]) -> Value:
        """Take note of what a generator gives; nothing is known of what it is sent."""
        raise NotImplementedError

    def narrow(self, test: ir.Expr, scope: Scope, *, holds: bool) -> None:
        """Take into account that a test holds, or that it does not."""
        raise NotImplementedError

    def assign(self, target: ir.Expr, value: Value, scope: Scope, node: Node) -> None:
        """Let a target have a value."""
        raise NotImplementedError

    def _call(self, expr: ir.Call, scope: Scope) -> Value:
        raise NotImplementedError

    def _check_assignment(
        self, path: tuple[str, str, str], value: Value, node: Node, key: Value | None = None
    ) -> None:
        raise NotImplementedError

    def eval(self, expr: ir.Expr, scope: Scope) -> Value:
        """Return what is known of an expression's value."""
        self.tick()
        if scope.learnt and isinstance(expr, _REPEATED):
            known = scope.known(expr.node)
            if known is not None:
                return known
        return self._evaluate[type(expr)](expr, scope)

    def _const(self, expr: ir.Const, scope: Scope) -> Value:
        del scope
        value = expr.value
        if isinstance(value, str):
            return Value(const=value, lead=value)
        return Value(const=value)

    def _name(self, expr: ir.Name, scope: Scope) -> Value:
        name = expr.name
        value = scope.get(name)
        if value is None and scope.members is not None and (field := scope.members.get(f"@{name}")):
            # In Ruby a bare name may read a field.
            return field
        if value is None:
            value = Value(qual=name)
            if (source := self._source(name, name)) is not None:
                value = self.tainted(source, expr.node, name)
        if self.rules.uses:
            self.check_use(expr.node, name, value.qual, name)
        if value.functions and accessor(value, "call"):
            # A name alone calls it.
            return self.apply(value.functions, NO_ARGUMENTS, None, expr.node) or NOTHING
        return value

    def _source(self, name: str, *paths: str) -> SourceRule | None:
        """Return the rule by which what is read comes from outside, if any does."""
        found = self.rules.source_members.matching(name, *paths)
        return next((each for each in found if self.report.counts(each)), None)

    def _member(self, expr: ir.Member, scope: Scope) -> Value:
        of = expr.object
        name = expr.name
        base = self.eval(of, scope)
        if base.qual in self.enumerations and (not base.items or name in ("value", "name")):
            return Value(qual=base.qual)
        if isinstance(of, ir.Name) and of.name in SELF and scope.members is not None:
            found = kept(scope.members, name)
            if found is not None:
                return self._read(found, base, expr.node)
        elif base.objects and (found := held(base, name)) is not None:
            return with_taints(self._read(found, base, expr.node), base)
        if name == "freeze":
            return base
        qual = extended(base.qual, name)
        written = expr.written
        rules = self.rules
        if rules.uses:
            self.check_use(expr.node, name, qual, written)
        if base.items is not None and name in base.items:
            return lookup(base, name)
        source = self._source(name, qual, written)
        if source is not None:
            return self.tainted(source, expr.node, written or name, qual)
        if base.taints and rules.inert.first(name, qual) is not None:
            return Value(qual=qual)
        taints = merged((base.taints, base.rest))
        if taints and (cleared := rules.sanitizers.first(name, qual)):
            taints = tuple(taint.without(cleared) for taint in taints)
        return Value(taints=taints, qual=qual, loose=not taints and not is_settled(name))

    def _read(self, member: Value, of: Value, node: Node) -> Value:
        """Return what reading an object's member gives: what a function returns if it calls one."""
        if not accessor(member, "get", "call"):
            return member
        return self.apply(member.functions, NO_ARGUMENTS, of, node) or NOTHING

    def _index(self, expr: ir.Index, scope: Scope) -> Value:
        base = self.eval(expr.object, scope)
        if expr.key is None:
            return elements(base)
        key = self.eval(expr.key, scope)
        if base.functions:
            # In Ruby brackets call a function.
            called = Passed((key,), {}, open_ended=False)
            return self.apply(base.functions, called, None, expr.node) or NOTHING
        const = key_of(key)
        if isinstance(base.const, str) and isinstance(const, int):
            inside = -len(base.const) <= const < len(base.const)
            return Value(const=base.const[const]) if inside else NOTHING
        return self._item_of(expr, base, const)

    def _item_of(self, expr: ir.Index, base: Value, const: object) -> Value:
        """Return what stands under a key in what is no text and no function."""
        if base.objects and base.qual in self.enumerations:
            return Value(qual=base.qual)
        found = lookup(base, const)
        qual = extended(base.qual, "[]")
        written = written_of(expr.object) if isinstance(expr.object, ir.Name | ir.Member) else ""
        if isinstance(const, str) and written:  # `a["b"]` is what a rule calls `a.b`
            if (named := self._source(const, f"{written}.{const}")) is not None:
                return self.tainted(named, expr.node, f"{written}.{const}")
            if self.rules.inert.first(const, f"{written}.{const}") is not None:
                return Value(qual=qual)
        source = self._source("[]", qual, f"{written}.[]" if written else "")
        if source is not None:
            return self.tainted(source, expr.node, "", qual)
        if found is NOTHING or (not found.qual and found.items is None and not found.known):
            return replace(found, qual=qual)
        return found

    def _text(self, expr: ir.Text, scope: Scope) -> Value:
        return built([self.eval(part, scope) for part in expr.parts])

    def _operation(self, expr: ir.Operation, scope: Scope) -> Value:  # noqa: PLR0911 - one for each kind
        name = expr.operator
        if name in AND or name in OR:
            return self._logical(expr, scope)
        operands = [self.eval(each, scope) for each in expr.operands]
        if name in _OWN:
            return self._own_operation(name, operands)
        if all(operand.known for operand in operands):
            value = fold(name, [operand.const for operand in operands])
            if value is not UNKNOWN:
                return Value(const=value, lead=value if isinstance(value, str) else "")
        if name in COMPARISONS or name in ("not", "!", "u!", "typeof", "instanceof"):
            return self._compared(name, operands)
        if name in INTERSECTING and any(map(is_closed, operands)):
            return NOTHING
        if name == "add" and any(operand.items is not None for operand in operands):
            return self._united(operands)
        if name in ("+", ".", "<<") and len(operands) == 2:  # noqa: PLR2004 - both sides
            return self._added(operands)
        if name == _FORMAT and isinstance(operands[0].const, str):
            return formatted(without_numbers(spread(operands)))
        if name in _ARITHMETIC:
            return NOTHING
        return Value(taints=merged(operand.all_taints() for operand in operands))

    def _own_operation(self, name: str, operands: Sequence[Value]) -> Value:
        """Return the value of what is an operation here only: a slice, the items of something."""
        if name == "slice":
            return self._sliced(operands)
        if name == "extract":
            table, key, before = operands
            return lookup(table, key.const) if _comes_in(table) else before
        return Value(items={}, rest=operands[0].all_taints())

    def _compared(self, name: str, operands: Sequence[Value]) -> Value:
        if name in ("in", "not in") and len(operands) == 2:  # noqa: PLR2004 - both sides
            where, key = operands[1], key_of(operands[0])
            if where.items is not None and not where.rest and key is not UNKNOWN:
                if key in where.items and where.length < 0:
                    return Value(const=name == "in")
                values = list(where.items.values())
                if where.length >= 0 and all(value.known for value in values):
                    return Value(const=(key in [each.const for each in values]) == (name == "in"))
        return NOTHING

    def _added(self, operands: Sequence[Value]) -> Value:
        one, other = operands
        if one.items is not None and other.items is not None:
            changed = self.methods.call("extend", one, (other,))
            if changed is not None:
                return changed[1]
            return Value(items={}, rest=merged((one.all_taints(), other.all_taints())))
        numeric = (isinstance(one.const, (int, float)) and not other.lead) or (
            isinstance(other.const, (int, float)) and not one.lead
        )
        if numeric:
            return Value(taints=merged((one.all_taints(), other.all_taints())))
        return built(operands)

    def _united(self, operands: Sequence[Value]) -> Value:
        """Return two tables as one; what is known of one of them only stays known."""
        one, other = operands
        if one.items is not None and other.items is not None:
            return self._added(operands)
        known, unknown = (one, other) if one.items is not None else (other, one)
        return replace(known, rest=merged((known.rest, unknown.taints)))

    def _sliced(self, operands: Sequence[Value]) -> Value:
        base = operands[0]
        bounds = [operand.const for operand in operands[1:]]
        if isinstance(base.const, (str, bytes)) and all(
            bound is None or isinstance(bound, int) for bound in bounds
        ):
            try:
                cut = base.const[slice(*cast("list[int | None]", bounds))]
            except (TypeError, ValueError):
                return NOTHING
            return Value(const=cut, lead=cut if isinstance(cut, str) else "")
        return Value(taints=base.all_taints(), qual=extended(base.qual, "[]"))

    def _logical(self, expr: ir.Operation, scope: Scope) -> Value:
        conjunction = expr.operator in AND
        first = self.eval(expr.operands[0], scope)
        known = truth(first.const)
        if known is not None and known != conjunction:
            return first
        before = scope.branch()
        self.narrow(expr.operands[0], scope, holds=conjunction)
        second = self.eval(expr.operands[1], scope)
        scope.merge(before)
        if known is not None:
            return second
        return join(replace(first, const=UNKNOWN), second)

    def _conditional(self, expr: ir.Conditional, scope: Scope) -> Value:
        test = truth(self.eval(expr.test, scope).const)
        if test is not None:
            return self.eval(expr.yes if test else expr.no, scope)
        before = scope.branch()
        self.narrow(expr.test, scope, holds=True)
        yes = self.eval(expr.yes, scope)
        after = scope.values
        scope.values = before
        self.narrow(expr.test, scope, holds=False)
        no = self.eval(expr.no, scope)
        scope.merge(after)
        return join(yes, no)

    def _container(self, expr: ir.Container, scope: Scope) -> Value:
        if not expr.keyed and not any(item.spread for item in expr.items):
            return sequence([self.eval(item.value, scope) for item in expr.items])
        made = Value(items={}, length=-1 if expr.keyed else 0)
        for item in expr.items:
            value = self.eval(item.value, scope)
            if item.spread:
                if value.items is not None and expr.keyed:
                    items = {**(made.items or {}), **value.items}
                    rest = merged((made.rest, value.rest, value.taints))
                    made = replace(made, items=items, rest=rest)
                else:
                    # Not seen through: there may be anything.
                    items = {**(made.items or {}), "*": NOTHING}
                    rest = merged((made.rest, value.all_taints()))
                    made = replace(made, items=items, length=-1, rest=rest)
            elif item.key is not None:
                named = self.eval(item.key, scope)
                key = key_of(named)
                made = store(made, key, value)
                if named.taints:
                    made = replace(made, rest=merged((made.rest, named.taints)))
                if isinstance(key, str) and self.rules.assignments:
                    path = (key, f"{{}}.{key}", "")
                    self._check_assignment(path, value, item_node(item))
            else:
                changed = self.methods.call("append", made, (value,))
                key = len(made.items or {})
                made = changed[1] if changed else store(made, key, value)
        return made

    def _binding(self, expr: ir.Binding, scope: Scope) -> Value:
        value = self.eval(expr.value, scope)
        self.assign(expr.target, value, scope, expr.node)
        return value

    def _function(self, expr: ir.Function, scope: Scope) -> Value:
        return self.define(expr, scope)

    def _several(self, expr: ir.Several, scope: Scope) -> Value:
        if expr.kind == "comprehension":
            return self._comprehension(expr.parts, scope)
        values = [self.eval(part, scope) for part in expr.parts]
        if expr.kind == "yield":
            return self.yielded(values)
        if len(values) == 1 or (values and expr.kind == "last"):
            return values[-1]
        return Value(taints=merged(value.all_taints() for value in values))

    def _comprehension(self, parts: Sequence[ir.Expr], scope: Scope) -> Value:
        """Return a comprehension's value; its last part is what is made for each item."""
        before: dict[str, Value] | None = None
        for part in parts[:-1]:
            self.eval(part, scope)
            if not isinstance(part, ir.Binding):
                before = before or scope.branch()
                self.narrow(part, scope, holds=True)
        self.report.place.loops += 1
        made = self.eval(parts[-1], scope)
        self.report.place.loops -= 1
        if before is not None:
            # What is left out here is not left out elsewhere.
            scope.values = before
        return Value(taints=made.all_taints())

    def check_use(self, node: Node, name: str, qual: str, written: str) -> None:
        """Report what must not be used at all."""
        if self.rules.uses.knows(name):
            for clause in self.rules.uses.matching(name, qual, written):
                self.report.check(clause, Occasion(node))

    def tainted(self, source: SourceRule, node: Node, what: str, qual: str = "") -> Value:
        """Return a value that comes from a source."""
        label = source.label.replace("{}", what)
        return Value(taints=(Taint(source.kind, node, label, frozenset()),), qual=qual or what)
