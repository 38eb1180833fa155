"""Statements: the way of values through branches, loops and calls of a file's own functions.

Each function is read once in its own right, with parameters of which nothing is known, and once
more for each kind of arguments that it is called with. A loop's body is read twice, so that what
its end assigns reaches its beginning. Branches on constants are followed only the way that is
taken. What is left out of account: exceptions from anywhere but the body's end, aliases of
containers, and what other files do.
"""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from coai_agents.static import ir
from coai_agents.static.containers import elements
from coai_agents.static.evaluation import (
    REJECTED,
    Evaluator,
    Passed,
    extended,
    extended_call,
    written_of,
)
from coai_agents.static.folding import AND, NOT, OR, truth
from coai_agents.static.scope import Scope
from coai_agents.static.values import EVERYTHING, NOTHING, Kind, Taint, Value, join, merged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tree_sitter import Node

    from coai_agents.static.matching import RuleSet
    from coai_agents.static.report import Reporter
    from coai_agents.static.rules import SourceRule

MAX_CALLS: Final = 4
"""Calls are followed so deep."""

MAX_READINGS: Final = 12
"""So many kinds of arguments a function is read with."""

STEPS_PER_LOOK: Final = 256
"""The clock is looked at once in so many steps."""

class OutOfTimeError(Exception):
    """The time for one file is over."""


