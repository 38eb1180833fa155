"""Functions that a program hands to a framework: handlers, which it calls with what comes in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow import ir
from coai_agents.analysis.dataflow.conditions import Occasion
from coai_agents.analysis.dataflow.dispatch import Dispatch
from coai_agents.analysis.dataflow.expressions import Passed
from coai_agents.analysis.dataflow.values import Taint, Value

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.dataflow.dispatch import Callee
    from coai_agents.analysis.dataflow.values import Scope
    from coai_agents.analysis.rules.rules import CallbackRule

FROM_OUTSIDE: Final = "!"
"""What a parameter is written as that comes from outside as a whole."""

CHOSEN: Final = "[]()"
"""The path of a call of an object's method that a value names."""


class Handlers(Dispatch):
    """Adds what happens to the functions, and to the options, that a framework is passed."""

    def call_handlers(self, callee: Callee, passed: Passed, node: Node) -> None:
        """Read the functions among the arguments with what the framework calls them with."""
        handlers = [each for value in passed.positional for each in value.functions]
        if not handlers or not self.rules.callbacks.knows(callee.paths[0]):
            return
        occasion = Occasion(node, passed.positional, passed.named, callee.receiver)
        for rule in self.rules.callbacks.matching(*callee.paths):
            if not self.report.counts(rule) or not occasion.meets(rule.when, rule.unless):
                continue
            given = Passed(
                tuple(_given(rule, each, node) for each in rule.parameters), {}, open_ended=False
            )
            for function, around in handlers:
                if not _is_named_so(function, rule):
                    self.apply([(function, around)], given, None, node)

    def installed(self, passed: Passed, node: Node) -> None:
        """Report what is wrong with the options of a plug-in, as if it were called with them."""
        if not passed.positional:
            return
        plugin = passed.positional[0].qual
        occasion = Occasion(node, passed.positional[1:], passed.named)
        for clause in self.rules.calls.matching(plugin.rpartition(".")[2], plugin):
            self.report.check(clause, occasion)

    def _callee(self, callee: ir.Expr, scope: Scope) -> Callee:
        if isinstance(callee, ir.Index) and callee.key is not None:
            self._choose(callee.key, scope, callee.node)
        return super()._callee(callee, scope)

    def _choose(self, key: ir.Expr, scope: Scope, node: Node) -> None:
        """Report a call of whatever method of an object a value from outside names."""
        if not self.rules.calls.knows(CHOSEN):
            return
        occasion = Occasion(node, receiver=self.eval(key, scope))
        for clause in self.rules.calls.matching(CHOSEN, CHOSEN):
            self.report.check(clause, occasion)


def _given(rule: CallbackRule, parameter: str, node: Node) -> Value:
    if parameter != FROM_OUTSIDE:
        return Value(qual=parameter)
    return Value(taints=(Taint(rule.kind, node, rule.label, frozenset()),))


def _is_named_so(function: ir.Function, rule: CallbackRule) -> bool:
    """Say whether a function's parameters have the names by which they are known anyway."""
    names = [each.name for each in function.parameters]
    return names == list(rule.parameters[: len(names)])
