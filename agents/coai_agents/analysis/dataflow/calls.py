"""Calls: of what rules know, of functions of the file, and of what is not known at all.

One file, because a call is tried against what is known of it in one order.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow import ir
from coai_agents.analysis.dataflow.conditions import Occasion
from coai_agents.analysis.dataflow.containers import INTERSECTING, is_closed, key_of, lookup
from coai_agents.analysis.dataflow.expressions import Passed
from coai_agents.analysis.dataflow.folding import fold_method
from coai_agents.analysis.dataflow.handing import HANDING, filled, handed
from coai_agents.analysis.dataflow.handlers import Handlers
from coai_agents.analysis.dataflow.pieces import (
    ENCODING,
    built,
    constant,
    extended_call,
    formatted,
    is_settled,
    kept_lead,
    with_taints,
    without_numbers,
)
from coai_agents.analysis.dataflow.replacing import (
    CLIMBING,
    INSIDE,
    PICKING,
    REPLACING,
    all_but,
    is_plain,
    rejected,
)
from coai_agents.analysis.dataflow.values import (
    NOTHING,
    UNSEEN,
    Kind,
    Taint,
    Value,
    merged,
)
from coai_agents.analysis.rules.matching import words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from coai_agents.analysis.dataflow.dispatch import Callee
    from coai_agents.analysis.dataflow.values import Scope
    from coai_agents.analysis.findings.report import Reporter
    from coai_agents.analysis.rules.matching import RuleSet
    from coai_agents.analysis.rules.rules import SourceRule

_FORMATTING: Final = frozenset(
    {
        "format",
        "sprintf",
        "Sprintf",
        "Sprint",
        "Sprintln",
        "formatted",
        "Format",
        "concat",
        "Concat",
    }
)

_VERBS: Final = frozenset(
    {
        "sprintf",
        "printf",
        "Sprintf",
        "Printf",
        "Fprintf",
        "fprintf",
        "format",
        "formatted",
        "vsprintf",
    }
)
"""Functions whose formats have verbs, as C's do."""

_CONVERTED_BY: Final = frozenset({"get", "getlist", "get_all"})
"""Methods that can be told the type of what they return."""

_NUMBERS: Final = frozenset({"int", "float", "bool", "complex", "Decimal", "UUID", "uuid.UUID"})

_SEEN_BY_NOBODY: Final = frozenset({UNSEEN})

_READING: Final = frozenset(
    {
        "get",
        "read",
        "fetch",
        "load",
        "input",
        "current",
        "param",
        "params",
        "receive",
        "ask",
        "next",
    }
)
"""Words in the names of functions that bring something from elsewhere."""

_SAME_VALUE: Final = frozenset(
    {"freeze", "unmodifiableMap", "unmodifiableSet", "unmodifiableList", "string"}
)
"""Functions that return what they are given, so that nobody changes it."""

DYNAMIC: Final = "()"
"""The path of a call of what a value names."""

_WRAPPERS: Final = frozenset({"promisify", "callbackify", "memoize", "lru_cache", "partial"})
"""Functions that make a function of another one, which does the same."""

_PROMISE: Final = "Promise"

_WRAPPING: Final = frozenset({"wrap", "wrapper", "wrapped", "request", "params", "input", "proxy"})
"""Words in the name of a function that makes another object of a request."""


