"""Name resolution: which occurrences of a name in a file mean the same variable.

Scopes are built from the syntax tree by what `shapes.toml` says of a language. What no scope of the
file binds is free: a global of another file, a builtin, a member. Names in strings are not seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.refactoring.binding_places import (
    SPECIAL,
    csharp_member,
    evaluated_outside,
    go_member,
)
from coai_agents.specialists.refactoring.shapes import family, place_of, shapes_of
from coai_agents.syntax.tree import ancestors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from coai_agents.source import Span
    from coai_agents.specialists.refactoring.shapes import Shapes
    from coai_agents.syntax.tree import SyntaxTree


class Role(StrEnum):
    """What an occurrence does with its variable."""

    READ = "read"
    WRITE = "write"
    BOTH = "both"


@dataclass(eq=False, slots=True)
class Scope:
    """A part of the text in which names are bound."""

    node: Node
    above: Scope | None
    kind: str
    """`file`, `function`, `inner`, `class` or `block`."""
    bound: dict[str, list[Binding]] = field(default_factory=dict[str, "list[Binding]"])
    elsewhere: dict[str, str] = field(default_factory=dict[str, str])
    """Python's `global` and `nonlocal` names."""

    @property
    def function(self) -> Scope:
        """The innermost scope of a function, or of the file, around this one."""
        at = self
        while at.kind in ("block", "inner") and at.above is not None:
            at = at.above
        return at


@dataclass(eq=False, slots=True)
class Binding:
    """A variable."""

    name: str
    scope: Scope
    since: int
    """The byte from which on it is seen; 0 for all of its scope."""
    parameter: bool = False
    uses: list[Use] = field(default_factory=list["Use"])

    @property
    def writes(self) -> list[Use]:
        """The occurrences that give it a value."""
        return [each for each in self.uses if each.role is not Role.READ]

    @property
    def is_local(self) -> bool:
        """Whether it is a function's own."""
        return self.scope.function.kind == "function"


@dataclass(eq=False, slots=True)
class Use:
    """An occurrence of a variable's name."""

    node: Node
    name: str
    scope: Scope
    binding: Binding | None
    role: Role
    declares: bool = False


_DECLARED: Final = frozenset({"here", "function", "outer"})


