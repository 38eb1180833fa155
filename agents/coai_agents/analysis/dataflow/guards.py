"""Tests: what is known of values where a test holds, and where it does not.

One file, because what a test proves is one mechanism for all its spellings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow import ir
from coai_agents.analysis.dataflow.calls import Calls
from coai_agents.analysis.dataflow.folding import AND, NOT, OR
from coai_agents.analysis.dataflow.pieces import extended, written_of
from coai_agents.analysis.dataflow.predicates import (
    ALL,
    ANY_OF,
    ANYTHING,
    BEGINS,
    DOUBT,
    EQUAL,
    FILTERING,
    FUNCTION_MEMBERSHIP,
    MEMBERSHIP,
    PATTERN_TESTS,
    PREFIXES,
    RELATIVE,
    SAME,
    SEARCHES,
    STARTS,
    STOPS,
    TEXT_SEARCHES,
    UNEQUAL,
    WHOLE,
    found_by,
    sought_by,
)
from coai_agents.analysis.dataflow.replacing import INSIDE, REJECTED, all_but, rejected
from coai_agents.analysis.dataflow.values import DOUBTED, NOTHING, Kind, Taint, Value
from coai_agents.analysis.rules.rules import MOST_SEARCHED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from coai_agents.analysis.dataflow.values import Scope
    from coai_agents.analysis.findings.report import Reporter
    from coai_agents.analysis.rules.matching import RuleSet
    from coai_agents.analysis.rules.rules import GuardRule


_TAGS: Final = frozenset({"type", "kind", "tag", "role", "status", "ok", "success", "method"})
"""Members that say which form an object has, and nothing of what else it holds."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a test has shown of an expression, or of what comes from somewhere."""

    expr: ir.Expr | None
    origins: tuple[Node, ...]
    categories: frozenset[str]

    @property
    def subject(self) -> object:
        """What it is about: the same expression, written again, is the same."""
        return self.origins if self.expr is None else self.expr.node.text


