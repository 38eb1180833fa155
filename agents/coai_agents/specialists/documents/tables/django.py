"""Routes of Django: tables of `path`, and routers of Django REST framework."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.documents.handlers import Handler
from coai_agents.specialists.documents.paths import joined
from coai_agents.specialists.documents.routes import ANY
from coai_agents.specialists.documents.syntax import assigned, call_of, imports, qualified, walk
from coai_agents.specialists.documents.tables.reader import MOST_DEPTH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from coai_agents.specialists.documents.routes import Route
    from coai_agents.specialists.documents.syntax import Call
    from coai_agents.specialists.documents.tables.reader import Reader

_INCLUDES: Final = frozenset({"django.urls.include", "django.conf.urls.include"})
_DETAIL: Final = ("get", "put", "patch", "delete")


def django_routes(reader: Reader) -> Iterator[Route]:
    """Yield the routes of `urlpatterns`, and of routers of Django REST framework."""
    tree = reader.tree
    known = imports(tree)
    if not any(each.startswith(("django.", "rest_framework.")) for each in known.values()):
        return
    lists: dict[str, list[Node]] = {}
    for node in walk(tree.root):
        pair = assigned(node)
        if pair is not None and pair[0].type == "identifier" and pair[1].type == "list":
            lists.setdefault(tree.text(pair[0]), []).extend(pair[1].named_children)
        elif node.type == "augmented_assignment":
            left, right = (node.child_by_field_name(x) for x in ("left", "right"))
            if left is not None and right is not None and right.type == "list":
                lists.setdefault(tree.text(left), []).extend(right.named_children)
    routers = _rest_routers(reader, known)
    table = _Django(reader, known, lists, routers)
    for node in lists.get("urlpatterns", ()):
        yield from table.entry(node, "")
    if not lists.get("urlpatterns"):
        for name in routers:
            yield from table.registered(name, "")


@dataclass
class _Django:
    reader: Reader
    imported: dict[str, str]
    lists: dict[str, list[Node]]
    routers: dict[str, list[Call]]

    def entry(self, node: Node, prefix: str, depth: int = 0) -> Iterator[Route]:
        """Yield the routes of one entry of a table."""
        call = call_of(self.reader.tree, node)
        if call is None or depth > MOST_DEPTH:
            return
        name = self._named(call)
        if name not in {"django.urls.path", "django.urls.re_path", "django.conf.urls.url"}:
            return
        written = self.reader.text(call.argument(0, "route"))
        if written is not None and name != "django.urls.path":
            written = re.sub(r"^\^|\$$|\\[AZ]", "", written)
        path = None if written is None else joined(prefix, written)
        view = call.argument(1, "view")
        inner = None if view is None else call_of(self.reader.tree, view)
        if inner is not None and self._named(inner) in _INCLUDES:
            yield from self._included(inner, path, depth)
        else:
            handler = Handler() if view is None else self._handler(node, view)
            yield from self.reader.routes("django", ANY, path, node, handler)

    def registered(self, router: str, prefix: str) -> Iterator[Route]:
        """Yield the routes of what is registered at a router of the REST framework."""
        for call in self.routers.get(router, ()):
            written = self.reader.text(call.argument(0, "prefix"))
            path = None if written is None else joined(prefix, f"{written.strip('/')}/")
            view = call.argument(1, "viewset")
            handler = Handler() if view is None else self._handler(call.node, view)
            reads = view is not None and self._only_reads(self.reader.tree.text(view))
            yield from self.reader.routes(
                "django", ("get",) if reads else ("get", "post"), path, call.node, handler
            )
            one = None if path is None else f"{path}<pk>/"
            yield from self.reader.routes(
                "django", ("get",) if reads else _DETAIL, one, call.node, handler
            )

    def _included(self, call: Call, path: str | None, depth: int) -> Iterator[Route]:
        tree = self.reader.tree
        what = call.argument(0, "arg")
        if what is None or path is None:
            self.reader.note(call.node, "a route whose path or method is not constant")
            return
        if what.type == "tuple" and what.named_children:
            what = what.named_children[0]
        text = tree.text(what)
        if what.type == "list" or text in self.lists:
            for each in what.named_children if what.type == "list" else self.lists[text]:
                yield from self.entry(each, path, depth + 1)
        elif text.endswith(".urls") and text.removesuffix(".urls") in self.routers:
            yield from self.registered(text.removesuffix(".urls"), path)
        elif path.strip("/"):
            below = path.rstrip("/")
            said = f"what another file has is mounted below {below!a}, which its routes lack"
            self.reader.note(call.node, said)

    def _handler(self, node: Node, view: Node) -> Handler:
        called = call_of(self.reader.tree, view)
        if called is not None and called.name == "as_view" and called.receiver is not None:
            view = called.receiver
        return self.reader.handlers.given(node, view)

    def _named(self, call: Call) -> str:
        function = call.node.child_by_field_name("function")
        return "" if function is None else qualified(self.reader.tree, function, self.imported)

    def _only_reads(self, name: str) -> bool:
        text = self.reader.tree.text
        for node in walk(self.reader.tree.root):
            named = node.child_by_field_name("name")
            bases = node.child_by_field_name("superclasses")
            if node.type == "class_definition" and named is not None and text(named) == name:
                return bases is not None and "ReadOnly" in text(bases)
        return False


def _rest_routers(reader: Reader, known: dict[str, str]) -> dict[str, list[Call]]:
    """Return what is registered at each router of a file."""
    tree = reader.tree
    found: dict[str, list[Call]] = {}
    for node in walk(tree.root):
        pair = assigned(node)
        made = None if pair is None else call_of(tree, pair[1])
        if pair is not None and made is not None:
            function = made.node.child_by_field_name("function")
            name = "" if function is None else qualified(tree, function, known)
            if name.startswith("rest_framework.routers.") and name.endswith("Router"):
                found[tree.text(pair[0])] = []
        call = call_of(tree, node)
        if call is not None and call.name == "register" and call.receiver is not None:
            found.get(tree.text(call.receiver), []).append(call)
    return found