class Names:
    """All occurrences of variables in a file, resolved."""

    def __init__(self, tree: SyntaxTree) -> None:
        """Resolve a file; raises ValueError for a language without shapes."""
        shapes = shapes_of(tree.source.language)
        if shapes is None:
            raise ValueError(f"no shapes of {tree.source.language}")
        self.tree = tree
        self.shapes: Shapes = shapes
        self._family = family(tree.source.language)
        self._ordered = self._family in ("go", "ruby")
        self.file = Scope(tree.root, None, "file")
        self.uses: list[Use] = []
        self._walk()

    # -------------------------------------------------------------- building

    def _walk(self) -> None:
        found: list[tuple[Node, Scope, str]] = []
        waiting: list[tuple[Node, Scope]] = [(self.tree.root, self.file)]
        while waiting:
            node, scope = waiting.pop()
            if node.type in self.shapes.names:
                kind = self._kind(node)
                if kind:
                    found.append((node, scope, kind))
                continue
            if node.type in ("global_statement", "nonlocal_statement"):
                for each in node.named_children:
                    scope.function.elsewhere[self.tree.text(each)] = node.type
            inside = self._opened(node, scope)
            outer = evaluated_outside(node)
            outside = scope.above or scope
            waiting.extend(
                (child, outside if outer is not None and child.id == outer.id else inside)
                for child in reversed(node.children)
            )
        for node, scope, kind in found:
            self._declare(node, scope, kind)
        for node, scope, kind in found:
            self._use(node, scope, kind)

    def _opened(self, node: Node, scope: Scope) -> Scope:
        kinds = self.shapes
        if not node.is_named:
            return scope
        if node.type in kinds.functions:
            return Scope(node, scope, "inner" if node.type in kinds.inner else "function")
        if node.type in kinds.classes:
            return Scope(node, scope, "class")
        if node.type in kinds.blocks:
            return Scope(node, scope, "block")
        return scope

    def _kind(self, node: Node) -> str:
        """Return what an occurrence is: where it binds, `write`, `both`, `read`, or nothing."""
        place, shapes = place_of(node), self.shapes
        if place in shapes.other or self._is_member(node, place):
            return ""
        at, path = node, place
        while path in shapes.through and at.parent is not None:
            at = at.parent
            path = place_of(at)
        special = self._special(node, at, path)
        if special is not None:
            return special
        for kind in ("here", "function", "outer", "both", "write"):
            if path in getattr(shapes, kind):
                return kind
        return "read"

    def _is_member(self, node: Node, place: str) -> bool:
        above = node.parent
        if above is None:
            return False
        match self._family:
            case "python":
                if above.type == "dotted_name":
                    first = above.named_children[0].id == node.id
                    return not first or place_of(above) in self.shapes.other
                return above.type == "keyword_pattern"
            case "csharp":
                return csharp_member(node, above, place)
            case "go":
                return go_member(above)
            case "javascript":
                has_alias = above.child_by_field_name("alias") is not None
                return place == "import_specifier.name" and has_alias
            case "php":
                return self.tree.text(node) == "$this"
            case _:
                pass
        return False

    def _special(self, node: Node, at: Node, path: str) -> str | None:
        """Return what the tables cannot say of a place; None where they can."""
        above = at.parent
        if above is None:
            return None
        special = SPECIAL.get((self._family, path))
        return None if special is None else special(node, at, above)

    def _declare(self, node: Node, scope: Scope, kind: str) -> None:
        if kind not in _DECLARED:
            return
        name, target = self._name(node), scope
        if kind == "function":
            target = scope if self._family == "ruby" else scope.function
        elif kind == "outer":
            target = _around(node, scope)
        if name in target.elsewhere:
            target = self._elsewhere(name, target)
        since = self._since(node) if self._ordered and kind != "outer" else 0
        known = target.bound.setdefault(name, [])
        if known and (not self._ordered or self._again(node)):
            known[-1].parameter |= place_of(node) in self.shapes.parameters
            return
        if self._family == "ruby" and kind == "function" and self._seen(name, node, scope):
            if not known:
                del target.bound[name]
            return
        parameter = self._is_parameter(node)
        known.append(Binding(name, target, since, parameter))

    def _is_parameter(self, node: Node) -> bool:
        at = node
        while place_of(at) in self.shapes.through and at.parent is not None:
            at = at.parent
        above = at.parent
        spread = above is not None and place_of(above) == "spread_parameter."
        return spread or place_of(at) in self.shapes.parameters

    def _elsewhere(self, name: str, scope: Scope) -> Scope:
        if scope.elsewhere[name] == "global_statement":
            return self.file
        at = scope.above
        while at is not None and at.kind != "file":
            if at.kind == "function" and name in at.bound:
                return at
            at = at.above
        return scope.above.function if scope.above is not None else self.file

    def _again(self, node: Node) -> bool:
        """Say whether `:=`, or Ruby's assignment, writes what its scope has already."""
        return self._family == "ruby" or any(
            each.type == "short_var_declaration" for each in ancestors(node)
        )

    def _since(self, node: Node) -> int:
        if self._family == "ruby":
            return node.start_byte
        for each in ancestors(node):
            if each.type in ("short_var_declaration", "var_spec", "const_spec", "range_clause"):
                return each.end_byte
        return node.start_byte

    def _name(self, node: Node) -> str:
        return self.tree.text(node)

    def _use(self, node: Node, scope: Scope, kind: str) -> None:
        name = self._name(node)
        declares = kind in _DECLARED
        if declares:
            binding = self._declared(name, node, scope, kind)
        else:
            binding = self._seen(name, node, scope)
        role = {"read": Role.READ, "both": Role.BOTH}.get(kind, Role.WRITE)
        use = Use(node, name, scope, binding, role, declares)
        self.uses.append(use)
        if binding is not None:
            binding.uses.append(use)
        if self._family == "php" and place_of(node) == "anonymous_function_use_clause.":
            outer = None if scope.above is None else self._seen(name, node, scope.above)
            if outer is not None:
                # It is the inner variable's and the outer one's: neither is renamed alone.
                outer.uses.append(Use(node, name, scope, outer, Role.BOTH))

    def _declared(self, name: str, node: Node, scope: Scope, kind: str) -> Binding | None:
        start = scope
        if kind == "function" and self._family != "ruby":
            start = scope.function
        elif kind == "outer":
            start = _around(node, scope)
        if name in start.elsewhere:
            start = self._elsewhere(name, start)
        known = start.bound.get(name)
        if not known:
            return self._seen(name, node, scope)
        if not self._ordered or len(known) == 1:
            return known[0]
        since = self._since(node)
        return next((each for each in reversed(known) if each.since <= since), known[0])

    def _seen(self, name: str, node: Node, scope: Scope) -> Binding | None:
        at: Scope | None = scope
        first = True
        while at is not None:
            hidden = at.kind == "class" and not first and self._family == "python"
            if name in at.elsewhere:
                at = self._elsewhere(name, at)
            for each in reversed(at.bound.get(name, ()) if not hidden else ()):
                if each.since <= node.start_byte or at.kind == "file":
                    return each
            first = first and at.kind == "block"
            if at.node.type in self.shapes.closed:
                return None
            at = at.above
        return None

    # --------------------------------------------------------------- looking

    @cached_property
    def taken(self) -> frozenset[str]:
        """The names that variables of the file have, and those that it takes from elsewhere."""
        return frozenset(each.name.removeprefix("$") for each in self.uses)

    @cached_property
    def words(self) -> frozenset[str]:
        """Everything in the file that could be a name, of a member too."""
        import re  # noqa: PLC0415 - once for a file

        return frozenset(re.findall(r"\w+", self.tree.source.text))

    def at(self, offset: int) -> Use | None:
        """Return the variable at an offset, or the one that ends there."""
        byte = self.tree.source.byte_offset(offset)
        touching = [e for e in self.uses if e.node.start_byte <= byte <= e.node.end_byte]
        return touching[-1] if touching else None

    def within(self, span: Span) -> Iterator[Use]:
        """Yield the occurrences in a span."""
        first = self.tree.source.byte_offset(span.start)
        last = self.tree.source.byte_offset(span.end)
        for each in self.uses:
            if first <= each.node.start_byte and each.node.end_byte <= last:
                yield each


def _around(node: Node, scope: Scope) -> Scope:
    """Return the scope in which a definition's name is bound: not the one that it opens."""
    opened = node.parent is not None and node.parent.id == scope.node.id
    return scope.above if opened and scope.above is not None else scope
