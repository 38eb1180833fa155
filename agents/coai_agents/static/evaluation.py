"""Expressions: from the engine's nodes to what is known of their values."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

from coai_agents.static import ir
from coai_agents.static.conditions import Occasion
from coai_agents.static.containers import Methods, elements, key_of, lookup, sequence, store
from coai_agents.static.folding import AND, COMPARISONS, MAX_TEXT, OR, fold, truth
from coai_agents.static.ir import UNKNOWN
from coai_agents.static.matching import words_of
from coai_agents.static.scope import Scope
from coai_agents.static.values import NOTHING, Kind, Taint, Value, join, merged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tree_sitter import Node

    from coai_agents.static.matching import RuleSet
    from coai_agents.static.report import Reporter
    from coai_agents.static.rules import SourceRule

MAX_PATH: Final = 160
"""Longer paths of names say nothing any more: a builder's chain, a loop."""

SELF: Final = frozenset({"self", "this", "cls", "$this"})

_FORMAT: Final = "%"

_REPLACING: Final = frozenset({"replace", "replaceAll", "gsub", "Replace", "ReplaceAll", "tr"})

REJECTED: Final[dict[object, set[str]]] = {
    "'": {"sql", "xpath", "code:inside"},
    '"': {"sql", "xpath", "code:inside"},
    "..": {"path"},
    "../": {"path"},
    "/": {"path"},
    "\\": {"path"},
    "<": {"html"},
    ">": {"html"},
    ";": {"command"},
    "&": {"command"},
    "|": {"command"},
    "(": {"ldap"},
    ")": {"ldap"},
    "*": {"ldap"},
    "\n": {"log", "header"},
    "\r": {"log", "header"},
    "\r\n": {"log", "header"},
    "//": {"redirect"},
}
"""What a value without this text in it is harmless for."""

_WRAPPING: Final = frozenset({"wrap", "wrapper", "wrapped", "request", "params", "input", "proxy"})
"""Words in the name of a function that makes another object of a request."""

_PLACEHOLDER: Final = re.compile(r"[%{]")


@dataclass(frozen=True, slots=True)
class Passed:
    """The arguments of a call, evaluated."""

    positional: tuple[Value, ...]
    named: dict[str, Value]
    open_ended: bool

    def values(self) -> tuple[Value, ...]:
        """Return all of them."""
        return (*self.positional, *self.named.values()) if self.named else self.positional