class Calls(Handlers):
    """Adds calls."""

    def __init__(self, rules: RuleSet, report: Reporter) -> None:
        super().__init__(rules, report)
        self._opening: set[int] = set()
        """Calls that open what has to be closed."""
        self.proven: tuple[tuple[tuple[Node, ...], frozenset[str]], ...] = ()
        """What the function of this file has proven that was called last, by its arguments'
        origins: it has raised an error otherwise."""

    def _call(self, expr: ir.Call, scope: Scope) -> Value:
        returned, callee = self._carried_out(expr, scope)
        self.set_out_arguments(expr, callee, returned, scope)
        return returned

    def _carried_out(self, expr: ir.Call, scope: Scope) -> tuple[Value, Callee]:
        """Return what a call returns, and what it calls in the end."""
        callee = self._callee(expr.callee, scope)
        passed = self.passed(expr.arguments, scope)
        callee, passed = self._dispatched(callee, passed, scope)
        receiver, target, paths = callee.receiver, callee.target, callee.paths
        if paths[0] in _VERBS:
            passed = replace(passed, positional=tuple(without_numbers(passed.positional)))
        if not target.functions:
            linked = self.linked_call(expr, callee, passed)
            if linked is not None:
                return linked, callee
            self._check_call(expr, callee, passed)
            if paths[0] in HANDING:
                self._check_handed(expr, callee, passed)
            sources = self.rules.source_calls.matching(*paths)
            source = next((each for each in sources if self.report.counts(each)), None)
            if source is not None and not self._is_converted(source, expr, passed):
                made = self.tainted(source, expr.node, f"{paths[0]}()", f"{paths[1]}()")
                return made, callee
        if (places := filled(paths[0]) or filled(paths[1])) is not None:
            self._fill(expr, passed, places, scope)
        known = self._own_call(expr, callee, passed, scope)
        if known is not None:
            return known, callee
        self.call_handlers(callee, passed, expr.node)
        mapped = None
        if self.rules.inert.first(*paths) is None:
            mapped = self.callbacks(paths[0], passed, receiver, expr.node)
        if mapped is not None:
            return mapped, callee
        if receiver is not None and isinstance(expr.callee, ir.Member):
            changed = self._changed(expr.callee, receiver, passed, scope)
            if changed is not None:
                return changed, callee
        return self._unknown_call(expr, callee, passed), callee

    def _fill(self, expr: ir.Call, passed: Passed, places: tuple[int, int], scope: Scope) -> None:
        """Let an argument hold something of another one, as a library's function does."""
        given = passed.positional
        if len(given) <= max(places) or len(given) != len(expr.arguments):
            return
        taken = given[places[0]].all_taints()
        if given[0].const is not ir.UNKNOWN and is_plain(given[0].const):
            taken = ()
        into = given[places[1]]
        held = replace(into, taints=merged((into.taints, taken)), const=ir.UNKNOWN)
        self.assign(expr.arguments[places[1]].value, held, scope, expr.node)

    def linked_call(self, expr: ir.Call, callee: Callee, passed: Passed) -> Value | None:
        """Return what a function of another file returns; None if nothing is known of it."""
        raise NotImplementedError

    def summarised(self, callee: Callee, passed: Passed, node: Node) -> None:
        """Report what is passed to a function of this file that was read often enough."""
        raise NotImplementedError

    def _own_call(
        self, expr: ir.Call, callee: Callee, passed: Passed, scope: Scope
    ) -> Value | None:
        """Return what a call of a function or a class of this file returns; None if it is none."""
        target, receiver = callee.target, callee.receiver
        by_name = target.items is not None and isinstance(expr.callee, ir.Name)
        if by_name or (expr.creates and (target.items is not None or target.functions)):
            made = self.instance(target, passed, expr.node)
            if made is not None:
                return made
        if self.rules.rules.calls_read and target.items is not None and len(passed.positional) == 1:
            return lookup(target, key_of(passed.positional[0]))
        if target.functions:
            returned = self.apply(target.functions, passed, receiver, expr.node)
            if returned is None:
                self.summarised(callee, passed, expr.node)
                return None
            if self.outcome:
                self._give_back(expr, scope)
            return returned if receiver is None else with_taints(returned, receiver)
        if receiver is not None and receiver.objects and not passed.values() and _is_held(target):
            # What a record holds is read by a call.
            return with_taints(target, receiver)
        if expr.creates and callee.paths[0] == _PROMISE:
            return self.promised(passed, expr.node)
        return None

    def _is_converted(self, source: SourceRule, expr: ir.Call, passed: Passed) -> bool:
        """Say whether a call of a source makes a harmless value of what comes from outside."""
        if _is_told_type(expr, passed):
            return True
        if not source.unless:
            return False
        occasion = Occasion(expr.node, passed.positional, passed.named)
        return any(occasion.holds(each) for each in source.unless)

    def _check_call(self, expr: ir.Call, callee: Callee, passed: Passed) -> None:
        """Report what is wrong with a call of what is not in the file."""
        rules, paths = self.rules, callee.paths
        if callee.target.taints:
            for clause in rules.calls.matching(DYNAMIC, DYNAMIC):
                self.report.check(clause, Occasion(expr.node, receiver=callee.target))
        occasion = Occasion(
            expr.node, passed.positional, passed.named, callee.receiver, passed.open_ended
        )
        for clause in rules.calls.matching(*paths):
            self.report.check(clause, occasion)
        if rules.installers.first(*paths):
            self.installed(passed, expr.node)
        if rules.opening.first(*paths):
            self._opening.add(id(expr))
        if any(value.built for value in passed.values()):
            for clause in rules.shaped(paths[0]):
                self.report.check(clause, occasion)
        if passed.named:
            for clause in rules.calls.anything:
                self.report.check(clause, occasion)

    def _check_handed(self, expr: ir.Call, callee: Callee, passed: Passed) -> None:
        """Report what is wrong with how a function is called that this one hands on."""
        calls = self.rules.calls
        found = handed(callee.paths[0], passed, callee.receiver, calls.knows)
        if found is None:
            return
        path, of, given = found
        occasion = Occasion(expr.node, given.positional, given.named, of, given.open_ended)
        for clause in calls.matching(path.rpartition(".")[2], path):
            # It is called later, and mostly just so that nothing is held up here.
            if "async" not in clause.within:
                self.report.check(clause, occasion)

    def _changed(
        self, callee: ir.Member, receiver: Value, passed: Passed, scope: Scope
    ) -> Value | None:
        """Return what a container's method returns, and change the container."""
        given = passed.positional
        if not given and passed.named:
            given = (Value(items=dict(passed.named.items())),)
        outcome = self.methods.call(callee.name, receiver, given)
        if outcome is None:
            return None
        returned, after = outcome
        if after is not receiver:
            changed = _chained(callee.object, callee.name)
            if changed is not callee.object:
                # `b.append(x).append(y)` changes what stands first.
                first = self.eval(changed, scope)
                taints = merged((first.taints, after.taints))
                after = replace(first, taints=taints, const=ir.UNKNOWN)
            self.assign(changed, after, scope, callee.node)
        return returned

    def _unknown_call(self, expr: ir.Call, callee: Callee, passed: Passed) -> Value:
        """Return what a function that is not in the file may return: something of all it got."""
        rules, (name, qual, _), receiver = self.rules, callee.paths, callee.receiver
        result = rules.results.first(*callee.paths) or (
            qual if expr.creates else extended_call(qual)
        )
        items: dict[object, Value] | None = {} if self._stores(result) else None
        if name in _WRAPPERS and passed.positional and passed.positional[0].qual:
            return replace(passed.positional[0], taints=())
        if name in _SAME_VALUE:
            return receiver if receiver is not None and not passed.positional else first_of(passed)
        if rules.inert.first(*callee.paths) is not None:
            return Value(qual=result, items=items)
        if expr.creates and not passed.positional and self._lists(result):
            return Value(qual=result, items={}, length=0)
        if receiver is not None and receiver.known:
            folded = fold_method(name, receiver.const, passed.consts())
            if folded is not ir.UNKNOWN:
                return constant(folded)
        taints = self._returned_taints(expr, callee, passed)
        # Named arguments stay readable on what a constructor makes.
        if passed.named and (expr.creates or (items is None and name[:1].isupper())):
            items = {**passed.named}
            taints = ()
        if name in ("join", "Join") and (text := _joined(receiver, passed)) is not None:
            return text
        parts = [*(() if receiver is None else (receiver,)), *passed.positional]
        made = formatted(parts) if name in _FORMATTING else NOTHING
        if name in ENCODING and passed.positional:
            receiver = passed.positional[0]
        lead = made.lead or kept_lead(name, receiver)
        if name == "URL" and passed.positional:
            # A base comes second, and counts only where the first does not say the host.
            lead = built(passed.positional[:1]).lead
        if made.built or (receiver is not None and receiver.built):
            loose = made.loose or (receiver is not None and receiver.loose)
            return Value(
                taints=taints, items=items, qual=result, built=True, lead=lead, loose=loose
            )
        loose = not taints and items is None and self._is_loose(callee, passed)
        return Value(taints=taints, items=items, qual=result, lead=lead, loose=loose)

    def _is_loose(self, callee: Callee, passed: Passed) -> bool:
        """Say whether nothing is known of what a call returns, not even that it is harmless."""
        rules, paths, given = self.rules, callee.paths, passed.values()
        if is_settled(paths[0]) or rules.is_scalar(paths[0]):
            return False
        if not any(value.loose for value in given):
            if callee.receiver is not None and callee.receiver.loose:
                # A class's own function makes something of what it is given, which is known.
                return not callee.receiver.qual.rpartition(".")[2][:1].isupper()
            return not given and not words_of(paths[0]).isdisjoint(_READING)
        return rules.sanitizers.first(*paths) is None and rules.cleaned_by_name(paths[0]) is None

    def _returned_taints(self, expr: ir.Call, callee: Callee, passed: Passed) -> tuple[Taint, ...]:
        rules, name = self.rules, callee.paths[0]
        groups = [value.all_taints() for value in passed.values()]
        if callee.receiver is not None:
            groups.append(callee.receiver.all_taints())
        if rules.carriers and (carried := self._carried(name, passed, expr.node)):
            groups.insert(0, carried)
        taints = merged(groups)
        if not taints or self._takes_nothing(expr, callee, passed):
            return ()
        kept = rules.keeps.first(*callee.paths) is not None
        found = [] if kept else list(rules.sanitizers.matching(*callee.paths))
        cleared = frozenset[str]().union(*found) if found else None
        if cleared and "path:inside" in cleared and _is_rooted(passed):
            cleared |= {"path"}
        if cleared is None and not callee.target.functions:
            cleared = rules.cleaned_by_name(name)
        if cleared is None and name in REPLACING and passed.positional:
            # In Go the text comes first in which something is replaced.
            at = callee.paths[1].startswith(("strings.", "bytes.")) and len(passed.positional) > 1
            const = passed.positional[at].const
            without = rejected(const) if isinstance(const, str) else frozenset[str]()
            cleared = without - {"path"} | _replaced(passed, self.rules)
            if isinstance(const, str) and CLIMBING.match(const) and INSIDE in taints[0].cleared:
                cleared |= {"path"}
        if cleared and "path" in cleared:
            self.report.withdraw([taint.origin for taint in taints], cleared)
        if cleared is None and self._may_clean(expr, callee):
            cleared = _SEEN_BY_NOBODY
        return tuple(taint.without(cleared) for taint in taints) if cleared else taints

    def _takes_nothing(self, expr: ir.Call, callee: Callee, passed: Passed) -> bool:
        """Say whether a call returns only what does no harm, whatever it was passed."""
        name = callee.paths[0]
        if name in PICKING and any(is_plain(each) for each in passed.consts()):
            # What was found has only what the pattern allows.
            return True
        if name in INTERSECTING:
            of = callee.receiver
            return any(map(is_closed, passed.positional)) or (of is not None and is_closed(of))
        return _is_told_type(expr, passed)

    def _may_clean(self, expr: ir.Call, callee: Callee) -> bool:
        """Say whether a function may have made harmless what it was passed, for all that is known.

        A method of what holds the value returns a part of it, and a constructor keeps it.
        """
        passes = self.rules.passes
        if passes is None or expr.creates:
            return False
        held = callee.receiver is not None and callee.receiver.all_taints()
        return not held and passes.first(*callee.paths) is None

    def _carried(self, name: str, passed: Passed, node: Node) -> tuple[Taint, ...]:
        """Return the taints of what wraps a request, by the name of the function that does."""
        if words_of(name).isdisjoint(_WRAPPING):
            return ()
        for value in passed.positional:
            last = value.qual.rpartition(".")[2]
            if value.qual and self.rules.carriers.first(last, value.qual) is not None:
                return (Taint(Kind.REMOTE, node, f"the request ({name})", frozenset()),)
        return ()

    def _lists(self, qual: str) -> bool:
        return qual.removesuffix("()").rpartition(".")[2] in self.rules.containers.lists

    def _stores(self, qual: str) -> bool:
        name = qual.removesuffix("()")
        last = name.rpartition(".")[2]
        return name in self.rules.containers.stores or last in self.rules.containers.stores

    def passed(self, arguments: Sequence[ir.Argument], scope: Scope) -> Passed:
        """Return the arguments of a call, evaluated."""
        positional: list[Value] = []
        named: dict[str, Value] = {}
        open_ended = False
        for argument in arguments:
            value = self.eval(argument.value, scope)
            if argument.spread:
                open_ended = open_ended or value.items is None
                if value.items is not None and value.length < 0:
                    named.update({str(key): item for key, item in value.items.items()})
                    if value.rest:
                        named["**"] = Value(taints=value.rest)
                elif value.items is not None:
                    positional += value.items.values()
                else:
                    positional.append(Value(taints=value.all_taints()))
            elif argument.name:
                named[argument.name] = value
            else:
                positional.append(value)
        return Passed(tuple(positional), named, open_ended)