class Guards(Calls):
    """Adds what tests tell."""

    def __init__(self, rules: RuleSet, report: Reporter) -> None:
        super().__init__(rules, report)
        self._looked: dict[int, Value] = {}
        self._collected: list[Proof] | None = None
        """What tests show of which nobody knows yet which one holds."""

    def _call(self, expr: ir.Call, scope: Scope) -> Value:
        value = super()._call(expr, scope)
        for origins, categories in self.proven:
            self.clear(origins, categories, scope)
        self.proven = ()
        self._confirm(expr, scope)
        callee = expr.callee
        if isinstance(callee, ir.Member) and callee.name in FILTERING and expr.arguments:
            return self._filtered(expr, callee, value, scope)
        return value

    def _filtered(self, expr: ir.Call, callee: ir.Member, value: Value, scope: Scope) -> Value:
        """Return what is left of something by a test that each part of it has to pass."""
        if not value.all_taints():
            return value
        around, self._collected = self._collected, []
        try:
            subject = ir.Argument(callee.object)
            self.narrow(ir.Call(expr.node, expr.arguments[0].value, [subject]), scope, holds=True)
            for proof in self._collected:
                if DOUBTED not in proof.categories:
                    value = _cleared(value, proof.origins, proof.categories)
        finally:
            self._collected = around
        return value

    def _confirm(self, expr: ir.Call, scope: Scope) -> None:
        """Take into account what a call has shown by coming to its end."""
        callee, rules = expr.callee, self.rules
        name = callee.name if isinstance(callee, ir.Name | ir.Member) else ""
        confirms, asserts = rules.confirming.knows(name), rules.asserting.knows(name)
        if not name or not (confirms or asserts):
            return
        path = name
        if isinstance(callee, ir.Member):
            path = extended(self.eval(callee.object, scope).qual, name)
        paths = (name, path, written_of(callee))
        if expr.arguments and asserts and rules.asserting.first(*paths):
            self.narrow(expr.arguments[0].value, scope, holds=True)
        confirmed = rules.confirming.first(*paths)
        if confirmed is None:
            return
        cleared = frozenset(confirmed.clears)
        if confirmed.argument and expr.arguments:
            self.prove(expr.arguments[0].value, cleared, scope)
        elif isinstance(callee, ir.Member):
            self.prove(callee.object, cleared, scope)

    def tested(
        self, callee: ir.Expr, arguments: Sequence[ir.Argument], scope: Scope, *, holds: bool
    ) -> tuple[tuple[tuple[Node, ...], frozenset[str]], ...] | None:
        """Return what a test by a function of this file tells; None if it is no such function."""
        raise NotImplementedError

    def judges(self, callee: ir.Expr, scope: Scope) -> bool:
        """Say whether a test may know more of its arguments than `tested` sees."""
        raise NotImplementedError

    def tells_nothing(self, *paths: str) -> bool:
        """Say whether a call is known to test nothing."""
        rules = self.rules
        return (
            rules.inert.first(*paths) is not None
            or rules.sanitizers.first(*paths) is not None
            or rules.source_calls.first(*paths) is not None
        )

    def narrow(self, test: ir.Expr, scope: Scope, *, holds: bool) -> None:
        """Take into account that a test holds, or that it does not."""
        self._looked.clear()
        match test:
            case ir.Operation(operator=name, operands=[operand]) if name in NOT:
                self.narrow(operand, scope, holds=not holds)
            case ir.Operation(operator=name, operands=[one, other]) if name in AND or name in OR:
                if holds == (name in AND) or _is_type_test(one):
                    self.narrow(one, scope, holds=holds)
                    self.narrow(other, scope, holds=holds)
                else:
                    self._narrow_either(one, other, scope, holds=holds)
            case ir.Operation(operator=name, operands=[one, other]):
                self._narrow_comparison(name, one, other, scope, holds=holds)
            case ir.Call():
                self._narrow_call(test, scope, holds=holds)
            case ir.Binding(value=value):
                self.narrow(value, scope, holds=holds)
            case ir.Several(parts=[part]):
                self.narrow(part, scope, holds=holds)
            case ir.Name(name=name) if name in scope.tests:
                self._narrow_named(name, scope, holds=holds)
            case ir.Index(object=of, key=key) if key is not None and holds:
                self._narrow_membership(key, of, scope)
            case _:
                pass

    def _narrow_either(self, one: ir.Expr, other: ir.Expr, scope: Scope, *, holds: bool) -> None:
        """Take into account what both of two tests show, of which one has the answer."""
        around, found = self._collected, list[list[Proof]]()
        try:
            for each in (one, other):
                self._collected = []
                self.narrow(each, scope, holds=holds)
                found.append(self._collected)
        finally:
            self._collected = around
        first, second = map(_by_subject, found)
        for subject, proof in first.items():
            beside = second.get(subject)
            if beside is not None:
                self._proven_of(proof, proof.categories & beside.categories, scope)

    def _proven_of(self, proof: Proof, categories: frozenset[str], scope: Scope) -> None:
        if categories and proof.expr is not None:
            self.prove(proof.expr, categories, scope)
        elif categories:
            self.clear(proof.origins, categories, scope)

    def _narrow_named(self, name: str, scope: Scope, *, holds: bool) -> None:
        """Take into account what the test tells that a variable holds the result of.

        It may name the variable itself, as it was before: `x = !x`.
        """
        test = scope.tests.pop(name)
        self.narrow(test, scope, holds=holds)
        scope.tests.setdefault(name, test)

    def look(self, expr: ir.Expr, scope: Scope) -> Value:
        """Return an expression's value; while one test is looked at it is evaluated once."""
        known = self._looked.get(id(expr))
        if known is None:
            known = self._looked[id(expr)] = self.eval(expr, scope)
        return known

    def _narrow_membership(self, one: ir.Expr, where: ir.Expr, scope: Scope) -> None:
        """Take into account that something is in a container, which outside data do not fill."""
        if not self.look(where, scope).all_taints() and not self.look(one, scope).known:
            self.prove(one, ALL, scope)

    def _narrow_comparison(
        self, name: str, one: ir.Expr, other: ir.Expr, scope: Scope, *, holds: bool
    ) -> None:
        left, right = self.look(one, scope), self.look(other, scope)
        if name in ("in", "not in"):
            inside = (name == "in") == holds
            if left.known:
                if not inside:
                    self._clear_rejected(left, other, scope)
            elif inside and isinstance(other, ir.Member) and other.name == "parents":
                self.prove(other.object, frozenset({"path"}), scope)
            elif inside:
                self._narrow_membership(one, other, scope)
            return
        if isinstance(one, ir.Call) and (found := found_by(one, name, right.const)) is not None:
            self._narrow_call(one, scope, holds=found == holds)
            return
        if name not in EQUAL and name not in UNEQUAL:
            if name in ("=~", "!~"):
                self._narrow_pattern(left, right, one, scope, holds=holds == (name == "=~"))
            return
        if (name in EQUAL) != holds:
            return
        self._narrow_equal((one, left), (other, right), scope)

    def _narrow_equal(
        self, one: tuple[ir.Expr, Value], other: tuple[ir.Expr, Value], scope: Scope
    ) -> None:
        for _, value in (one, other):
            if value.known and (value.const in (None, "") or isinstance(value.const, (int, float))):
                return
        for (expr, value), (_, beside) in ((one, other), (other, one)):
            if value.taints and not beside.taints:
                if isinstance(expr, ir.Member) and self._is_part(expr, value, scope):
                    scope.learn(expr.node, replace(value, taints=()))
                else:
                    self.prove(expr, ALL, scope)
                return

    def _is_part(self, expr: ir.Member, value: Value, scope: Scope) -> bool:
        """Say whether a member is an object's tag, which proves nothing of the object."""
        if expr.name not in _TAGS:
            return False
        origins = {id(taint.origin) for taint in self.look(expr.object, scope).all_taints()}
        return all(id(taint.origin) in origins for taint in value.taints)

    def _narrow_call(self, test: ir.Call, scope: Scope, *, holds: bool) -> None:
        callee = test.callee
        arguments = [argument.value for argument in test.arguments]
        values = [self.look(each, scope) for each in arguments]
        receiver: ir.Expr | None = None
        of = NOTHING
        if isinstance(callee, ir.Member):
            receiver, name = callee.object, callee.name
            of = self.look(receiver, scope)
            path = extended(of.qual, name)
        else:
            name = path = callee.name if isinstance(callee, ir.Name) else ""
        if self._is_narrowed(name, path, receiver, arguments, scope, holds=holds):
            return
        if (
            name == "all"
            and holds
            and len(arguments) == 1
            and self._narrow_all(arguments[0], scope)
        ):
            return
        written = written_of(callee)
        rejecting = list(self.rules.rejecting.matching(name, path, written))
        if rejecting and not holds:
            self._narrow_rejecting(rejecting, test, receiver or test, scope)
            return
        cleared = self.rules.guards.first(name, path, written)
        if cleared is not None and values and values[0].const in ("'", '"'):
            cleared |= {"code:begins"}
        proven = None
        if cleared is None:
            proven = self.tested(callee, test.arguments, scope, holds=holds)
            for origins, categories in proven or ():
                self.clear(origins, categories, scope)
        if cleared is None and not isinstance(callee, ir.Function):
            promised = self.rules.guarded_by_name(f"{written}.{name}")
            # A name may promise what the code, all of which is known, does not keep.
            kept = promised is None or proven != () or self.judges(callee, scope)
            cleared = promised if kept else DOUBT
        if cleared is None and proven is None and not self.tells_nothing(name, path, written):
            cleared = DOUBT
        if not holds or cleared is None:
            return
        for each in arguments if receiver is None else (receiver, *arguments):
            self.prove(each, cleared, scope)

    def _narrow_all(self, each: ir.Expr, scope: Scope) -> bool:
        """Take into account that a test holds for each part of something."""
        match each:
            case ir.Operation(operator="elements", operands=[ir.Several(parts=[*bound, test])]):
                for part in bound:
                    self.eval(part, scope)
                self.narrow(test, scope, holds=True)
                return True
            case _:
                return False

    def _is_narrowed(
        self,
        name: str,
        path: str,
        receiver: ir.Expr | None,
        arguments: Sequence[ir.Expr],
        scope: Scope,
        *,
        holds: bool,
    ) -> bool:
        """Take a test of a known kind into account; say whether it is one."""
        if name == "isset" and len(arguments) == 1 and isinstance(arguments[0], ir.Index):
            self.narrow(arguments[0], scope, holds=holds)
            return True
        if receiver is not None and arguments and (name in SAME or name == "in?"):
            if holds and name == "in?":
                self._narrow_membership(receiver, arguments[0], scope)
            elif holds:
                pair = [(each, self.look(each, scope)) for each in (receiver, arguments[0])]
                self._narrow_equal(pair[0], pair[1], scope)
            return True
        if self._narrow_search(name, path, receiver, arguments, scope, holds=holds):
            return True
        if receiver is not None and name in ANY_OF and (sought := sought_by(arguments)) is not None:
            if holds:
                self._narrow_membership(sought, receiver, scope)
            return True
        return name in PATTERN_TESTS and self._narrow_match(
            name, receiver, arguments, scope, holds=holds
        )

    def _narrow_rejecting(
        self, guards: Sequence[GuardRule], test: ir.Call, subject: ir.Expr, scope: Scope
    ) -> None:
        """Take into account that tests for what does harm have found nothing."""
        code = (test.node.text or b"").decode("utf-8", "replace")
        for guard in guards:
            if guard.text is None or re.search(guard.text, code[:MOST_SEARCHED]):
                self.prove(subject, frozenset(guard.clears), scope)

    def _narrow_search(
        self,
        name: str,
        path: str,
        receiver: ir.Expr | None,
        arguments: Sequence[ir.Expr],
        scope: Scope,
        *,
        holds: bool,
    ) -> bool:
        """Take a test into account that looks for something in something; say whether it is one."""
        if path in FUNCTION_MEMBERSHIP and len(arguments) > 1:
            what, where = (arguments[at] for at in FUNCTION_MEMBERSHIP[path])
            if holds:
                self._narrow_membership(what, where, scope)
            return True
        if path in TEXT_SEARCHES and len(arguments) > 1:
            if not holds:
                self._clear_rejected(self.look(arguments[1], scope), arguments[0], scope)
            return not holds
        if self._narrow_relative(name, path, receiver, arguments, scope, holds=holds):
            return True
        if receiver is None or not arguments:
            return False
        if name not in SEARCHES or (name in PATTERN_TESTS and len(arguments) > 1):
            return False
        if not holds:
            self._clear_rejected(self.look(arguments[0], scope), receiver, scope)
        elif name in MEMBERSHIP:
            self._narrow_membership(arguments[0], receiver, scope)
        return name in MEMBERSHIP or not holds

    def _narrow_relative(
        self,
        name: str,
        path: str,
        receiver: ir.Expr | None,
        arguments: Sequence[ir.Expr],
        scope: Scope,
        *,
        holds: bool,
    ) -> bool:
        """Take into account that a way from a folder does not begin with the way out of it."""
        subject, others = receiver, arguments
        if path == "strings.HasPrefix" or subject is None:
            subject, others = (arguments[0], arguments[1:]) if arguments else (None, ())
        if holds or subject is None or name not in PREFIXES or not others:
            return False
        given = self.look(others[0], scope).const
        if not isinstance(given, str) or not given.startswith(".."):
            return False
        if RELATIVE.search(self.look(subject, scope).qual):
            self.prove(subject, frozenset({"path"}), scope)
        return True

    def _narrow_match(
        self,
        name: str,
        receiver: ir.Expr | None,
        arguments: Sequence[ir.Expr],
        scope: Scope,
        *,
        holds: bool,
    ) -> bool:
        """Take a test by a regular expression into account; say whether it is one."""
        some = [*(() if receiver is None else (receiver,)), *arguments]
        patterns = [
            value.const for each in some if isinstance((value := self.look(each, scope)).const, str)
        ]
        subjects = [each for each in some if self.look(each, scope).all_taints()]
        if len(patterns) != 1 or len(subjects) != 1:
            return False
        cleared = self._told_by(str(patterns[0]), holds=holds, whole=name in WHOLE)
        self.prove(subjects[0], cleared, scope)
        return True

    def _narrow_pattern(
        self, left: Value, right: Value, one: ir.Expr, scope: Scope, *, holds: bool
    ) -> None:
        if isinstance(right.const, str) and left.taints:
            self.prove(one, self._told_by(right.const, holds=holds, whole=False), scope)

    def _told_by(self, pattern: str, *, holds: bool, whole: bool) -> frozenset[str]:
        """Return what a text is harmless for that matches a pattern, or does not."""
        if not holds:
            return all_but(pattern, self.rules) or rejected(pattern)
        if not whole and not (STARTS.search(pattern) and STOPS.search(pattern)):
            return DOUBT
        return DOUBT if ANYTHING.search(pattern) else ALL

    def _clear_rejected(self, text: Value, subject: ir.Expr, scope: Scope) -> None:
        """Take into account that a value has a text nowhere in it."""
        const = text.const
        if isinstance(const, str) and (categories := REJECTED.get(const)) is not None:
            self.prove(subject, frozenset(categories), scope)

    def prove(self, expr: ir.Expr, categories: frozenset[str], scope: Scope) -> None:
        """Take into account that an expression's value is harmless from here on.

        So is all that comes from where it does, and the same expression written again.
        """
        value = self.look(expr, scope)
        origins = tuple(taint.origin for taint in value.all_taints())
        if not origins:
            return
        if categories == DOUBT and all(
            taint.kind is Kind.PARAMETER for taint in value.all_taints()
        ):
            # Nobody is sure of these anyway.
            return
        if BEGINS in categories and any(INSIDE in taint.cleared for taint in value.all_taints()):
            # What was made normal and begins in its folder shows the same of what it was made of.
            categories |= {"path"}
        if self._collected is not None:
            self._collected.append(Proof(expr, origins, categories))
            return
        self.clear(origins, categories, scope)
        if categories != DOUBT and isinstance(expr, ir.Member | ir.Index | ir.Call):
            scope.learn(expr.node, _cleared(value, origins, categories))

    def clear(self, origins: Sequence[Node], categories: frozenset[str], scope: Scope) -> None:
        """Take into account that what comes from somewhere is harmless from here on."""
        if not origins:
            return
        if self._collected is not None:
            self._collected.append(Proof(None, tuple(origins), categories))
            return
        self._looked.clear()
        self.report.withdraw(origins, categories)
        for name, value in _visible(scope).items():
            if not value.taints and not value.items and not value.rest:
                continue
            cleared = _cleared(value, origins, categories)
            if cleared is not value:
                scope.values[name] = cleared


def _by_subject(proofs: Sequence[Proof]) -> dict[object, Proof]:
    """Return what was shown of each subject, once: all of it holds together."""
    shown: dict[object, Proof] = {}
    for proof in proofs:
        before = shown.get(proof.subject, proof)
        shown[proof.subject] = replace(before, categories=before.categories | proof.categories)
    return shown


def _visible(scope: Scope) -> dict[str, Value]:
    """Return the variables of a scope, and of functions around it: a block knows them as well."""
    found = scope.values
    around = scope.around
    while around is not None and around.around is not None:
        found = {**around.values, **found}
        around = around.around
    return found


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