class Evaluator:
    """Evaluates expressions of one file; what a call of the file's own functions does is above."""

    def __init__(self, rules: RuleSet, report: Reporter) -> None:
        self.rules = rules
        self.report = report
        self.methods = Methods(rules.containers)
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

    # What the interpreter adds.

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

    def define(self, function: ir.Function, scope: Scope) -> Value:
        """Take note of a function, to be looked at in its own right."""
        raise NotImplementedError

    def narrow(self, test: ir.Expr, scope: Scope, *, holds: bool) -> None:
        """Take into account that a test holds, or that it does not."""
        raise NotImplementedError

    # ------------------------------------------------------------------------------ all kinds

    def eval(self, expr: ir.Expr, scope: Scope) -> Value:
        """Return what is known of an expression's value."""
        self.tick()
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
        if value is None:
            value = Value(qual=name)
            if (source := self.rules.source_members.first(name, name)) is not None:
                value = self.tainted(source, expr.node, name)
        if self.rules.uses:
            self.check_use(expr.node, name, value.qual, name)
        return value

    def _member(self, expr: ir.Member, scope: Scope) -> Value:
        of = expr.object
        name = expr.name
        base = self.eval(of, scope)
        if isinstance(of, ir.Name) and of.name in SELF and scope.members is not None:
            kept = scope.members.get(name)
            if kept is not None:
                return kept
        qual = extended(base.qual, name)
        written = expr.written
        rules = self.rules
        if rules.uses:
            self.check_use(expr.node, name, qual, written)
        if base.items is not None and name in base.items:
            return lookup(base, name)
        source = rules.source_members.first(name, qual, written)
        if source is not None:
            return self.tainted(source, expr.node, written or name, qual)
        if base.taints and rules.inert.first(name, qual) is not None:
            return Value(qual=qual)
        return Value(taints=merged((base.taints, base.rest)), qual=qual)

    def _index(self, expr: ir.Index, scope: Scope) -> Value:
        base = self.eval(expr.object, scope)
        if expr.key is None:
            return elements(base)
        key = self.eval(expr.key, scope)
        const = key_of(key)
        if isinstance(base.const, str) and isinstance(const, int):
            try:
                return Value(const=base.const[const])
            except IndexError:
                return NOTHING
        found = lookup(base, const)
        qual = extended(base.qual, "[]")
        written = isinstance(expr.object, ir.Name | ir.Member) and written_of(expr.object)
        source = self.rules.source_members.first("[]", qual, f"{written}.[]" if written else "")
        if source is not None:
            return self.tainted(source, expr.node, "", qual)
        if found is NOTHING or (not found.qual and found.items is None and not found.known):
            return replace(found, qual=qual)
        return found

    def _text(self, expr: ir.Text, scope: Scope) -> Value:
        return built([self.eval(part, scope) for part in expr.parts])

    def _operation(self, expr: ir.Operation, scope: Scope) -> Value:
        name = expr.operator
        if name in AND or name in OR:
            return self._logical(expr, scope)
        operands = [self.eval(each, scope) for each in expr.operands]
        if name == "slice":
            return self._sliced(operands)
        if name == "elements":
            taints = operands[0].all_taints()
            return Value(items={}, rest=taints)
        if all(operand.known for operand in operands):
            value = fold(name, [operand.const for operand in operands])
            if value is not UNKNOWN:
                return Value(const=value, lead=value if isinstance(value, str) else "")
        if name in COMPARISONS or name in ("not", "!", "u!", "typeof", "instanceof"):
            return self._compared(name, operands)
        if name in ("+", ".", "<<") and len(operands) == 2:  # noqa: PLR2004 - both sides
            return self._added(operands)
        if name == _FORMAT and isinstance(operands[0].const, str):
            return formatted(operands)
        return Value(taints=merged(operand.all_taints() for operand in operands))

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
                key = key_of(self.eval(item.key, scope))
                made = store(made, key, value)
                if isinstance(key, str) and self.rules.assignments:
                    self._check_assignment(key, f"{{}}.{key}", "", value, None, item_node(item))
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
        values = [self.eval(part, scope) for part in expr.parts]
        if len(values) == 1:
            return values[0]
        if expr.kind == "comprehension":
            return Value(taints=values[-1].all_taints())
        return Value(taints=merged(value.all_taints() for value in values))

    # --------------------------------------------------------------------------------- calls

    def _call(self, expr: ir.Call, scope: Scope) -> Value:
        callee = expr.callee
        receiver: Value | None = None
        written = ""
        if isinstance(callee, ir.Member):
            receiver = self.eval(callee.object, scope)
            name, written = callee.name, callee.written
            of = callee.object
            qual = extended(receiver.qual, name)
            target = NOTHING
            if isinstance(of, ir.Name) and of.name in SELF and scope.members is not None:
                target = scope.members.get(name, NOTHING)
            elif receiver.items is not None and name in receiver.items:
                target = receiver.items[name]
        else:
            target = self.eval(callee, scope)
            qual = target.qual
            name = qual.rpartition(".")[2] or (callee.name if isinstance(callee, ir.Name) else "")
            written = callee.name if isinstance(callee, ir.Name) else ""
        passed = self._passed(expr.arguments, scope)
        occasion = Occasion(
            expr.node, passed.positional, passed.named, receiver, passed.open_ended
        )
        shadowed = bool(target.functions)
        if not shadowed:
            for clause in self.rules.calls.matching(name, qual, written):
                self.report.check(clause, occasion)
            source = self.rules.source_calls.first(name, qual, written)
            if source is not None:
                return self.tainted(source, expr.node, f"{name}()", f"{qual}()")
        self.callbacks(passed, receiver, expr.node)
        if shadowed:
            returned = self.apply(target.functions, passed, receiver, expr.node)
            if returned is not None:
                return returned
        if receiver is not None and isinstance(callee, ir.Member):
            changed = self._changed(callee, receiver, passed, scope)
            if changed is not None:
                return changed
        return self._unknown_call(expr, name, qual, written, target, receiver, passed)

    def _changed(
        self, callee: ir.Member, receiver: Value, passed: Passed, scope: Scope
    ) -> Value | None:
        """Return what a container's method returns, and change the container."""
        outcome = self.methods.call(callee.name, receiver, passed.positional)
        if outcome is None:
            return None
        returned, after = outcome
        if after is not receiver:
            self.assign(callee.object, after, scope, callee.node)
        return returned

    def _unknown_call(
        self,
        expr: ir.Call,
        name: str,
        qual: str,
        written: str,
        target: Value,
        receiver: Value | None,
        passed: Passed,
    ) -> Value:
        rules = self.rules
        result = qual if expr.creates else extended_call(qual)
        named = rules.results.first(name, qual, written)
        if named is not None:
            result = named
        items = {} if rules.containers.stores and self._stores(result) else None
        length = -1
        if rules.inert.first(name, qual, written) is not None:
            return Value(qual=result, items=items)
        groups = [value.all_taints() for value in passed.values()]
        if receiver is not None:
            groups.append(receiver.all_taints())
        taints = merged(groups)
        if rules.carriers and (carried := self._carried(name, passed, expr.node)):
            taints = merged((carried, taints))
        if taints:
            cleared = rules.sanitizers.first(name, qual, written)
            if cleared is None and not target.functions:
                cleared = rules.cleaned_by_name(name)
            if cleared is None and name in _REPLACING and passed.positional:
                cleared = frozenset(REJECTED.get(passed.positional[0].const, ())) - {"path"}
            if cleared:
                taints = tuple(taint.without(cleared) for taint in taints)
        if expr.creates and target.items is not None:
            items = dict(target.items)
        # Named arguments stay readable on what a constructor makes.
        if passed.named and items is None and (expr.creates or name[:1].isupper()):
            items = {key: value for key, value in passed.named.items()}
            taints = ()
        text = name in ("format", "sprintf", "Sprintf", "formatted", "Format", "concat", "Concat")
        parts = [*(() if receiver is None else (receiver,)), *passed.positional]
        made = formatted(parts) if text else NOTHING
        return Value(
            taints=taints,
            items=items,
            length=length,
            qual=result,
            built=made.built or (receiver is not None and receiver.built),
            lead=made.lead or (_kept_lead(name, receiver)),
        )

    def _carried(self, name: str, passed: Passed, node: Node) -> tuple[Taint, ...]:
        """Return the taints of what wraps a request, by the name of the function that does."""
        if words_of(name).isdisjoint(_WRAPPING):
            return ()
        for value in passed.positional:
            last = value.qual.rpartition(".")[2]
            if value.qual and self.rules.carriers.first(last, value.qual) is not None:
                return (Taint(Kind.REMOTE, node, f"the request ({name})", frozenset()),)
        return ()

    def _stores(self, qual: str) -> bool:
        name = qual.removesuffix("()")
        last = name.rpartition(".")[2]
        return name in self.rules.containers.stores or last in self.rules.containers.stores

    def _passed(self, arguments: Sequence[ir.Argument], scope: Scope) -> Passed:
        positional: list[Value] = []
        named: dict[str, Value] = {}
        open_ended = False
        for argument in arguments:
            value = self.eval(argument.value, scope)
            if argument.spread:
                open_ended = open_ended or value.items is None
                if value.items is not None and value.length < 0:
                    named.update({str(key): item for key, item in value.items.items()})
                elif value.items is not None:
                    positional += value.items.values()
                else:
                    positional.append(Value(taints=value.all_taints()))
            elif argument.name:
                named[argument.name] = value
            else:
                positional.append(value)
        return Passed(tuple(positional), named, open_ended)

    def callbacks(self, passed: Passed, receiver: Value | None, node: Node) -> None:
        """Call the functions that are passed, with what they may be called with."""
        functions = [value for value in passed.positional if value.functions]
        if not functions:
            return
        groups = [value.all_taints() for value in passed.values() if not value.functions]
        if receiver is not None:
            groups.append(receiver.all_taints())
        taints = tuple(taint for taint in merged(groups) if taint.kind is not Kind.PARAMETER)
        if not taints:
            return
        given = Passed((Value(taints=taints),) * 2, {}, open_ended=True)
        for value in functions:
            self.apply(value.functions, given, None, node)

    # --------------------------------------------------------------------- assigning and tainting

    def assign(self, target: ir.Expr, value: Value, scope: Scope, node: Node) -> None:
        """Let a target have a value."""
        match target:
            case ir.Name(name=name):
                if value.taints:
                    value = through(value, node, f"assigned to {name}")
                scope.values[name] = value
                if self.rules.assignments:
                    self._check_assignment(name, name, name, value, None, node)
            case ir.Member(object=of, name=name):
                base = self.eval(of, scope)
                qual = extended(base.qual, name)
                self._check_assignment(name, qual, target.written, value, None, node)
                if isinstance(of, ir.Name) and of.name in SELF and scope.members is not None:
                    before = scope.members.get(name)
                    scope.members[name] = value if before is None else join(before, value)
                elif isinstance(of, ir.Name | ir.Member | ir.Index):
                    self._put_back(of, store(base, name, value), scope)
            case ir.Index(object=of, key=key):
                base = self.eval(of, scope)
                at = NOTHING if key is None else self.eval(key, scope)
                written = written_of(of)
                qual = extended(base.qual, "[]")
                self._check_assignment("[]", qual, f"{written}.[]" if written else "", value, at, node)
                if isinstance(of, ir.Name | ir.Member | ir.Index):
                    if key is None:
                        changed = self.methods.call("append", base, (value,))
                        after = changed[1] if changed else store(base, UNKNOWN, value)
                    else:
                        after = store(base, key_of(at), value)
                    self._put_back(of, after, scope)
            case ir.Container(items=items):
                self._unpack(items, value, scope, node)
            case ir.Several(parts=parts):
                for part in parts:
                    self.assign(part, Value(taints=value.all_taints()), scope, node)
            case _:
                pass

    def _unpack(
        self, items: Sequence[ir.Item], value: Value, scope: Scope, node: Node
    ) -> None:
        for at, item in enumerate(items):
            if item.spread:
                part = Value(items={}, rest=value.all_taints())
            elif item.key is not None:
                key = key_of(self.eval(item.key, scope))
                part = lookup(value, key)
                if isinstance(key, str):
                    qual = extended(value.qual, key)
                    source = self.rules.source_members.first(key, qual)
                    if source is not None:
                        part = self.tainted(source, node, key, qual)
                    elif not part.qual:
                        part = replace(part, qual=qual)
            else:
                part = lookup(value, at)
                if part is NOTHING or not part.qual:
                    part = replace(part, qual=value.qual if at == 0 else "")
            self.assign(item.value, part, scope, node)

    def _put_back(self, target: ir.Expr, value: Value, scope: Scope) -> None:
        """Let what a container was read from have the changed container."""
        match target:
            case ir.Name(name=name):
                scope.values[name] = value
            case ir.Member(object=of, name=name):
                if isinstance(of, ir.Name) and of.name in SELF and scope.members is not None:
                    scope.members[name] = value
                elif isinstance(of, ir.Name | ir.Member):
                    base = self.eval(of, scope)
                    self._put_back(of, store(base, name, value), scope)
            case ir.Index(object=of, key=key) if key is not None:
                base = self.eval(of, scope)
                self._put_back(of, store(base, key_of(self.eval(key, scope)), value), scope)
            case _:
                pass

    def _check_assignment(
        self, name: str, qual: str, written: str, value: Value, key: Value | None, node: Node
    ) -> None:
        for clause in self.rules.assignments.matching(name, qual, written):
            named = {"value": value} if key is None else {"value": value, "key": key}
            self.report.check(clause, Occasion(node, (value,), named))

    def check_use(self, node: Node, name: str, qual: str, written: str) -> None:
        """Report what must not be used at all."""
        for clause in self.rules.uses.matching(name, qual, written):
            self.report.check(clause, Occasion(node))

    def tainted(self, source: SourceRule, node: Node, what: str, qual: str = "") -> Value:
        """Return a value that comes from a source."""
        label = source.label.replace("{}", what)
        return Value(taints=(Taint(source.kind, node, label, frozenset()),), qual=qual or what)