def _is_told_type(expr: ir.Call, passed: Passed) -> bool:
    """Say whether a call says that it wants a number."""
    callee = expr.callee
    named = isinstance(callee, ir.Member) and callee.name in _CONVERTED_BY
    return named and any(each.qual in _NUMBERS for each in passed.values())


def _chained(of: ir.Expr, name: str) -> ir.Expr:
    """Return what a chain of calls of one method begins with."""
    while isinstance(of, ir.Call) and isinstance(of.callee, ir.Member) and of.callee.name == name:
        of = of.callee.object
    return of


def _is_held(target: Value) -> bool:
    return target is not NOTHING and not target.functions


def first_of(passed: Passed) -> Value:
    """Return the first argument."""
    return passed.positional[0] if passed.positional else NOTHING


def _is_rooted(passed: Passed) -> bool:
    """Say whether it is a path from the top that is made normal, so that nothing climbs out."""
    return any(value.built and value.lead in ("/", "\\") for value in passed.positional)


def _replaced(passed: Passed, rules: RuleSet) -> frozenset[str]:
    for value in passed.positional:
        if isinstance(value.const, str) and (found := all_but(value.const, rules)):
            return found
    return frozenset()


def _joined(receiver: Value | None, passed: Passed) -> Value | None:
    """Return the text that a sequence of texts is joined to, whichever of the two is the object."""
    if len(passed.positional) == 2 and passed.positional[0].length >= 0:  # noqa: PLR2004 - Go's
        receiver, given = passed.positional
        passed = Passed((given,), {}, open_ended=False)
    if receiver is None or len(passed.positional) > 1:
        return None
    given = passed.positional[0] if passed.positional else Value(const=",")
    between, parts = (given, receiver) if receiver.items is not None else (receiver, given)
    if parts.items is None or parts.rest or parts.length < 1 or not isinstance(between.const, str):
        return None
    texts = list(parts.items.values())
    woven = [each for text in texts for each in (between, text)][1:]
    return built(woven)
