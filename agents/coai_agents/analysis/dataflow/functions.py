"""Functions of the file: read in their own right, and for each kind of arguments.

One file, because both readings share what is known of a function.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow import ir
from coai_agents.analysis.dataflow.defaults import changed_defaults
from coai_agents.analysis.dataflow.guards import Guards
from coai_agents.analysis.dataflow.leaks import leaks
from coai_agents.analysis.dataflow.objects.members import is_class, is_own_method, strong
from coai_agents.analysis.dataflow.pieces import (
    extended,
    extended_call,
    through,
    within,
    written_of,
)
from coai_agents.analysis.dataflow.summaries import (
    Proofs,
    converted,
    outcome,
    signature,
    state,
    told,
)
from coai_agents.analysis.dataflow.values import NOTHING, Kind, Scope, Taint, Value, join, merged
from coai_agents.analysis.findings.report import Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from coai_agents.analysis.dataflow.dispatch import Callee
    from coai_agents.analysis.dataflow.expressions import Passed
    from coai_agents.analysis.findings.report import Reporter
    from coai_agents.analysis.rules.matching import RuleSet
    from coai_agents.analysis.rules.rules import Clause, SourceRule

MAX_CALLS: Final = 4
"""Calls are followed so deep."""

MAX_PLAIN_READINGS: Final = 1
"""So many of them if nothing that is passed comes from outside."""

MAX_OBJECT_READINGS: Final = 3
"""So many of a method, whose objects differ."""

MAX_READINGS: Final = 12
"""So many kinds of arguments a function is read with."""

_HOLDERS: Final = frozenset({"List", "Set", "Collection", "Optional", "IEnumerable", "Iterable"})
"""Types that are harmless if their arguments are."""

SHARED_DEFAULT: Final = "mutable-default"

CONVERTED: Final = frozenset({"int", "float", "bool", "UUID", "uuid.UUID", "datetime"})
"""Types of parameters whose values Python's frameworks have made of the text, which do no harm.

