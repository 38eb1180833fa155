"""Statements: the way of values through branches, loops and calls of a file's own functions.

Each function is read once in its own right, with parameters of which nothing is known, and once
more for each kind of arguments that it is called with. A loop's body is read twice, so that what
its end assigns reaches its beginning. Branches on constants are followed only the way that is
taken. What is left out of account: exceptions from anywhere but the body's end, aliases of
containers, and what other files do.

One file, because statements of all kinds share one state.
"""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from coai_agents.analysis.dataflow import ir
from coai_agents.analysis.dataflow.conditions import Occasion
from coai_agents.analysis.dataflow.containers import elements
from coai_agents.analysis.dataflow.folding import AND, OR, truth
from coai_agents.analysis.dataflow.ir import OutOfTimeError
from coai_agents.analysis.dataflow.linking.linked import Linking
from coai_agents.analysis.dataflow.pieces import written_of
from coai_agents.analysis.dataflow.values import (
    EVERYTHING,
    NOTHING,
    Kind,
    Scope,
    Value,
    join,
    merged,
    same,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tree_sitter import Node

    from coai_agents.analysis.dataflow.linking.linked import Linked
    from coai_agents.analysis.findings.report import Reporter
    from coai_agents.analysis.rules.matching import RuleSet
    from coai_agents.analysis.rules.rules import Clause

STEPS_PER_LOOK: Final = 256
"""The clock is looked at once in so many steps."""

DEEPEST: Final = 2
"""Loops nested deeper are read once."""

_ENDS: Final = frozenset(
    {
        "sys.exit",
        "exit",
        "quit",
        "os._exit",
        "os.Exit",
        "process.exit",
        "System.exit",
        "die",
        "log.Fatal",
        "abort",
        "flask.abort",
        "panic",
        "raise",
        "fail",
        "halt",
        "Environment.Exit",
    }
)
"""Functions that do not return."""


_NUMBERED: Final = ("array_values()", "explode()", "preg_split()", "str_split()", "array_map()")
"""How the paths of sequences end whose keys are numbers."""


class Interpreter(Linking):
    """Reads one file; without `follow`, no call of its functions, so that a part of it will do."""

    def __init__(
        self,
        rules: RuleSet,
        report: Reporter,
        *,
        deadline: float,
        follow: bool = True,
        linked: Linked | None = None,
    ) -> None:
        super().__init__(rules, report, follow=follow, linked=linked)
        self._deadline = deadline
        self._steps = 0
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

    def read(self, module: ir.Module, scope: Scope | None = None) -> None:
        """Read a file: first what it does when it is loaded, then every function in it.

        `scope` has what the parts of the file before this one have bound.
        """
        scope = scope or Scope()
        self._predefine(module.body, scope)
        self._returned.append([])
        self._routes.append([])
        self._body(module.body, scope)
        self._read_pending()
        self.read_again()
        self._read_pending()

    def _read_pending(self) -> None:
        while self._pending:
            function, around = self._pending.pop(0)
            self._read_function(function, around)

    def _body(self, statements: Sequence[ir.Statement], scope: Scope) -> bool:
        """Read statements; say whether what follows them cannot be reached."""
        run = self._run
        return any(run[type(statement)](statement, scope) for statement in statements)

    def _predefine(self, statements: Sequence[ir.Statement], scope: Scope) -> None:
        """Bind functions before their definitions are reached, for those called earlier."""
        self.declare(statements, scope)
        for statement in statements:
            if isinstance(statement, ir.Define) and statement.function.name:
                name = statement.function.name
                scope.values[name] = Value(functions=((statement.function, scope),), qual=name)

    def _assign(self, statement: ir.Assign, scope: Scope) -> bool:
        self.note_name(statement, scope)
        value = self.eval(statement.value, scope)
        if statement.operator:
            before = ir.Operation(
                statement.node, statement.operator, [statement.target, statement.value]
            )
            value = self._combined(before, value, scope)
            if statement.operator in ("+", ".") and isinstance(statement.target, ir.Name):
                known = scope.get(statement.target.name)
                if known is None or not self.rules.is_scalar(known.qual):
                    self._check_growing(value, statement.node)
        if statement.type:
            value = self.typed(value, statement.type, scope)
        self._keep_test(statement, scope)
        if statement.declares and isinstance(statement.target, ir.Name):
            scope.values[statement.target.name] = NOTHING
        self.assign(statement.target, value, scope, statement.node)
        return False

    def _keep_test(self, statement: ir.Assign, scope: Scope) -> None:
        """Remember a test whose result is assigned, and what is assigned beside it in Go."""
        target, value = statement.target, statement.value
        if isinstance(target, ir.Container) and len(target.items) > 1:
            target = target.items[-1].value
        if isinstance(target, ir.Name):
            scope.tests.pop(target.name, None)
            if isinstance(value, ir.Call | ir.Operation | ir.Index):
                scope.tests[target.name] = value

    def _check_growing(self, value: Value, node: Node) -> None:
        """Report text that is added to again and again."""
        if isinstance(value.const, str) or value.built:
            for clause in self.rules.growing:
                self.report.check(clause, Occasion(node, (value,)))

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
        known = self.classes.get(declared)
        if known is not None and not value.objects and not value.known:
            # Whoever made it, it is one of them.
            return replace(value, qual=qual, objects=(known,))
        if self.rules.is_scalar(declared):
            return replace(value, taints=(), qual=qual)
        if qual == value.qual:
            return value
        if value.items is None and self._stores(qual):
            return replace(value, qual=qual, items={})
        return replace(value, qual=qual)

    def _evaluated(self, statement: ir.Evaluate, scope: Scope) -> bool:
        value = statement.value
        self.eval(value, scope)
        return (
            isinstance(value, ir.Call)
            and isinstance(value.callee, ir.Name | ir.Member)
            and written_of(value.callee) in _ENDS
        )

    def _if(self, statement: ir.If, scope: Scope) -> bool:
        test = truth(self.eval(statement.test, scope).const)
        if test is not None:
            return self._body(statement.yes if test else statement.no, scope)
        before = scope.branch()
        self.narrow(statement.test, scope, holds=True)
        self._branches += 1
        yes_leaves = self._body(statement.yes, scope)
        after_yes = scope.values
        scope.values = before
        self.narrow(statement.test, scope, holds=False)
        no_leaves = self._body(statement.no, scope)
        self._branches -= 1
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
                self._narrow_case(statement.subject, scope)
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
        self._branches += 1
        for case in statement.cases[first:]:
            left = self._body(case.body, scope)
            if left or not statement.falls:
                break
        self._branches -= 1
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

    def _narrow_case(self, subject: ir.Expr, scope: Scope) -> None:
        """Take into account that what was compared with constants is one of them."""
        self.prove(subject, frozenset({EVERYTHING}), scope)

    def _loop(self, statement: ir.Loop, scope: Scope) -> bool:
        if statement.test is not None:
            test = truth(self.eval(statement.test, scope).const)
            if test is False:
                return self._body(statement.otherwise, scope)
        before = scope.branch()
        self._loops += 1
        left_early = False
        for again in (False, True):
            if again and (self._loops > DEEPEST or not _carries(before, scope.values)):
                break
            if statement.iterable is not None:
                iterable = self.eval(statement.iterable, scope)
                if statement.target is not None:
                    self._bind_elements(statement, iterable, scope)
            elif statement.test is not None:
                self.eval(statement.test, scope)
                self.narrow(statement.test, scope, holds=True)
            self._exits.append([])
            self.report.place.loops += 1
            self._branches += 1
            self._body(statement.body, scope)
            self._branches -= 1
            self.report.place.loops -= 1
            exits = self._exits.pop()
            for left in exits:
                scope.merge(left)
            scope.merge(before)
            left_early = left_early or bool(exits)
        self._loops -= 1
        if statement.test is not None and not left_early:
            self.narrow(statement.test, scope, holds=False)
        self._body(statement.otherwise, scope)
        return False

    def _bind_elements(self, statement: ir.Loop, iterable: Value, scope: Scope) -> None:
        target = statement.target
        assert target is not None
        element = elements(iterable)
        if statement.type:
            element = self.typed(element, statement.type, scope)
        if isinstance(target, ir.Container) and (statement.pairs or iterable.items is None):
            numbered = statement.pairs and iterable.qual.endswith(_NUMBERED)
            for at, item in enumerate(target.items):
                part = Value(qual="int") if numbered and at == 0 else element
                self.assign(item.value, part, scope, statement.node)
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

    def _check_returned(self, clause: Clause, value: Value, node: Node) -> None:
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

    def _with(self, statement: ir.With, scope: Scope) -> bool:
        for target, expr in statement.bindings:
            value = self.eval(expr, scope)
            if target is not None:
                self.assign(target, value, scope, statement.node)
        return self._body(statement.body, scope)

    def _block(self, statement: ir.Block, scope: Scope) -> bool:
        return self._body(statement.body, scope)


def _carries(before: dict[str, Value], after: dict[str, Value]) -> bool:
    """Say whether a loop's body has put something from outside where its beginning may read it."""
    for name, value in after.items():
        earlier = before.get(name)
        if value is earlier:
            continue
        known = () if earlier is None else earlier.all_taints()
        for taint in value.all_taints():
            if taint.kind is not Kind.PARAMETER and not any(same(taint, each) for each in known):
                return True
    return False
