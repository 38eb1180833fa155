"""Classes of the file and objects of them: made, and read with what is put into their fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow import ir
from coai_agents.analysis.dataflow.expressions import Passed
from coai_agents.analysis.dataflow.functions import Functions
from coai_agents.analysis.dataflow.objects.members import constructor_of, settle, strong
from coai_agents.analysis.dataflow.values import NOTHING, Scope, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from coai_agents.analysis.findings.report import Reporter
    from coai_agents.analysis.rules.matching import RuleSet


ENUMERATIONS: Final = frozenset(
    {name for each in ("Enum", "StrEnum", "IntEnum", "Flag") for name in (each, f"enum.{each}")}
)
"""Bases by which classes are enumerations in Python."""

_RESOLVED: Final = "what is promised"
"""A name that no program has."""


class Instances(Functions):
    """Adds classes and their objects."""

    def __init__(self, rules: RuleSet, report: Reporter, *, follow: bool) -> None:
        super().__init__(rules, report, follow=follow)
        self._declared: dict[str, tuple[ir.Class, Scope]] = {}
        """Classes that were not reached yet."""
        self.class_names: dict[int, str] = {}

    def declare(self, statements: Sequence[ir.Statement], scope: Scope) -> None:
        """Take note of classes that others may be made from before they are reached."""
        for statement in statements:
            if isinstance(statement, ir.Class):
                self._declared[statement.name] = statement, scope

    def _class(self, statement: ir.Class, scope: Scope) -> bool:
        waiting = self._declared.get(statement.name)
        if waiting is not None and waiting[0] is statement:
            del self._declared[statement.name]
        elif statement.name in self.classes and id(statement) in self._seen:
            return False
        self._seen.add(id(statement))
        for decorator in statement.decorators:
            self.eval(decorator, scope)
        inner = Scope(scope)
        inner.members = {}
        inner.base_names = statement.bases
        if not {ir.ENUM, *ENUMERATIONS}.isdisjoint(statement.bases):
            self.enumerations.add(statement.name)
        inner.bare = self.rules.rules.bare_fields
        inner.fields = tuple(statement.fields)
        for base in statement.bases:
            self._inherit(inner, base)
        self.declare(statement.body, inner)
        self.classes[statement.name] = inner
        self.class_names[id(inner)] = statement.name
        self._body(statement.body, inner)
        for name, value in inner.values.items():
            inner.members.setdefault(name, value)
        if statement.name in inner.members:
            inner.members["constructor"] = inner.members[statement.name]
        settle(inner, inner)
        members: dict[object, Value] = dict(inner.members.items())
        known = Value(qual=statement.name, items=members, objects=(inner,))
        scope.values[statement.name] = known
        return False

    def _inherit(self, inner: Scope, base: str) -> None:
        """Let a class have what one has that it is made from."""
        waiting = self._declared.get(base)
        if waiting is not None:
            self._class(*waiting)
        above = self.classes.get(base)
        if above is None or above.members is None:
            return
        inner.bases = (*inner.bases, above)
        assert inner.members is not None
        inner.members.update(above.members)
        for field in above.fields:
            if field not in inner.fields:
                inner.fields = (*inner.fields, field)

    def instance(self, made: Value, passed: Passed, node: Node) -> Value | None:
        """Return an object of a class of this file: its methods, and what its constructor sets."""
        class_ = self.classes.get(made.qual)
        if class_ is None or class_.members is None:
            return None
        if made.qual in self.enumerations:
            return Value(qual=made.qual)
        own = Scope(class_)
        settle(own, class_)
        assert own.members is not None
        value = Value(qual=made.qual, objects=(own,))
        constructor = constructor_of(own, made.qual)
        named = dict(passed.named)
        if constructor is not None and constructor.functions:
            self.apply(constructor.functions, passed, value, node)
            for function, _ in constructor.functions:
                for parameter in function.parameters:
                    named.pop(parameter.name, None)
                    if parameter.rest:
                        named.clear()
        else:
            own.members.update(zip(class_.fields, passed.positional, strict=False))
        for name, given in named.items():
            self.keep(own.members, name, given, value, node)
        return value

    def promised(self, passed: Passed, node: Node) -> Value | None:
        """Return what a function lets a promise be; None if that is not known."""
        if not passed.positional or not passed.positional[0].functions:
            return None
        around = Scope(Scope())
        around.values[_RESOLVED] = NOTHING
        value = ir.Name(node, "value")
        keeps = ir.Assign(node, ir.Name(node, _RESOLVED), value)
        resolve = ir.Function(node, "resolve", [ir.Parameter(node, "value")], [keeps])
        given = Passed((Value(functions=((resolve, around),)),), {}, open_ended=False)
        self.apply(passed.positional[0].functions, given, None, node)
        return around.values[_RESOLVED]

    def extend_prototype(self, of: ir.Expr, name: str, value: Value, scope: Scope) -> None:
        """Let a function that makes objects have a method that all of them know."""
        base = of.object if isinstance(of, ir.Member) else of
        made = base.name if isinstance(base, ir.Name) else ""
        maker = scope.get(made)
        if maker is None or not maker.functions or not value.functions:
            return
        class_ = self.classes.get(made)
        if class_ is None:
            class_ = self.classes[made] = Scope(maker.functions[0][1])
            class_.members = {"constructor": _of(maker, class_)}
        assert class_.members is not None
        class_.members[name] = _of(value, class_)
        settle(class_, class_)

    def read_again(self) -> None:
        """Read methods again whose objects have more from outside in their fields by now."""
        for _ in range(2):
            own, self._own = self._own, []
            for function, around, before in own:
                if around.members is not None and strong(around.members) > before:
                    self._read_function(function, around)


def _of(value: Value, class_: Scope) -> Value:
    return Value(functions=tuple((each, class_) for each, _ in value.functions), qual=value.qual)
