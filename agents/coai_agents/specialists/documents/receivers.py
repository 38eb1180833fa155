"""What routes are registered at: applications, routers and groups, and below which prefixes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.documents.frameworks import frameworks
from coai_agents.specialists.documents.paths import joined
from coai_agents.specialists.documents.syntax import (
    FUNCTIONS,
    Scopes,
    assigned,
    call_of,
    constants,
    imports,
    qualified,
    string_of,
    walk,
)

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.specialists.documents.frameworks import Framework
    from coai_agents.specialists.documents.syntax import Call
    from coai_agents.syntax.tree import SyntaxTree

MOST_MOUNTS: Final = 8
"""Routers below routers that are followed; more are a circle."""

MOST_PREFIXES: Final = 16
"""Of one router; nobody mounts one more often."""

_NAMES: Final = frozenset({"identifier", "attribute", "member_expression", "selector_expression"})


@dataclass(eq=False)
class Receiver:
    """Something that routes are registered at."""

    framework: Framework
    prefix: str = ""
    parents: list[tuple[Receiver, str | None]] = field(
        default_factory=list["tuple[Receiver, str | None]"]
    )
    """Where it is mounted, and below which prefix; None where the mount names none."""
    has_path: bool = False
    """Whether it is a path already, so that its methods take none."""

    def registers(self, call: Call) -> bool:
        """Say whether a call of one of its methods registers a route, where calls do.

        With one argument alone, Express's `get` reads a setting.
        """
        framework = self.framework
        if framework.form != "call":
            return False
        if call.name in framework.objects:
            return bool(call.arguments)
        names = framework.verbs | framework.any | framework.handle
        before = 0 if self.has_path else 1 + (call.name in framework.handle)
        return call.name in names and len(call.arguments) > before

    def prefixes(self, depth: int = 0) -> list[str]:
        """Return all prefixes that its routes have."""
        if not self.parents or depth > MOST_MOUNTS:
            return [self.prefix]
        found: dict[str, None] = {}
        for parent, mount in self.parents[:MOST_PREFIXES]:
            own = self.prefix
            if mount is not None:
                own = mount if self.framework.mount_replaces else joined(mount, self.prefix)
            for above in parent.prefixes(depth + 1):
                found[joined(above, own)] = None
        return list(found)[:MOST_PREFIXES]


class Receivers:
    """The receivers of one file, by their names where they are seen."""

    def __init__(self, tree: SyntaxTree) -> None:
        self.tree = tree
        self.constants = constants(tree)
        self.imports = imports(tree)
        self.notes: list[str] = []
        self._scopes = Scopes(tree.root)
        self.known = [each for each in frameworks() if tree.source.language in each.languages]
        self._named: dict[str, dict[int, list[tuple[int, Receiver | None]]]] = {}
        self._derived: dict[int, Receiver | None] = {}
        for node in walk(tree.root):
            self._parameter(node)
            if (pair := assigned(node)) is not None and pair[0].type in {
                *_NAMES,
                "property_identifier",
            }:
                self._define(pair[0], self.of(pair[1]) or self._wrapped(*pair))
        calls = [call for node in walk(tree.root) if (call := call_of(tree, node)) is not None]
        for call in calls:
            self._plug(call)
        for call in calls:
            self._mount(call)

    def text(self, node: Node | None) -> str | None:
        """Return what an expression's text always is; None where that cannot be told."""
        return string_of(self.tree, node, self.constants)

    def note(self, node: Node, what: str) -> None:
        """Say what could not be told, once."""
        said = f"{node.start_point[0] + 1}: {what}"
        if said not in self.notes:
            self.notes.append(said)

    def of(self, node: Node | None) -> Receiver | None:
        """Return the receiver that an expression is; None if it is none."""
        calls: list[Call] = []
        while node is not None and node.type not in _NAMES:
            call = call_of(self.tree, node)
            if call is None:
                return None
            calls.append(call)
            if call.node.id in self._derived:
                break
            node = call.receiver
        # From the inside out: a chain is longer than Python's stack is deep.
        found = None if node is None or node.type not in _NAMES else self._by_name(node)
        for call in reversed(calls):
            found = self._by_call(call, found)
        return found

    def _define(self, name: Node, receiver: Receiver | None) -> None:
        is_field = name.type == "property_identifier"
        text = f"this.{self.tree.text(name)}" if is_field else self.tree.text(name)
        if receiver is None and text not in self._named:
            return  # most names of a file
        # What is a member of something is known in the whole file.
        scope = next(self._scopes.around(name)) if name.type == "identifier" else 0
        self._keep(text, scope, name, receiver)

    def _keep(self, text: str, scope: int, name: Node, receiver: Receiver | None) -> None:
        known = self._named.setdefault(text, {}).setdefault(scope, [])
        known.append((name.start_byte, receiver))

    def _by_name(self, node: Node) -> Receiver | None:
        named = self._named.get(self.tree.text(node))
        if named is None:
            return None
        for scope in self._scopes.around(node):
            if (known := named.get(scope)) is not None:
                before = [each for at, each in known if at <= node.start_byte]
                return before[-1] if before else known[0][1]
        return None

    def _by_call(self, call: Call, parent: Receiver | None) -> Receiver | None:
        if call.node.id not in self._derived:
            made = self._constructed(call) if parent is None else self._below(parent, call)
            self._derived[call.node.id] = made
        return self._derived[call.node.id]

    def _constructed(self, call: Call) -> Receiver | None:
        function = call.node.child_by_field_name("function") or call.node.child_by_field_name(
            "constructor"
        )
        name = "" if function is None else qualified(self.tree, function, self.imports)
        for framework in self.known:
            if name in framework.constructors:
                keyword = framework.constructors[name]
                return Receiver(framework, self._prefix(call.option(self.tree, keyword)))
        return None

    def _below(self, parent: Receiver, call: Call) -> Receiver | None:
        """Return what a method of a receiver returns: a group, or in a chain the same again."""
        framework = parent.framework
        if call.name in framework.groups | framework.path_groups:
            return Receiver(
                framework,
                self._prefix(call.argument(0)),
                [(parent, None)],
                has_path=call.name in framework.path_groups,
            )
        registers = parent.registers(call) or call.name in framework.chained
        return parent if registers else None

    def _wrapped(self, name: Node, value: Node) -> Receiver | None:
        """Return what a name was before, where it is given itself in something: `a = B(a)`."""
        call = call_of(self.tree, value)
        again = call is not None and self.tree.text(name) in map(self.tree.text, call.arguments)
        return self._by_name(name) if again else None

    def _prefix(self, node: Node | None) -> str:
        if node is None:
            return ""
        text = self.text(node)
        if text is None:
            self.note(node, "a prefix is not constant, and is left out")
        return text or ""

    def _parameter(self, node: Node) -> None:
        """Take a function's parameter that is declared as an application or a router."""
        if node.type in FUNCTIONS and (listed := node.child_by_field_name("parameters")):
            for framework in self.known:
                first = next(iter(listed.named_children), None)
                if first is not None and self.tree.text(first) in framework.named:
                    self._take_first(node, Receiver(framework))
        kind = node.child_by_field_name("type")
        name = node.child_by_field_name("name") or node.child_by_field_name("pattern")
        if kind is None or "parameter" not in node.type:
            return
        if name is None and node.named_children:
            name = node.named_children[0]
        declared = qualified(self.tree, kind, self.imports)
        for framework in self.known:
            if declared in framework.types and name is not None:
                self._define(name, Receiver(framework))

    def _plug(self, call: Call) -> None:
        """Take the first parameter of a function that a receiver is handed to."""
        parent = self.of(call.receiver)
        if parent is None or call.name not in parent.framework.plugins or not call.arguments:
            return
        node = call.arguments[0]
        prefix = self._prefix(call.option(self.tree, "prefix"))
        function = node if node.type in FUNCTIONS else self._function(self.tree.text(node))
        if function is not None:
            self._take_first(function, Receiver(parent.framework, "", [(parent, prefix)]))
        elif self._is_elsewhere(node) and prefix:
            said = f"what another file has is mounted below {prefix!a}, which its routes lack"
            self.note(call.node, said)

    def _function(self, name: str) -> Node | None:
        for node in walk(self.tree.root):
            pair = assigned(node)
            named = node.child_by_field_name("name") if node.type in FUNCTIONS else None
            if named is not None and self.tree.text(named) == name:
                return node
            if pair and pair[1].type in FUNCTIONS and self.tree.text(pair[0]) == name:
                return pair[1]
        return None

    def _take_first(self, function: Node, receiver: Receiver) -> None:
        listed = function.child_by_field_name("parameters")
        first = next(iter(listed.named_children), None) if listed is not None else None
        name = None if first is None else first.child_by_field_name("pattern") or first
        if name is not None and name.type == "identifier":
            known = self._named.get(self.tree.text(name), {}).get(function.id, [])
            if known and known[-1][1] is not None and not known[-1][1].parents:
                known.clear()  # It was known by its name alone.
            self._keep(self.tree.text(name), function.id, name, receiver)

    def _is_elsewhere(self, node: Node) -> bool:
        """Say whether an expression is something imported, or its member."""
        return bool(qualified(self.tree, node, self.imports))

    def _mount(self, call: Call) -> None:
        parent = self.of(call.receiver)
        if parent is not None and call.name in parent.framework.prefixing:
            parent.prefix = joined(self._prefix(call.argument(0)), parent.prefix)
        if parent is None or call.name not in parent.framework.mounts:
            return
        keyword = parent.framework.mounts[call.name]
        node = call.keywords.get(keyword) if keyword else call.argument(0)
        children = [each for each in map(self.of, call.arguments) if each is not None]
        prefix = None if node is None or self.of(node) is not None else self._prefix(node)
        if prefix and not children and any(map(self._is_elsewhere, call.arguments)):
            said = f"what another file has is mounted below {prefix!a}, which its routes lack"
            self.note(call.node, said)
        for child in children:
            if child is not parent:
                child.parents.append((parent, prefix))
