"""What a call calls: a method, a function that is a value, or one that is passed on to others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow import ir
from coai_agents.analysis.dataflow.assigning import Assigning
from coai_agents.analysis.dataflow.containers import key_of, lookup
from coai_agents.analysis.dataflow.expressions import NO_ARGUMENTS, SELF, Passed
from coai_agents.analysis.dataflow.handing import of_variable, referred
from coai_agents.analysis.dataflow.objects.members import (
    SUPER,
    constructor_of,
    held,
    is_class,
    kept,
)
from coai_agents.analysis.dataflow.pieces import extended
from coai_agents.analysis.dataflow.values import NOTHING, Kind, Value, merged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from coai_agents.analysis.dataflow.values import Scope
    from coai_agents.analysis.findings.report import Reporter
    from coai_agents.analysis.rules.matching import RuleSet

_REPEATING: Final = frozenset(
    {
        "forEach",
        "map",
        "flatMap",
        "each",
        "each_with_index",
        "each_with_object",
        "find_each",
        "collect",
        "ForEach",
        "array_map",
        "array_walk",
    }
)
"""Functions that call what they are passed once for each item."""

_WHOLE: Final = frozenset({"then", "yield_self", "tap", "let", "also"})
"""Methods that call a function with the object itself."""

_MAPPING: Final = frozenset(
    {
        "map",
        "flatMap",
        "collect",
        "Select",
        "SelectMany",
        "array_map",
        "filter_map",
        "collect_concat",
    }
)
"""Functions that make a sequence of what a function makes of each item."""

_INVOKING: Final = frozenset(
    {"call", "()", "apply", "accept", "get", "run", "test", "Invoke", "invoke", "compare", "yield"}
)
"""Methods by which functions are called that are values."""

_BY_NAME: Final = frozenset(
    {"call_user_func", "call_user_func_array", "send", "public_send", "__send__"}
)
"""Functions that call what their first argument names."""

_LOOKED_UP: Final = frozenset({"TryGetValue", "TryRemove", "TryGetValues"})
"""Methods that say whether something is held under a key, and set what it is."""

_STARTED: Final = ("run", "call", "__call__", "Run")
"""Methods of an object that whoever is passed the object calls."""


@dataclass(frozen=True, slots=True)
class Callee:
    """What is called: its name and paths, what is known of it, and the object it is a method of."""

    paths: tuple[str, str, str]
    target: Value
    receiver: Value | None


class Dispatch(Assigning):
    """Adds what is called."""

    def __init__(self, rules: RuleSet, report: Reporter) -> None:
        super().__init__(rules, report)
        self._repeated: set[int] = set()
        """Functions that are called once for each item of something."""
        self.outcome: dict[int, Value] = {}
        """What the function of this file that was called last has put into its arguments."""

    def _dispatched(self, callee: Callee, passed: Passed, scope: Scope) -> tuple[Callee, Passed]:
        """Return what a call calls in the end: of a function's own method, the function."""
        name, receiver = callee.paths[0], callee.receiver
        if receiver is not None and receiver.functions and name in _INVOKING:
            functions = receiver.functions
            given = list(passed.positional)
            if name in ("call", "apply") and len(given) > len(functions[0][0].parameters):
                given = given[1:]
            elif name == "apply" and len(given) == 2 and given[1].length >= 0:  # noqa: PLR2004 - object, list
                given = list((given[1].items or {}).values())
            return replace(callee, target=receiver, receiver=None), replace(
                passed, positional=tuple(given)
            )
        if receiver is not None and name == "new" and is_class(receiver):
            return replace(callee, target=receiver), passed
        if name in _BY_NAME and passed.positional:
            return self._by_name(callee, passed, scope)
        return callee, passed

    def _by_name(self, callee: Callee, passed: Passed, scope: Scope) -> tuple[Callee, Passed]:
        """Return what a call by a name in a text calls, if it is in the file."""
        what, *given = passed.positional
        if callee.paths[0].endswith("_array") and given:
            given = list((given[0].items or {}).values())
        target, receiver = NOTHING, callee.receiver
        if isinstance(what.const, str):
            if receiver is not None and receiver.objects:
                target = held(receiver, what.const) or NOTHING
            else:
                target = scope.get(what.const) or NOTHING
        elif what.length == 2 and what.items is not None:  # noqa: PLR2004 - an object and a method
            receiver, method = what.items.get(0, NOTHING), what.items.get(1, NOTHING).const
            target = held(receiver, method) or NOTHING if isinstance(method, str) else NOTHING
        elif what.functions:
            target = what
        if not target.functions:
            return self._known_by_name(callee, what, passed, given)
        return (
            replace(callee, target=target, receiver=receiver),
            replace(passed, positional=tuple(given)),
        )

    def _known_by_name(
        self, callee: Callee, what: Value, passed: Passed, given: Sequence[Value]
    ) -> tuple[Callee, Passed]:
        """Return what a call by a name in a text calls, if a rule is about it."""
        found = referred(what, by_text=True)
        if found is None or not (isinstance(what.const, str) or what.items):
            return callee, passed
        path, receiver = found
        if callee.receiver is not None and receiver is None:
            path, receiver = extended(callee.receiver.qual, path), callee.receiver
        name = path.rpartition(".")[2]
        if not self.rules.calls.knows(name):
            return callee, passed
        return (
            Callee((name, path, path), NOTHING, receiver),
            replace(passed, positional=tuple(given)),
        )

    def _callee(self, callee: ir.Expr, scope: Scope) -> Callee:
        if not isinstance(callee, ir.Member):
            target = self._function_of(callee, scope)
            written = callee.name if isinstance(callee, ir.Name) else ""
            name = target.qual.rpartition(".")[2] or written
            # A class by its whole name is the same class.
            return Callee((name, target.qual, written.rpartition(".")[2]), target, None)
        receiver = self.eval(callee.object, scope)
        name, of = of_variable(callee.name, scope), callee.object
        target = NOTHING
        if isinstance(of, ir.Name) and of.name in SELF and scope.members is not None:
            target = kept(scope.members, name) or NOTHING
        elif receiver.objects and (found := self._method_of(receiver, name)) is not None:
            target = found
        elif receiver.items is not None and name in receiver.items:
            target = receiver.items[name]
        return Callee((name, extended(receiver.qual, name), callee.written), target, receiver)

    def _method_of(self, receiver: Value, name: str) -> Value | None:
        """Return a method of an object, or of a class, where that has one of the same name."""
        own = held(receiver, f"self.{name}") if is_class(receiver) else None
        return held(receiver, name) if own is None else own

    def _function_of(self, callee: ir.Expr, scope: Scope) -> Value:
        """Return what a name means that is called; what is above an object makes it ready."""
        if not isinstance(callee, ir.Name):
            return self.eval(callee, scope)
        known = scope.get(callee.name)
        if known is not None and known.functions:
            return known
        target = self.eval(callee, scope)
        if callee.name == SUPER and target.objects:
            return constructor_of(target.objects[0], target.qual) or target
        return target

    def _give_back(self, expr: ir.Call, scope: Scope) -> None:
        """Let the caller's variables have what a function has put into what it was passed."""
        outcome, self.outcome = self.outcome, {}
        for at, value in outcome.items():
            if at < len(expr.arguments) and isinstance(
                target := expr.arguments[at].value, ir.Name | ir.Member | ir.Index
            ):
                self.assign(target, value, scope, expr.node)

    def set_out_arguments(
        self, expr: ir.Call, callee: Callee, returned: Value, scope: Scope
    ) -> None:
        """Let what a call of what is not in the file sets have something of what it was given.

        What is looked up is what is held under a key, whoever decides about the key.
        """
        if callee.target.functions or not any(each.out for each in expr.arguments):
            return
        given = replace(returned, qual="")
        if callee.paths[0] in _LOOKED_UP and callee.receiver is not None:
            key = self.eval(expr.arguments[0].value, scope)
            given = lookup(callee.receiver, key_of(key))
        for argument in expr.arguments:
            if argument.out:
                self.assign(argument.value, given, scope, expr.node)

    def callbacks(
        self, name: str, passed: Passed, receiver: Value | None, node: Node
    ) -> Value | None:
        """Call the functions that are passed, with what they may be called with.

        What they return is the result where each item of something becomes another one; None where
        it is not.
        """
        functions = [value for value in passed.values() if value.functions]
        for value in passed.positional:
            if value.objects and not value.functions and value.items is None:
                self._start(value, node)
        if name in _MAPPING:
            return self._mapped(functions, passed, receiver, node)
        if not functions:
            return None
        if name in _REPEATING:
            self._repeated.update(id(each) for value in functions for each, _ in value.functions)
        if name in _WHOLE and receiver is not None and receiver.built:
            given = Passed((receiver,), {}, open_ended=True)
            for value in functions:
                self.apply(value.functions, given, None, node)
        groups = [value.all_taints() for value in passed.values() if not value.functions]
        if receiver is not None:
            groups.append(receiver.all_taints())
        taints = tuple(taint for taint in merged(groups) if taint.kind is not Kind.PARAMETER)
        if not taints:
            return None
        given = Passed((Value(taints=taints),) * 2, {}, open_ended=True)
        for value in functions:
            self.apply(value.functions, given, None, node)
        return None

    def _start(self, value: Value, node: Node) -> None:
        """Call what an object does, by whoever it is passed to."""
        for name in _STARTED:
            method = held(value, name)
            if method is not None and method.functions:
                self.apply(method.functions, NO_ARGUMENTS, value, node)

    def _mapped(
        self, functions: Sequence[Value], passed: Passed, receiver: Value | None, node: Node
    ) -> Value | None:
        """Return what each item of something becomes; None if that is not known."""
        rules = self.rules
        others = [value for value in passed.positional if not value.functions]
        groups = [value.all_taints() for value in others]
        if receiver is not None:
            groups.append(receiver.all_taints())
        taints = merged(groups)
        if len(functions) == 1:
            self._repeated.update(id(each) for each, _ in functions[0].functions)
            given = Passed((Value(taints=taints), Value(qual="int")), {}, open_ended=True)
            returned = self.apply(functions[0].functions, given, None, node)
            if returned is None:
                return None
            return Value(items={}, rest=returned.all_taints(), loose=returned.loose)
        for value in passed.positional:
            name = value.const if isinstance(value.const, str) else value.qual
            last = name.lstrip("&:").rpartition(".")[2].rpartition("::")[2]
            cleared = rules.sanitizers.first(last, name, f"?.{last}") if last else None
            if cleared:
                kept = tuple(taint.without(cleared) for taint in taints)
                return Value(items={}, rest=kept)
        return None
