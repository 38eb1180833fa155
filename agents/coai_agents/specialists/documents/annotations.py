"""Routes that annotations of Java's classes and methods declare: Spring."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.documents.frameworks import frameworks
from coai_agents.specialists.documents.handlers import Handlers
from coai_agents.specialists.documents.paths import joined, normalised
from coai_agents.specialists.documents.routes import ANY, METHODS, Body, Route, RouteParameter
from coai_agents.specialists.documents.schemas import is_plain, schema_of
from coai_agents.specialists.documents.syntax import constants, string_of, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tree_sitter import Node

    from coai_agents.specialists.documents.frameworks import Framework
    from coai_agents.syntax.tree import SyntaxTree

_PATHS: Final = ("value", "path")


@dataclass(frozen=True, slots=True)
class _Annotation:
    name: str
    values: Mapping[str, tuple[Node, ...]]


def routes_by_annotation(tree: SyntaxTree) -> tuple[list[Route], list[str]]:
    """Return a file's routes, and notes of what could not be told, with their lines."""
    reader = _Reader(tree)
    routes: list[Route] = []
    for framework in frameworks():
        used = framework.package and framework.package in _imported(tree)
        if used and tree.source.language in framework.languages:
            for node in walk(tree.root):
                if node.type == "class_declaration":
                    routes += reader.of_class(framework, node)
    return routes, reader.notes


def _imported(tree: SyntaxTree) -> set[str]:
    """Return the packages that a file imports from."""
    named = [tree.text(x) for x in tree.root.named_children if x.type == "import_declaration"]
    return {re.sub(r"^import\s+|\.(?:\w+|\*)\s*;$", "", each) for each in named}


class _Reader:
    def __init__(self, tree: SyntaxTree) -> None:
        self._tree = tree
        self._constants = constants(tree)
        self._handlers = Handlers(tree)
        self.notes: list[str] = []

    def of_class(self, framework: Framework, node: Node) -> Iterator[Route]:
        """Yield the routes of a class, if it is a controller: clients have the same annotations."""
        known = self._annotations(node)
        body = node.child_by_field_name("body")
        if body is None or not any(each.name in framework.controllers for each in known):
            return
        mapped = [each for each in known if each.name in framework.route]
        prefixes = self._paths(mapped[0], node) if mapped else [""]
        for method in body.named_children:
            if method.type == "method_declaration":
                for each in self._annotations(method):
                    yield from self._of_method(framework, method, each, prefixes)

    def _of_method(
        self, framework: Framework, node: Node, annotation: _Annotation, prefixes: list[str]
    ) -> Iterator[Route]:
        if annotation.name in framework.annotations:
            methods: tuple[str, ...] = (framework.annotations[annotation.name],)
        elif annotation.name in framework.route:
            said = [self._tree.text(x).lower() for x in annotation.values.get("method", ())]
            methods = tuple(x for x in METHODS if any(y.endswith(x) for y in said)) or ANY
        else:
            return
        handler = self._handlers.around(node)
        for prefix in prefixes:
            for path in self._paths(annotation, node):
                whole, parameters = normalised(framework, joined(prefix, path))
                asked, body = self._declared(node, parameters)
                yield Route(
                    framework.name,
                    methods,
                    whole,
                    asked,
                    handler.name,
                    handler.comment.summary,
                    handler.comment.description,
                    body,
                    line=node.start_point[0] + 1,
                )

    def _paths(self, annotation: _Annotation, node: Node) -> list[str]:
        nodes = [x for key in _PATHS for x in annotation.values.get(key, ())]
        texts = [string_of(self._tree, each, self._constants) for each in nodes]
        if None in texts:
            self.notes.append(
                f"{node.start_point[0] + 1}: a route whose path or method is not constant"
            )
        found = [each for each in texts if each is not None]
        return found if nodes else [""]

    def _declared(
        self, method: Node, parameters: tuple[RouteParameter, ...]
    ) -> tuple[tuple[RouteParameter, ...], Body | None]:
        """Read the annotations of a method's parameters."""
        found = {each.name: each for each in parameters}
        body: Body | None = None
        listed = method.child_by_field_name("parameters")
        for each in () if listed is None else listed.named_children:
            kind, name = each.child_by_field_name("type"), each.child_by_field_name("name")
            if kind is None or name is None:
                continue
            written = self._tree.text(kind)
            schema = schema_of(written, "java") or {"type": "string"}
            for annotation in self._annotations(each):
                called = self._named(annotation) or self._tree.text(name)
                if annotation.name == "PathVariable" and called in found:
                    found[called] = replace(found[called], schema=schema)
                elif annotation.name == "RequestParam" and is_plain(written, "java"):
                    needed = not self._is_optional(annotation, written)
                    found[called] = RouteParameter(called, schema, "query", needed)
                elif annotation.name == "RequestBody":
                    body = Body(written, "java", not self._is_optional(annotation, written))
        return tuple(found.values()), body

    def _named(self, annotation: _Annotation) -> str:
        nodes = [x for key in ("value", "name") for x in annotation.values.get(key, ())]
        return string_of(self._tree, nodes[0], self._constants) or "" if nodes else ""

    def _is_optional(self, annotation: _Annotation, kind: str) -> bool:
        required = [self._tree.text(each) for each in annotation.values.get("required", ())]
        has_default = "defaultValue" in annotation.values
        return "false" in required or has_default or kind.startswith("Optional")

    def _annotations(self, node: Node) -> list[_Annotation]:
        listed = next((each for each in node.named_children if each.type == "modifiers"), None)
        found: list[_Annotation] = []
        for each in () if listed is None else listed.named_children:
            name = each.child_by_field_name("name")
            if each.type in {"annotation", "marker_annotation"} and name is not None:
                last = self._tree.text(name).rpartition(".")[2]
                found.append(_Annotation(last, self._values(each)))
        return found

    def _values(self, annotation: Node) -> dict[str, tuple[Node, ...]]:
        listed = annotation.child_by_field_name("arguments")
        found: dict[str, tuple[Node, ...]] = {}
        for each in () if listed is None else listed.named_children:
            key, value = each.child_by_field_name("key"), each.child_by_field_name("value")
            given = each if value is None else value
            many = given.type == "element_value_array_initializer"
            name = "value" if key is None else self._tree.text(key)
            found[name] = tuple(given.named_children) if many else (given,)
        return found
