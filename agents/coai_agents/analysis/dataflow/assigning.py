"""Assignments: to names, members and items, and what taking apart gives to each part."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from coai_agents.analysis.dataflow import ir
from coai_agents.analysis.dataflow.conditions import Occasion
from coai_agents.analysis.dataflow.containers import key_of, lookup, store
from coai_agents.analysis.dataflow.expressions import SELF, Expressions, Passed
from coai_agents.analysis.dataflow.ir import UNKNOWN
from coai_agents.analysis.dataflow.objects.members import accessor
from coai_agents.analysis.dataflow.pieces import extended, through, written_of
from coai_agents.analysis.dataflow.values import NOTHING, Value, join

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from coai_agents.analysis.dataflow.values import Scope


class Assigning(Expressions):
    """Adds assignments."""

    _branches = 0
    """So many branches are around, of which nobody knows whether they are taken."""

    def assign(self, target: ir.Expr, value: Value, scope: Scope, node: Node) -> None:
        """Let a target have a value."""
        match target:
            case ir.Name(name=name):
                if value.taints:
                    value = through(value, node, f"assigned to {name}")
                scope.put(name, value)
                if self.rules.assignments:
                    self._check_assignment((name, name, name), value, node)
            case ir.Member():
                self._assign_member(target, value, scope, node)
            case ir.Index():
                self._assign_item(target, value, scope, node)
            case ir.Container(items=items):
                self._unpack(items, value, scope, node)
            case ir.Several(parts=parts):
                for part in parts:
                    self.assign(part, Value(taints=value.all_taints()), scope, node)
            case _:
                pass

    def _assign_member(self, target: ir.Member, value: Value, scope: Scope, node: Node) -> None:
        of, name = target.object, target.name
        base = self.eval(of, scope)
        self._check_assignment((name, extended(base.qual, name), target.written), value, node)
        if isinstance(of, ir.Name) and of.name in SELF and scope.members is not None:
            self.keep(scope.members, name, value, base, node)
        elif base.objects:
            for each in base.objects:
                own = each.members if each.members is not None else {}
                if self._branches or len(base.objects) > 1 or self._is_set(own, name):
                    self.keep(own, name, value, base, node)
                else:
                    own[name] = value
        elif name == "prototype" or (isinstance(of, ir.Member) and of.name == "prototype"):
            self.extend_prototype(of, name, value, scope)
        elif isinstance(of, ir.Name | ir.Member | ir.Index):
            self._put_back(of, store(base, name, value), scope)

    def _is_set(self, members: dict[str, Value], name: str) -> bool:
        return accessor(members.get(f"{name}=", NOTHING), "set")

    def keep(
        self, members: dict[str, Value], name: str, value: Value, of: Value, node: Node
    ) -> None:
        """Let an object's field have a value as well, or call what sets it."""
        if self._is_set(members, name):
            setter = members[f"{name}="].functions
            self.apply(setter, Passed((value,), {}, open_ended=False), of, node)
            return
        before = members.get(name)
        members[name] = value if before is None or before.functions else join(before, value)

    def extend_prototype(self, of: ir.Expr, name: str, value: Value, scope: Scope) -> None:
        """Let a function that makes objects have a method that all of them know."""
        raise NotImplementedError

    def _assign_item(self, target: ir.Index, value: Value, scope: Scope, node: Node) -> None:
        of = target.object
        base = self.eval(of, scope)
        at = NOTHING if target.key is None else self.eval(target.key, scope)
        written = written_of(of)
        path = ("[]", extended(base.qual, "[]"), f"{written}.[]" if written else "")
        self._check_assignment(path, value, node, at)
        if not isinstance(of, ir.Name | ir.Member | ir.Index):
            return
        if target.key is None:
            changed = self.methods.call("append", base, (value,))
            after = changed[1] if changed else store(base, UNKNOWN, value)
        else:
            after = store(base, key_of(at), value)
        self._put_back(of, after, scope)

    def _unpack(self, items: Sequence[ir.Item], value: Value, scope: Scope, node: Node) -> None:
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
                scope.change(name, value)
            case ir.Member(object=of, name=name):
                if isinstance(of, ir.Name) and of.name in SELF and scope.members is not None:
                    scope.members[name] = value
                elif (base := self.eval(of, scope)).objects:
                    for each in base.objects:
                        if each.members is not None:
                            each.members[name] = value
                elif isinstance(of, ir.Name | ir.Member):
                    self._put_back(of, store(base, name, value), scope)
            case ir.Index(object=of, key=key) if key is not None:
                base = self.eval(of, scope)
                self._put_back(of, store(base, key_of(self.eval(key, scope)), value), scope)
            case _:
                pass

    def _check_assignment(
        self, path: tuple[str, str, str], value: Value, node: Node, key: Value | None = None
    ) -> None:
        if not self.rules.assignments.knows(path[0]):
            return
        for clause in self.rules.assignments.matching(*path):
            named = {"value": value} if key is None else {"value": value, "key": key}
            self.report.check(clause, Occasion(node, (value,), named))
