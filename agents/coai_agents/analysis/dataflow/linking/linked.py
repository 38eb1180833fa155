"""Functions of other files: what their summaries tell of a call, and the summaries of this file.

A summary is made while a function is read in its own right: its parameters are marked then, and
where a mark comes to a place that a rule is about, or back to the caller, the summary says so. A
mark of what makes an object, or sets its field, may come there through another method; it is the
maker's, or the setter's, all the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from coai_agents.analysis.dataflow import ir
from coai_agents.analysis.dataflow.conditions import is_settled_host
from coai_agents.analysis.dataflow.linking.outline import (
    MOST_CALLS,
    MOST_PLACES,
    MOST_REACHES,
    Brought,
    FunctionOutline,
    Outline,
    Reach,
)
from coai_agents.analysis.dataflow.objects.instances import Instances
from coai_agents.analysis.dataflow.objects.members import CONSTRUCTORS, is_own_method
from coai_agents.analysis.dataflow.pieces import written_of
from coai_agents.analysis.dataflow.summaries import told
from coai_agents.analysis.dataflow.values import NOTHING, Kind, Taint, Trail, Value, merged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

    from coai_agents.analysis.dataflow.dispatch import Callee
    from coai_agents.analysis.dataflow.expressions import Passed
    from coai_agents.analysis.dataflow.linking.outline import Proven
    from coai_agents.analysis.dataflow.summaries import Proofs
    from coai_agents.analysis.dataflow.values import Scope
    from coai_agents.analysis.findings.places import Place
    from coai_agents.analysis.findings.report import Reporter
    from coai_agents.analysis.rules.matching import RuleSet
    from coai_agents.analysis.rules.rules import Clause, Concept


_LONGEST_TEST: Final = 8
"""Statements of a function of which it is asked what its answer shows."""


_IMPORTING: Final = frozenset(
    {"python", "javascript", "javascriptreact", "typescript", "typescriptreact"}
)
"""Languages in which nothing of another file has a name that no import gives it."""


class Linked(Protocol):
    """What knows the functions of other files, by the paths that a file has for them."""

    def function(self, path: str) -> FunctionOutline | None:
        """Return the summary of a function, None if nothing is known of it."""
        ...


class Linking(Instances):
    """Adds functions of other files."""

    def __init__(
        self, rules: RuleSet, report: Reporter, *, follow: bool, linked: Linked | None
    ) -> None:
        super().__init__(rules, report, follow=follow)
        self._linked = linked
        self._marks: dict[int, tuple[str, int]] = {}
        """Of each parameter's node the function's name and its place."""
        self._reaches: dict[str, dict[tuple[int, str], Reach]] = {}
        self._outlines: dict[str, FunctionOutline] = {}
        self._called: dict[str, bool] = {}
        self._bound: dict[str, str] = {}
        self._roots: set[str] = set()
        """What the paths begin with that imports stand for."""
        self._by_imports = report.language in _IMPORTING
        self._named: dict[int, str] = {}
        """The names of functions that are values."""
        report.handed_on = self._mark_sink

    # ---------------------------------------------------------------------- calls of other files

    def linked_call(self, expr: ir.Call, callee: Callee, passed: Passed) -> Value | None:
        """Return what a function of another file returns; None if nothing is known of it."""
        path = plain_path(callee.paths[1])
        if not self._leads_out(path) or (callee.target.objects and not callee.target.functions):
            return None
        self._note_call(path, passed)
        known = None if self._linked is None else self._linked.function(path)
        if known is None:
            return None
        self._come_through(known, expr.node, passed)
        given = dict(_given(known.parameters, passed))
        self.proven = _proofs(known.proves, given)
        taints = [
            tuple(taint.without(cleared) for taint in given[at].all_taints())
            for at, cleared in known.gives
            if at in given
        ]
        if callee.receiver is not None and not known.whole:
            taints.append(callee.receiver.all_taints())
        name = callee.paths[0]
        for each in known.brings:
            last, _ = each.places[-1]
            trail = Trail(expr.node, f"returned by {name}", None, 1, each.places)
            label = f"{each.label} in {last.name}"
            taints.append((Taint(each.kind, expr.node, label, each.cleared, trail),))
        return Value(taints=merged(taints), qual=_result(callee, path, known, expr))

    def summarised(self, callee: Callee, passed: Passed, node: Node) -> None:
        """Report what is passed to a function of this file that was read often enough."""
        for function, around in callee.target.functions:
            name = self._name_in(function, around)
            known = self._outlines.get(name)
            reaches = tuple(self._reaches.get(name, {}).values())
            if known is not None and reaches:
                self._come_through(FunctionOutline(known.parameters, reaches), node, passed)

    def _come_through(self, known: FunctionOutline, node: Node, passed: Passed) -> None:
        """Report what is passed that does harm where it is used in the other file."""
        given = dict(_given(known.parameters, passed))
        for reach in known.reaches:
            value = given.get(reach.parameter)
            category = self.rules.concepts[reach.rule].category
            if value is None or is_settled_host(category, value):
                continue
            for taint in value.all_taints():
                if not taint.without(reach.cleared).threatens(category):
                    continue
                if taint.kind is Kind.PARAMETER:
                    self._mark_reach(taint, _further(reach, taint, self.report.place_of(node)))
                elif taint.kind in reach.kinds:
                    self.report.add_reach(reach, node, taint)
                    break

    def linked_test(
        self, callee: Callee, arguments: Sequence[ir.Argument], scope: Scope, *, holds: bool
    ) -> Proofs | None:
        """Return what a test by a function of another file tells; None if it is not known."""
        path = plain_path(callee.paths[1])
        if self._linked is None or not self._leads_out(path):
            return None
        known = self._linked.function(path)
        if known is None or not (known.holds or known.fails):
            return None
        given = dict(_given(known.parameters, self.passed(arguments, scope)))
        return _proofs(known.holds if holds else known.fails, given)

    def _leads_out(self, path: str) -> bool:
        """Say whether a path may lead to another file: in some languages only an import does."""
        if not path:
            return False
        if not self._by_imports:
            return True
        return path.startswith((".", "@/", "~/")) or path.partition(".")[0] in self._roots

    def _note_call(self, path: str, passed: Passed) -> None:
        if path in self._called or len(self._called) < MOST_CALLS:
            tainted = any(value.all_taints() for value in passed.values())
            self._called[path] = self._called.get(path, False) or tainted

    # ------------------------------------------------------------------ summaries of this file's

    def _import(self, statement: ir.Import, scope: Scope) -> bool:
        self._bound.update((name, path) for name, path in statement.names)
        self._roots.update(path.partition(".")[0] for _, path in statement.names)
        for name, path in statement.names:
            scope.values[name] = Value(qual=path)
        return False

    def note_name(self, statement: ir.Assign, scope: Scope) -> None:
        """Take note of a name that a file gives to a function, or exports."""
        if scope.around is None and isinstance(
            statement.value, ir.Function | ir.Name | ir.Container | ir.Call
        ):
            self._name_value(statement.target, statement.value)

    def _name_value(self, target: ir.Expr, value: ir.Expr) -> None:
        """Take note of what a file's own variable or export is called, if it is a function."""
        name = written_of(target)
        for start in ("module.exports", "exports"):
            if name == start:
                name = "default"
            name = name.removeprefix(f"{start}.")
        match value:
            case ir.Function() if name and not value.name:
                self._named[id(value)] = name
            case ir.Name(name=other) if name and other != name:
                self._bound[name] = other
            case ir.Call(callee=ir.Name(name=other), creates=True) if name:
                # An object that the file makes for all who import it.
                self._bound[name] = other
            case ir.Container(items=items) if name == "default":
                for item in items:
                    if isinstance(item.key, ir.Const) and isinstance(item.key.value, str):
                        self._name_value(ir.Name(item.value.node, item.key.value), item.value)
            case _:
                pass

    def _name_in(self, function: ir.Function, around: Scope) -> str:
        """Return the name by which other files know a function; nothing if they cannot."""
        class_ = self.class_names.get(id(around.of or around), "")
        if not class_:
            name = self._named.get(id(function), function.name)
            return name if around.around is None else ""
        if function.name in CONSTRUCTORS or function.name == class_:
            return class_
        return f"{class_}.{function.name.removeprefix('self.')}" if class_ else ""

    def _read_function(self, function: ir.Function, around: Scope) -> None:
        name = self._name_in(function, around)
        if name:
            own = is_own_method(function)
            for at, parameter in enumerate(function.parameters[own:]):
                self._marks[parameter.node.id] = name, at
        super()._read_function(function, around)

    def learn(
        self,
        function: ir.Function,
        around: Scope,
        value: Value,
        known: tuple[dict[str, Value], dict[str, Value]],
    ) -> None:
        """Keep what a function returned that was read in its own right."""
        name = self._name_in(function, around)
        if not name or not self._follow:
            return
        parameters = function.parameters[is_own_method(function) :]
        nodes = {each.node.id: at for at, each in enumerate(parameters)}
        gives: dict[int, frozenset[str]] = {}
        brings: list[Brought] = []
        whole = not value.loose
        for taint in value.all_taints():
            at = nodes.get(taint.origin.id)
            if taint.kind is not Kind.PARAMETER:
                brings.append(self._brought(taint))
            elif at is None:
                whole = False
            else:
                gives[at] = gives[at] & taint.cleared if at in gives else taint.cleared
        before, after = known
        self._outlines[name] = FunctionOutline(
            parameters=tuple(each.name for each in parameters),
            gives=tuple(gives.items()),
            brings=tuple(brings),
            proves=_by_place(told(before, after), nodes),
            holds=self._answer(function, around, nodes, holds=True),
            fails=self._answer(function, around, nodes, holds=False),
            type=self._class_of(value),
            whole=whole,
        )

    def _class_of(self, value: Value) -> str:
        for each in value.objects:
            name = self.class_names.get(id(each.of or each), "")
            if name:
                return name
        return ""

    def _brought(self, taint: Taint) -> Brought:
        elsewhere = () if taint.trail is None else taint.trail.elsewhere
        origin = (self.report.place_of(taint.origin), f"comes from {taint.label}")
        places = (*elsewhere, origin)[:MOST_PLACES]
        return Brought(taint.kind, taint.label.partition(" in ")[0], taint.cleared, places)

    def _answer(
        self, function: ir.Function, around: Scope, nodes: dict[int, int], *, holds: bool
    ) -> Proven:
        body = function.body
        if not nodes or not body or len(body) > _LONGEST_TEST or not _is_answer(body[-1]):
            return ()
        return _by_place(self.answered(function, around, holds=holds), nodes)

    def _mark_sink(self, taint: Taint, clause: Clause, concept: Concept, node: Node) -> None:
        mark = self._marks.get(taint.origin.id)
        if mark is None:
            return
        reach = Reach(
            parameter=mark[1],
            rule=concept.id,
            message=clause.message or concept.message,
            severity=(clause.severity or concept.severity).value,
            kinds=clause.kinds,
            cleared=taint.cleared,
            places=((self.report.place_of(node), "used here"),),
        )
        self._mark_reach(taint, reach)

    def _mark_reach(self, taint: Taint, reach: Reach) -> None:
        mark = self._marks.get(taint.origin.id)
        if mark is None:
            return
        name, at = mark
        known = self._reaches.setdefault(name, {})
        if len(known) < MOST_REACHES:
            moved = Reach(
                at, reach.rule, reach.message, reach.severity, reach.kinds, reach.cleared,
                reach.places[-MOST_PLACES:],
            )  # fmt: skip
            known.setdefault((at, reach.rule), moved)

    def outline(self) -> Outline:
        """Return the summaries of what was read."""
        functions: dict[str, FunctionOutline] = {}
        for name in {*self._outlines, *self._reaches}:
            known = self._outlines.get(name)
            if known is None:
                continue
            reaches = tuple(self._reaches.get(name, {}).values())
            whole = FunctionOutline(
                known.parameters, reaches, known.gives, known.brings, known.proves,
                known.holds, known.fails, known.type, known.whole,
            )  # fmt: skip
            if not whole.is_plain:
                functions[name] = whole
        return Outline(functions, self._called, self._bound)