Python holds nobody to them elsewhere, so they are not among the `scalars` of its rules."""

_SHAPELESS: Final = frozenset({"Record", "Object", "Partial", "Map", "JSON"})
"""Types that say nothing of what an object has in it."""

BLOCK: Final = "yield"
"""The name of what a function is passed to call, which in Ruby needs no parameter."""

_HANDED_IN: Final = frozenset({"@Context", "@Suspended", "@Inject", "@Autowired", "@Named"})
"""Annotations of parameters that a framework fills with objects of its own."""

SELF_NAMES: Final = frozenset({"self", "cls"})


class Functions(Guards):
    """Adds calls of the file's own functions."""

    def __init__(self, rules: RuleSet, report: Reporter, *, follow: bool) -> None:
        super().__init__(rules, report)
        self._follow = follow
        self._pending: list[tuple[ir.Function, Scope]] = []
        self._seen: set[int] = set()
        self._readings: dict[tuple[object, ...], Value] = {}
        self._confirmed: dict[tuple[object, ...], Proofs] = {}
        """What readings have proven of their arguments, where a function ends by itself."""
        self._times_read: dict[int, int] = {}
        self._own: list[tuple[ir.Function, Scope, int]] = []
        """Methods that were read in their own right, and how much of their objects' fields came
        from outside then."""
        self._active: list[int] = []
        self._returned: list[list[Value]] = []
        self._yielded: list[list[Value]] = []
        self._routes: list[list[Clause]] = []
        self._loops = 0
        self._outcomes: dict[tuple[object, ...], dict[int, Value]] = {}
        """What readings have put into arguments that are the caller's, too."""
        self.classes: dict[str, Scope] = {}
        """The file's classes: what is known within them."""
        self._exits: list[list[dict[str, Value]]] = []

    def _predefine(self, statements: Sequence[ir.Statement], scope: Scope) -> None:
        raise NotImplementedError

    def _body(self, statements: Sequence[ir.Statement], scope: Scope) -> bool:
        raise NotImplementedError

    def _read_function(self, function: ir.Function, around: Scope) -> None:
        """Read a function in its own right: who calls it is not known."""
        if function.method and around.members is not None:
            self._own.append((function, around, strong(around.members)))
        scope = self._scope_of(function, around)
        source = self._entry(function, around)
        numbers = converted(function)
        for parameter in function.parameters:
            if parameter.name in numbers:
                scope.values[parameter.name] = Value(qual=numbers[parameter.name])
            else:
                scope.values[parameter.name] = self._unknown(parameter, source, function, scope)
        decorated = [self._path_of(each, around) for each in function.decorators]
        routes = [
            clause
            for path in decorated
            for clause in self.rules.returns.matching(path.rpartition(".")[2], path)
        ]
        for node in changed_defaults(function):
            self.report.add_of(SHARED_DEFAULT, node, "")
        before = len(self._opening)
        given = dict(scope.values)
        value = self._execute(function, scope, routes)
        self.learn(function, around, value, (given, scope.values))
        if self._follow and len(self._opening) > before:
            self._check_resources(function)

    def learn(
        self,
        function: ir.Function,
        around: Scope,
        value: Value,
        known: tuple[dict[str, Value], dict[str, Value]],
    ) -> None:
        """Take note of what a function returned that was read in its own right.

        `known` is what was known of its variables before and after.
        """
        raise NotImplementedError

    def _check_resources(self, function: ir.Function) -> None:
        known = self.rules.resources
        found = leaks(function, self._opening, known.close, known.borrow, strict=known.strict)
        for leak in found:
            self.report.add_of(known.rule, leak.node, known.some if leak.some else "")

    def _scope_of(self, function: ir.Function, around: Scope) -> Scope:
        """Return the scope in which a function is read."""
        scope = Scope(around)
        scope.closes = self.rules.rules.closures and not function.method
        return scope

    def _entry(self, function: ir.Function, around: Scope) -> SourceRule | None:
        """Return the rule by which a function's parameters come from outside, if any does."""
        for decorator in function.decorators:
            path = self._path_of(decorator, around)
            for source in self.rules.source_decorators.matching(path.rpartition(".")[2], path):
                if self.report.counts(source):
                    return source
        named = not function.name.startswith("__")
        bases = around.base_names if function.method and named else ()
        for source in self.rules.source_functions(function.name, bases):
            if self.report.counts(source):
                return source
        return None

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
        if self._is_harmless(parameter):
            return Value(qual=declared)
        qual = declared or parameter.name
        items: dict[object, Value] | None = {} if self._stores(qual) else None
        name = parameter.name
        if name in SELF_NAMES and function.method:
            return replace(scope.get("this") or NOTHING, qual=name)
        known = self.classes.get(declared)
        objects = () if known is None else (known,)
        by_type = rules.source_types.get(declared) or rules.source_types.get(parameter.type)
        if by_type is not None:
            return self._from_source(by_type, parameter, qual)
        scalar = parameter.type in CONVERTED
        for annotation in () if scalar else parameter.annotations:
            for path in self._annotation_paths(annotation, scope):
                found = rules.source_annotations.first(path.rpartition(".")[2], path)
                if found is not None:
                    return self._annotated(found, annotation, parameter, scope)
        exempt = scalar or rules.source_members.first(name, name) is not None
        written = {each.name for each in parameter.annotations if isinstance(each, ir.Name)}
        exempt = exempt or not written.isdisjoint(_HANDED_IN)
        if source is not None and source.bases:
            # What has a class is an object that the framework hands in, unless it is a text.
            exempt = exempt or (declared[:1].isupper() and declared != "String")
        meant = source is not None and (not source.parameters or name in source.parameters)
        if source is not None and meant and not exempt:
            return self._from_source(source, parameter, qual)
        label = f"the parameter {name}"
        taint = Taint(Kind.PARAMETER, parameter.node, label, frozenset())
        return Value(taints=(taint,), qual=qual, items=items, objects=objects)

    def _is_harmless(self, parameter: ir.Parameter) -> bool:
        """Say whether a parameter's type holds only what does no harm: numbers, enumerations."""
        held = parameter.arguments or (parameter.type,)
        return all(
            self.rules.is_scalar(each)
            or each in self.enumerations
            or (bool(parameter.arguments) and each in _HOLDERS)
            for each in held
        )

    def _annotated(
        self, source: SourceRule, annotation: ir.Expr, parameter: ir.Parameter, scope: Scope
    ) -> Value:
        """Return what a parameter holds whose annotation says that it comes from outside."""
        declared = parameter.type
        if isinstance(annotation, ir.Call):
            passed = self.passed(annotation.arguments, scope)
            if self._is_converted(source, annotation, passed):
                return Value(qual=declared)
        qual = self.resolve(declared, scope) if declared else parameter.name
        value = self._from_source(source, parameter, qual)
        if not source.modelled or not declared[:1].isupper() or declared in _SHAPELESS:
            return value
        taints = tuple(each.without(frozenset(source.modelled)) for each in value.taints)
        return replace(value, taints=taints)

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
        cleared = frozenset(source.clears)
        return Value(taints=(Taint(source.kind, parameter.node, label, cleared),), qual=qual)

    def _execute(self, function: ir.Function, scope: Scope, routes: list[Clause]) -> Value:
        self._returned.append([])
        self._yielded.append([])
        self._routes.append(routes)
        self._active.append(id(function))
        loops, self._loops = self._loops, 0
        exits, self._exits = self._exits, []
        place = self.report.place
        looping = 1 if id(function) in self._repeated else 0
        self.report.place = Place(looping, function.asynchronous, function.name)
        try:
            self._predefine(function.body, scope)
            self._body(function.body, scope)
        finally:
            self._active.pop()
            self._routes.pop()
            self._loops = loops
            self._exits = exits
            self.report.place = place
            returned = self._returned.pop()
            given = self._yielded.pop()
        if given:
            return Value(items={}, rest=merged(each.all_taints() for each in given))
        if not returned:
            return NOTHING
        value = returned[0]
        for other in returned[1:]:
            value = join(value, other)
        return value

    def yielded(self, values: Sequence[Value]) -> Value:
        """Take note of what a generator gives."""
        if self._yielded:
            self._yielded[-1] += values
        return NOTHING

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
        if not self._follow or len(self._active) > MAX_CALLS or id(function) in self._active:
            return None
        scope = self._scope_of(function, around)
        self._bind(function, passed, receiver, node, scope)
        given = tuple(signature(scope.values[each.name]) for each in function.parameters)
        held = state(around) if function.method or around.of is not None else ()
        reading = (id(function), given, held)
        known = self._readings.get(reading)
        if known is not None:
            self.proven = self._confirmed.get(reading, ())
            self.outcome = self._outcomes.get(reading, {})
            return known
        if self._times_read.get(id(function), 0) >= self._most_readings(passed, around, held):
            return None
        self._times_read[id(function)] = self._times_read.get(id(function), 0) + 1
        before = {each.name: scope.values[each.name] for each in function.parameters}
        value = self._execute(function, scope, [])
        self._readings[reading] = value
        self.outcome = self._outcomes[reading] = outcome(function, before, scope.values)
        if not any(isinstance(each, ir.Return) for each in function.body):
            self._confirmed[reading] = told(before, scope.values)
        self.proven = self._confirmed.get(reading, ())
        return value

    def _most_readings(self, passed: Passed, around: Scope, held: tuple[object, ...]) -> int:
        """Return how often a function is read with arguments such as these."""
        taints = [taint for value in passed.values() for taint in value.all_taints()]
        if any(taint.kind is not Kind.PARAMETER for taint in taints):
            return MAX_READINGS
        if around.of is None:
            return MAX_PLAIN_READINGS
        if around.members is not None and strong(around.members):
            return MAX_READINGS
        return MAX_OBJECT_READINGS if taints or len(held) > 1 else MAX_PLAIN_READINGS

    def tested(
        self, callee: ir.Expr, arguments: Sequence[ir.Argument], scope: Scope, *, holds: bool
    ) -> Proofs | None:
        """Return what a test by a function of this file tells; None if it is no such function."""
        target = self._callee(callee, scope)
        if not target.target.functions:
            return self.linked_test(target, arguments, scope, holds=holds)
        if len(target.target.functions) != 1:
            return None
        function, around = target.target.functions[0]
        if not self._follow or len(self._active) > MAX_CALLS or id(function) in self._active:
            return None
        inner = self._scope_of(function, around)
        self._bind(function, self.passed(arguments, scope), target.receiver, callee.node, inner)
        before = {each.name: inner.values[each.name] for each in function.parameters}
        self._active.append(id(function))
        try:
            self._narrow_body(function.body, inner, holds=holds)
        finally:
            self._active.pop()
        return told(before, inner.values)

    def judges(self, callee: ir.Expr, scope: Scope) -> bool:
        """Say whether a test may know more of its arguments than `tested` sees.

        It is not in this file, or it asks somebody else, or goes through the arguments in a loop.
        """
        target = self._callee(callee, scope).target
        return len(target.functions) != 1 or any(
            isinstance(each, ir.Loop) or (isinstance(each, ir.Call) and not self._is_known(each))
            for each in within(target.functions[0][0].body)
        )

    def _is_known(self, call: ir.Call) -> bool:
        callee = call.callee
        name = callee.name if isinstance(callee, ir.Name | ir.Member) else ""
        return self.tells_nothing(name, written_of(callee))

    def linked_test(
        self, callee: Callee, arguments: Sequence[ir.Argument], scope: Scope, *, holds: bool
    ) -> Proofs | None:
        """Return what a test by a function of another file tells; None if it is not known."""
        raise NotImplementedError

    def answered(self, function: ir.Function, around: Scope, *, holds: bool) -> Proofs:
        """Return what an answer of a function shows of its parameters."""
        inner = self._scope_of(function, around)
        for parameter in function.parameters:
            inner.values[parameter.name] = self._unknown(parameter, None, function, inner)
        before = {each.name: inner.values[each.name] for each in function.parameters}
        self._active.append(id(function))
        # What is wrong in it was said when it was read, and taken back where a test shows more.
        self.report.muted = True
        try:
            self._narrow_body(function.body, inner, holds=holds)
        finally:
            self._active.pop()
            self.report.muted = False
        return told(before, inner.values)

    def _narrow_body(self, body: Sequence[ir.Statement], scope: Scope, *, holds: bool) -> None:
        """Take into account that a function returns what counts as true, or does not."""
        for statement in body:
            match statement:
                case ir.Assign():
                    self._body([statement], scope)
                case ir.If(test=test, yes=[ir.Return(value=ir.Const(value=const))], no=[]):
                    if bool(const) != holds:
                        self.narrow(test, scope, holds=False)
                    elif not holds:
                        return
                case ir.Return(value=value) if value is not None:
                    self.narrow(value, scope, holds=holds)
                    return
                case _:
                    return

    def _bind_object(self, function: ir.Function, receiver: Value | None, scope: Scope) -> int:
        """Bind the object that a method is called on; return how many parameters that takes."""
        if is_own_method(function):
            own = function.parameters[0].name
            known = receiver if receiver is not None and receiver.objects else scope.get("this")
            value = replace(receiver or NOTHING, objects=(known or NOTHING).objects)
            if own in SELF_NAMES and not is_class(value):
                value = replace(value, qual=own)
            scope.values[own] = value
            return 1
        if receiver is not None and receiver.items is not None and scope.members is None:
            # A function that an object written down has, in JavaScript.
            scope.values["this"] = receiver
        return 0

    def _bind(
        self,
        function: ir.Function,
        passed: Passed,
        receiver: Value | None,
        node: Node,
        scope: Scope,
    ) -> None:
        parameters = function.parameters[self._bind_object(function, receiver, scope) :]
        positional = list(passed.positional)
        if positional and positional[-1].functions:
            scope.values[BLOCK] = positional[-1]
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
            if parameter.type and self._is_harmless(parameter):
                value = Value(const=value.const, qual=parameter.type)
            if parameter.type and not value.qual:
                value = replace(value, qual=self.resolve(parameter.type, scope))
            if value.taints:
                value = through(value, node, f"passed to {function.name or 'a function'}")
            scope.values[name] = value

    def define(self, function: ir.Function, scope: Scope) -> Value:
        """Take note of a function, to be read in its own right when what is around it was."""
        if id(function) not in self._seen:
            self._seen.add(id(function))
            self._pending.append((function, scope))
        return Value(functions=((function, scope),), qual=function.name)

    def resolve(self, name: str, scope: Scope) -> str:
        """Return the path of a type from its name as written."""
        first, dot, others = name.partition(".")
        known = scope.get(first)
        if known is None or not known.qual:
            return name
        return f"{known.qual}{dot}{others}"