def item_node(item: ir.Item) -> Node:
    """Return where an item is: its key, or its value if it has none."""
    return item.value.node if item.key is None else item.key.node


def written_of(expr: ir.Expr) -> str:
    """Return a chain of names as it is written; nothing for anything else."""
    match expr:
        case ir.Name(name=name):
            return name
        case ir.Member(written=written):
            return written
        case _:
            return ""


def through(value: Value, node: Node, words: str) -> Value:
    """Return a value whose taints have gone one step further."""
    moved = tuple(
        taint if taint.kind is Kind.PARAMETER else taint.through(node, words)
        for taint in value.taints
    )
    return replace(value, taints=moved)


def extended(path: str, name: str) -> str:
    """Return the path of a member."""
    if len(path) > MAX_PATH:
        return f"….{name}"
    return f"{path or '?'}.{name}"


def extended_call(path: str) -> str:
    """Return the path of what a call returns."""
    return f"{path}()" if path else "?()"


def built(parts: Sequence[Value]) -> Value:
    """Return text put together from parts."""
    consts = [part.const for part in parts]
    if all(isinstance(const, str) for const in consts):
        text = "".join(cast("list[str]", consts))
        if len(text) <= MAX_TEXT:
            return Value(const=text, lead=text)
    lead = ""
    for part in parts:
        if isinstance(part.const, (str, int)) and not isinstance(part.const, bool):
            lead += str(part.const)
            continue
        lead += part.lead
        break
    return Value(taints=merged(part.all_taints() for part in parts), lead=lead, built=True)


def formatted(parts: Sequence[Value]) -> Value:
    """Return text made from a format and what is put into it."""
    made = built(parts)
    if made.known:
        return replace(made, const=UNKNOWN)
    return replace(made, lead=_PLACEHOLDER.split(made.lead, maxsplit=1)[0])


def _kept_lead(name: str, receiver: Value | None) -> str:
    if receiver is None or name not in ("encode", "decode", "toString", "rstrip", "trim"):
        return ""
    return receiver.lead