def _is_answer(statement: ir.Statement) -> bool:
    """Say whether what a function ends with may be what it says of something, yes or no."""
    match statement:
        case ir.Return(value=ir.Operation() | ir.Call() | ir.Const(value=bool())):
            return True
        case _:
            return False


def plain_path(path: str) -> str:
    """Return the path of a function without what makes objects on the way."""
    path = path.replace("()", "").removesuffix(".new").replace(".new.", ".")
    return "" if path.startswith("?") or "[]" in path else path


def _by_place(proofs: Proofs, nodes: dict[int, int]) -> Proven:
    return tuple(
        (nodes[origin.id], categories)
        for origins, categories in proofs
        for origin in origins
        if origin.id in nodes
    )


def _given(parameters: Sequence[str], passed: Passed) -> Iterator[tuple[int, Value]]:
    """Yield what each parameter is passed."""
    for at, name in enumerate(parameters):
        if name in passed.named:
            yield at, passed.named[name]
        elif at < len(passed.positional):
            yield at, passed.positional[at]
        elif passed.open_ended:
            yield at, NOTHING


def _proofs(proven: Proven, given: dict[int, Value]) -> Proofs:
    return tuple(
        ((taint.origin,), cleared)
        for at, cleared in proven
        if at in given
        for taint in given[at].all_taints()
    )


def _further(reach: Reach, taint: Taint, here: Place) -> Reach:
    places = ((here, "passed on here"), *reach.places)
    return replace(reach, cleared=reach.cleared | taint.cleared, places=places)


def _result(callee: Callee, path: str, known: FunctionOutline, expr: ir.Call) -> str:
    """Return the path of what a call returns: of its class, where that is known."""
    if expr.creates:
        return path
    if known.type:
        return f"{path.rpartition('.')[0]}.{known.type}".lstrip(".")
    return f"{callee.paths[1]}()"