class Interpreter(Evaluator):
    """Reads one file."""

    def __init__(self, rules: RuleSet, report: Reporter, *, deadline: float) -> None:
        super().__init__(rules, report)
        self._deadline = deadline
        self._steps = 0
        self._pending: list[tuple[ir.Function, Scope]] = []
        self._seen: set[int] = set()
        self._readings: dict[tuple[object, ...], Value] = {}
        self._times_read: dict[int, int] = {}
        self._active: list[int] = []
        self._returned: list[list[Value]] = []
        self._routes: list[list[Any]] = []
        self._loops = 0
        self._exits: list[list[dict[str, Value]]] = []
        self._run: dict[type, Callable[[Any, Scope], bool]] = {
            ir.Assign: self._assign,
            ir.Evaluate: self._evaluated,
            ir.If: self._if,
            ir.Switch: self._switch,
            ir.Loop: self._loop,
            ir.Try: self._try,
            ir.Return: self._return,
            ir.Leave: self._leave,
            ir.Define: self._define,
            ir.Class: self._class,
            ir.Import: self._import,
            ir.With: self._with,
            ir.Block: self._block,
        }

    def tick(self) -> None:
        """Count a step; raises `OutOfTimeError` when the time is over."""
        self._steps += 1
        if self._steps % STEPS_PER_LOOK == 0 and perf_counter() > self._deadline:
            raise OutOfTimeError

    def read(self, module: ir.Module) -> None:
        """Read a file: first what it does when it is loaded, then every function in it."""
        scope = Scope()
        self._predefine(module.body, scope)
        self._returned.append([])
        self._routes.append([])
        self._body(module.body, scope)
        while self._pending:
            function, around = self._pending.pop(0)
            self._read_function(function, around)

    # ----------------------------------------------------------------------------- statements

    def _body(self, statements: Sequence[ir.Statement], scope: Scope) -> bool:
        """Read statements; say whether what follows them cannot be reached."""
        run = self._run
        return any(run[type(statement)](statement, scope) for statement in statements)

    def _predefine(self, statements: Sequence[ir.Statement], scope: Scope) -> None:
        """Bind functions before their definitions are reached, for those called earlier."""
        for statement in statements:
            if isinstance(statement, ir.Define) and statement.function.name:
                name = statement.function.name
                scope.values[name] = Value(functions=((statement.function, scope),), qual=name)

    def _assign(self, statement: ir.Assign, scope: Scope) -> bool:
        value = self.eval(statement.value, scope)
        if statement.operator:
            before = ir.Operation(
                statement.node, statement.operator, [statement.target, statement.value]
            )
            value = self._combined(before, value, scope)
        if statement.type:
            value = self.typed(value, statement.type, scope)
        self.assign(statement.target, value, scope, statement.node)
        return False

    def _combined(self, operation: ir.Operation, value: Value, scope: Scope) -> Value:
        name = operation.operator
        before = self.eval(operation.operands[0], scope)
        if name in AND or name in OR:
            return join(before, value)
        if name in ("+", ".", "<<"):
            if before.known and value.known:
                constant = ir.Operation(
                    operation.node,
                    "+",
                    [ir.Const(operation.node, before.const), ir.Const(operation.node, value.const)],
                )
                return self.eval(constant, scope)
            return self._added((before, value))
        return Value(taints=merged((before.all_taints(), value.all_taints())))

    def typed(self, value: Value, declared: str, scope: Scope) -> Value:
        """Return a value that is known to be of a type."""
        qual = self.resolve(declared, scope)
        if value.items is None and self._stores(qual):
            return replace(value, qual=qual, items={})
        return replace(value, qual=qual)

    def resolve(self, name: str, scope: Scope) -> str:
        """Return the path of a type from its name as written."""
        first, dot, others = name.partition(".")
        known = scope.get(first)
        if known is None or not known.qual:
            return name
        return f"{known.qual}{dot}{others}"

    def _evaluated(self, statement: ir.Evaluate, scope: Scope) -> bool:
        value = statement.value
        self.eval(value, scope)
        return (
            isinstance(value, ir.Call)
            and isinstance(value.callee, ir.Name | ir.Member)
            and written_of(value.callee) in ("sys.exit", "exit", "quit", "os._exit", "os.Exit",
                                            "process.exit", "System.exit", "die", "log.Fatal",
                                            "abort", "flask.abort", "panic", "Environment.Exit")
        )

    def _if(self, statement: ir.If, scope: Scope) -> bool:
        test = truth(self.eval(statement.test, scope).const)
        if test is not None:
            return self._body(statement.yes if test else statement.no, scope)
        before = scope.branch()
        self.narrow(statement.test, scope, holds=True)
        yes_leaves = self._body(statement.yes, scope)
        after_yes = scope.values
        scope.values = before
        self.narrow(statement.test, scope, holds=False)
        no_leaves = self._body(statement.no, scope)
        if yes_leaves and no_leaves:
            return True
        if no_leaves:
            scope.values = after_yes
        elif not yes_leaves:
            scope.merge(after_yes)
        return False

    def _switch(self, statement: ir.Switch, scope: Scope) -> bool:
        subject = self.eval(statement.subject, scope)
        chosen = self._chosen(statement, subject, scope)
        if chosen is not None:
            return self._cases(statement, chosen, scope)
        before = scope.branch()
        ends: list[dict[str, Value]] = []
        has_default = False
        for at, case in enumerate(statement.cases):
            scope.values = dict(before)
            has_default = has_default or case.default
            if not case.default:
                for pattern in case.patterns:
                    self.eval(pattern, scope)
                self._narrow_case(subject, scope)
            if not self._cases(statement, at, scope):
                ends.append(scope.values)
        if not has_default:
            ends.append(before)
        if not ends:
            return True
        scope.values = ends[0]
        for end in ends[1:]:
            scope.merge(end)
        return False

    def _chosen(self, statement: ir.Switch, subject: Value, scope: Scope) -> int | None:
        """Return the case that a constant leads to; None if that cannot be told."""
        if not subject.known:
            return None
        default: int | None = None
        for at, case in enumerate(statement.cases):
            if case.default:
                default = at
                continue
            for pattern in case.patterns:
                value = self.eval(pattern, scope)
                if not value.known:
                    return None
                if value.const == subject.const:
                    return at
        return len(statement.cases) if default is None else default

    def _cases(self, statement: ir.Switch, first: int, scope: Scope) -> bool:
        """Read a case, and those that it falls into; a `break` ends it and goes on behind."""
        self._exits.append([])
        left = False
        for case in statement.cases[first:]:
            left = self._body(case.body, scope)
            if left or not statement.falls:
                break
        exits = self._exits.pop() if statement.falls else self._handed_on()
        if not exits:
            return left
        if left:
            scope.values = exits.pop()
        for values in exits:
            scope.merge(values)
        return False

    def _handed_on(self) -> list[dict[str, Value]]:
        """Let `break` and `continue` in a case mean the loop around it."""
        exits = self._exits.pop()
        if self._exits:
            self._exits[-1] += exits
        return []

    def _narrow_case(self, subject: Value, scope: Scope) -> None:
        """Take into account that what was compared with constants is one of them."""
        self._clear(subject.taints, frozenset({EVERYTHING}), scope)

    def _loop(self, statement: ir.Loop, scope: Scope) -> bool:
        if statement.test is not None:
            test = truth(self.eval(statement.test, scope).const)
            if test is False:
                return self._body(statement.otherwise, scope)
        before = scope.branch()
        self._loops += 1
        for _ in range(2 if self._loops <= 2 else 1):  # noqa: PLR2004 - deeper loops once
            if statement.iterable is not None:
                iterable = self.eval(statement.iterable, scope)
                if statement.target is not None:
                    self._bind_elements(statement, iterable, scope)
            elif statement.test is not None:
                self.eval(statement.test, scope)
                self.narrow(statement.test, scope, holds=True)
            self._exits.append([])
            self._body(statement.body, scope)
            for left in self._exits.pop():
                scope.merge(left)
            scope.merge(before)
        self._loops -= 1
        self._body(statement.otherwise, scope)
        return False

    def _bind_elements(self, statement: ir.Loop, iterable: Value, scope: Scope) -> None:
        target = statement.target
        assert target is not None
        element = elements(iterable)
        if isinstance(target, ir.Container) and (statement.pairs or iterable.items is None):
            for item in target.items:
                self.assign(item.value, element, scope, statement.node)
        else:
            self.assign(target, element, scope, statement.node)

    def _try(self, statement: ir.Try, scope: Scope) -> bool:
        before = scope.branch()
        left = self._body(statement.body, scope)
        after = scope.values
        ends = [] if left else [after]
        for handler in statement.handlers:
            scope.values = dict(before)
            scope.merge(after)
            if handler.name:
                scope.values[handler.name] = Value(qual=handler.types[0] if handler.types else "")
            if not self._body(handler.body, scope):
                ends.append(scope.values)
        scope.values = dict(ends[0] if ends else after)
        for end in ends[1:]:
            scope.merge(end)
        leaves = self._body(statement.final, scope)
        return leaves or not ends

    def _return(self, statement: ir.Return, scope: Scope) -> bool:
        if statement.value is not None:
            value = self.eval(statement.value, scope)
            self._returned[-1].append(value)
            for clause in self._routes[-1]:
                self._check_returned(clause, value, statement.node)
        return True

    def _check_returned(self, clause: Any, value: Value, node: Node) -> None:  # noqa: ANN401
        from coai_agents.static.conditions import Occasion  # noqa: PLC0415

        self.report.check(clause, Occasion(node, (value,)))

    def _leave(self, statement: ir.Leave, scope: Scope) -> bool:
        if statement.value is not None:
            self.eval(statement.value, scope)
        if statement.kind in ("break", "continue") and self._exits:
            self._exits[-1].append(scope.values)
        return True

    def _define(self, statement: ir.Define, scope: Scope) -> bool:
        function = statement.function
        value = self.define(function, scope)
        for decorator in function.decorators:
            self.eval(decorator, scope)
        if function.method and scope.members is not None:
            scope.members[function.name] = value
        scope.values[function.name] = value
        return False

    def define(self, function: ir.Function, scope: Scope) -> Value:
        """Take note of a function, to be read in its own right when what is around it was."""
        if id(function) not in self._seen:
            self._seen.add(id(function))
            self._pending.append((function, scope))
        return Value(functions=((function, scope),), qual=function.name)

    def _class(self, statement: ir.Class, scope: Scope) -> bool:
        for decorator in statement.decorators:
            self.eval(decorator, scope)
        inner = Scope(scope)
        inner.members = {}
        for base in statement.bases:
            known = scope.get(base)
            if known is not None and known.items is not None:
                inner.members.update({str(key): item for key, item in known.items.items()})
        self._body(statement.body, inner)
        for name, value in inner.values.items():
            inner.members.setdefault(name, value)
        members: dict[object, Value] = {key: item for key, item in inner.members.items()}
        scope.values[statement.name] = Value(qual=statement.name, items=members)
        return False

    def _import(self, statement: ir.Import, scope: Scope) -> bool:
        for name, path in statement.names:
            scope.values[name] = Value(qual=path)
        return False

    def _with(self, statement: ir.With, scope: Scope) -> bool:
        for target, expr in statement.bindings:
            value = self.eval(expr, scope)
            if target is not None:
                self.assign(target, value, scope, statement.node)
        return self._body(statement.body, scope)

    def _block(self, statement: ir.Block, scope: Scope) -> bool:
        return self._body(statement.body, scope)

    # ------------------------------------------------------------------------------ functions

    def _read_function(self, function: ir.Function, around: Scope) -> None:
        """Read a function in its own right: who calls it is not known."""
        scope = Scope(around)
        source = self._entry(function, around)
        for parameter in function.parameters:
            scope.values[parameter.name] = self._unknown(parameter, source, function, scope)
        decorated = [self._path_of(each, around) for each in function.decorators]
        routes = [
            clause
            for path in decorated
            for clause in self.rules.returns.matching(path.rpartition(".")[2], path)
        ]
        self._execute(function, scope, routes)

    def _entry(self, function: ir.Function, around: Scope) -> SourceRule | None:
        """Return the rule by which a function's parameters come from outside, if any does."""
        for decorator in function.decorators:
            path = self._path_of(decorator, around)
            source = self.rules.source_decorators.first(path.rpartition(".")[2], path)
            if source is not None:
                return source
        return self.rules.source_functions.get(function.name)

    def _path_of(self, decorator: ir.Expr, scope: Scope) -> str:
        callee = decorator.callee if isinstance(decorator, ir.Call) else decorator
        match callee:
            case ir.Name(name=name):
                known = scope.get(name)
                return known.qual if known is not None and known.qual else name
            case ir.Member(object=of, name=name):
                return extended(self._path_of(of, scope), name)
            case ir.Call():
                return extended_call(self._path_of(callee, scope))
            case _:
                return ""

    def _unknown(
        self,
        parameter: ir.Parameter,
        source: SourceRule | None,
        function: ir.Function,
        scope: Scope,
    ) -> Value:
        rules = self.rules
        declared = self.resolve(parameter.type, scope) if parameter.type else ""
        qual = declared or parameter.name
        items = {} if self._stores(qual) else None
        name = parameter.name
        if name in SELF_NAMES and function.method:
            return Value(qual=name)
        by_type = rules.source_types.get(declared) or rules.source_types.get(parameter.type)
        if by_type is not None:
            return self._from_source(by_type, parameter, qual)
        for annotation in parameter.annotations:
            for path in self._annotation_paths(annotation, scope):
                found = rules.source_annotations.first(path.rpartition(".")[2], path)
                if found is not None:
                    return self._from_source(found, parameter, qual)
        if source is not None and (not source.parameters or name in source.parameters):
            scalar = parameter.type in ("int", "float", "bool", "UUID", "uuid.UUID", "datetime")
            if not scalar and rules.source_members.first(name, name) is None:
                return self._from_source(source, parameter, qual)
        label = f"the parameter {name}"
        taint = Taint(Kind.PARAMETER, parameter.node, label, frozenset())
        return Value(taints=(taint,), qual=qual, items=items)

    def _annotation_paths(self, annotation: ir.Expr, scope: Scope) -> list[str]:
        found = [self._path_of(annotation, scope)]
        if isinstance(annotation, ir.Index):
            found += self._annotation_paths(annotation.object, scope)
            if annotation.key is not None:
                found += self._annotation_paths(annotation.key, scope)
        elif isinstance(annotation, ir.Container):
            for item in annotation.items:
                found += self._annotation_paths(item.value, scope)
        elif isinstance(annotation, ir.Several):
            for part in annotation.parts:
                found += self._annotation_paths(part, scope)
        return found

    def _from_source(self, source: SourceRule, parameter: ir.Parameter, qual: str) -> Value:
        label = source.label.replace("{}", parameter.name)
        return Value(taints=(Taint(source.kind, parameter.node, label, frozenset()),), qual=qual)

    def _execute(self, function: ir.Function, scope: Scope, routes: list[Any]) -> Value:
        self._returned.append([])
        self._routes.append(routes)
        self._active.append(id(function))
        loops, self._loops = self._loops, 0
        exits, self._exits = self._exits, []
        try:
            self._predefine(function.body, scope)
            self._body(function.body, scope)
        finally:
            self._active.pop()
            self._routes.pop()
            self._loops = loops
            self._exits = exits
            returned = self._returned.pop()
        if not returned:
            return NOTHING
        value = returned[0]
        for other in returned[1:]:
            value = join(value, other)
        return value

    def apply(
        self,
        functions: Sequence[tuple[ir.Function, Scope]],
        passed: Passed,
        receiver: Value | None,
        node: Node,
    ) -> Value | None:
        """Return what a call of functions of this file returns; None if that is not known."""
        value: Value | None = None
        for function, around in functions:
            returned = self._apply_one(function, around, passed, receiver, node)
            if returned is None:
                return None
            value = returned if value is None else join(value, returned)
        return value

    def _apply_one(
        self,
        function: ir.Function,
        around: Scope,
        passed: Passed,
        receiver: Value | None,
        node: Node,
    ) -> Value | None:
        if len(self._active) > MAX_CALLS or id(function) in self._active:
            return None
        scope = Scope(around)
        self._bind(function, passed, receiver, node, scope)
        given = tuple(_signature(scope.values[each.name]) for each in function.parameters)
        reading = (id(function), given)
        known = self._readings.get(reading)
        if known is not None:
            return known
        times = self._times_read.get(id(function), 0)
        if times >= MAX_READINGS:
            return None
        self._times_read[id(function)] = times + 1
        value = self._execute(function, scope, [])
        self._readings[reading] = value
        return value

    def _bind(
        self,
        function: ir.Function,
        passed: Passed,
        receiver: Value | None,
        node: Node,
        scope: Scope,
    ) -> None:
        parameters = function.parameters
        if parameters and parameters[0].name in SELF_NAMES and function.method:
            scope.values[parameters[0].name] = receiver or NOTHING
            parameters = parameters[1:]
        positional = list(passed.positional)
        for at, parameter in enumerate(parameters):
            name = parameter.name
            if parameter.rest:
                value = Value(
                    items=dict(enumerate(positional[at:])),
                    length=max(0, len(positional) - at),
                    rest=merged(each.all_taints() for each in passed.named.values()),
                )
            elif name in passed.named:
                value = passed.named[name]
            elif at < len(positional):
                value = positional[at]
            elif parameter.default is not None and not passed.open_ended:
                value = self.eval(parameter.default, scope)
            else:
                value = NOTHING
            if parameter.type:
                value = replace(value, qual=value.qual or self.resolve(parameter.type, scope))
            if value.taints:
                value = replace(
                    value,
                    taints=tuple(
                        taint
                        if taint.kind is Kind.PARAMETER
                        else taint.through(node, f"passed to {function.name or 'a function'}")
                        for taint in value.taints
                    ),
                )
            scope.values[name] = value

    # -------------------------------------------------------------------------------- guards

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

    def _clear(
        self, taints: Sequence[Taint], categories: frozenset[str], scope: Scope
    ) -> None:
        """Take into account that what comes from somewhere is harmless from here on."""
        origins = [taint.origin for taint in taints]
        if not origins:
            return
        for name, value in scope.values.items():
            cleared = _cleared(value, origins, categories)
            if cleared is not value:
                scope.values[name] = cleared


SELF_NAMES: Final = frozenset({"self", "cls"})


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
    return replace(value, taints=taints, rest=rest, items=items)


def _without(
    taints: tuple[Taint, ...], origins: Sequence[Node], categories: frozenset[str]
) -> tuple[Taint, ...]:
    if not any(taint.origin in origins for taint in taints):
        return taints
    return tuple(
        taint.without(categories) if taint.origin in origins else taint for taint in taints
    )


def _signature(value: Value) -> object:
    """Return what two arguments must have in common to lead through a function the same way."""
    const = value.const if isinstance(value.const, (str, int, bool)) else None
    known = value.known
    taints = tuple((taint.origin.id, taint.kind, taint.cleared) for taint in value.all_taints())
    functions = tuple(id(function) for function, _ in value.functions)
    return known, const, taints, functions, value.qual, value.length


