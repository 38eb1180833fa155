"""An OpenAPI 3.1 document from routes: a skeleton that says what the code says, and no more.

https://spec.openapis.org/oas/v3.1.1.html
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from coai_agents.markdown import prose, seen
from coai_agents.specialists.documents.routes import METHODS, Model, Route
from coai_agents.specialists.documents.schemas import schema_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coai_agents.specialists.documents.routes import Schema

VERSION: Final = "3.1.1"

MOST_CHARACTERS: Final = 4_000
"""Of a description; more is cut with an ellipsis."""

MOST_SUMMARY: Final = 200

_UNKNOWN: Final = "Not known: what is answered cannot be told from the route."
_SKELETON: Final = (
    "A skeleton made from the routes in the source code. Responses, security and servers are not "
    "known from there and have to be added."
)
_PARAMETER: Final = re.compile(r"\{([^{}]*)\}")
_BASE: Final = frozenset({"pydantic.BaseModel", "pydantic.main.BaseModel"})


def openapi(
    title: str, routes: Iterable[Route], models: Iterable[Model]
) -> tuple[Schema, list[str]]:
    """Return the document, and notes of routes that stand in another's place in it."""
    document = _Document(models)
    for route in sorted(routes, key=lambda each: (each.path, each.file, each.line)):
        document.add(route)
    schemas = document.components()
    return {
        "openapi": VERSION,
        "info": {"title": _line(title) or "API", "version": "0.0.0", "description": _SKELETON},
        "paths": document.paths,
        **({"components": {"schemas": schemas}} if schemas else {}),
    }, document.notes


def as_json(document: Schema) -> str:
    """Return a document as JSON, in ASCII."""
    return json.dumps(document, indent=2) + "\n"


def as_yaml(document: Schema) -> str:
    """Return a document as YAML, in ASCII."""
    import yaml  # noqa: PLC0415 - for this form only

    class Plain(yaml.SafeDumper):
        """Writes what stands in two places twice, not as a reference from one to the other."""

        def ignore_aliases(self, data: object) -> bool:
            del data
            return True

    return yaml.dump(document, Dumper=Plain, sort_keys=False, width=100)


class _Document:
    def __init__(self, models: Iterable[Model]) -> None:
        self.paths: dict[str, dict[str, Any]] = {}
        self.notes: list[str] = []
        self._shapes: dict[str, str] = {}
        self._ids: set[str] = set()
        self._models = _Models(models)

    def components(self) -> Schema:
        """Return the schemas that operations refer to."""
        return self._models.used()

    def add(self, route: Route) -> None:
        """Add a route's operations; the first of a path and a method stays."""
        path, names = self._path(route)
        place = self.paths.setdefault(path, {})
        for method in (each for each in METHODS if each in route.methods):
            if method in place:
                self.notes.append(
                    f"{route.file}:{route.line}: {method.upper()} {path} is registered already."
                )
            else:
                place[method] = self._operation(route, method, names)

    def _path(self, route: Route) -> tuple[str, dict[str, str]]:
        """Return the path and its parameters' names in it.

        Paths that differ in these names alone are one path to OpenAPI, so it has the first names.
        """
        shape = _PARAMETER.sub("{}", route.path)
        path = self._shapes.setdefault(shape, route.path)
        own, first = _PARAMETER.findall(route.path), _PARAMETER.findall(path)
        return path, dict(zip(own, first, strict=True))

    def _operation(self, route: Route, method: str, names: dict[str, str]) -> Schema:
        operation: Schema = {}
        if route.summary:
            operation["summary"] = _cut(_line(route.summary), MOST_SUMMARY)
        if route.description:
            operation["description"] = prose(_cut(route.description, MOST_CHARACTERS))
        operation["operationId"] = self._id(route, method)
        parameters = [
            {
                "name": names.get(each.name, each.name) if each.place == "path" else each.name,
                "in": each.place,
                "required": each.required,
                "schema": each.schema,
            }
            for each in route.parameters
        ]
        if parameters:
            operation["parameters"] = parameters
        if (body := self._body(route)) is not None:
            operation["requestBody"] = body
        operation["responses"] = {"default": {"description": _UNKNOWN}}
        return operation

    def _body(self, route: Route) -> Schema | None:
        if route.body is None:
            return None
        schema = self._models.schema(route.body.type, route.body.language, route.file)
        content: Schema = {"application/json": {"schema": schema}}
        return {"required": route.body.required, "content": content}

    def _id(self, route: Route, method: str) -> str:
        """Return an id that no other operation has: the handler's name, with the method, a count.

        Generators make names of it, so it has nothing but letters, digits and `_`.
        """
        words = route.handler if route.handler.isascii() else ""
        if not words:
            words = "_".join([method, *re.findall(r"[A-Za-z0-9]+", route.path)])[:100]
        base = re.sub(r"\W", "_", words[:100])
        wanted = [base, f"{method}_{base}"]
        number = 2
        while wanted[0] in self._ids:
            wanted = [*wanted[1:], f"{method}_{base}_{number}"]
            number += 1
        self._ids.add(wanted[0])
        return wanted[0]


class _Models:
    """Classes by their names, and the schemas that were made of them."""

    def __init__(self, models: Iterable[Model]) -> None:
        self._known: dict[str, list[Model]] = {}
        for each in models:
            self._known.setdefault(each.name, []).append(each)
        self._names: dict[tuple[str, str], str] = {}
        self._made: dict[str, Schema] = {}

    def used(self) -> Schema:
        """Return the schemas by their names."""
        return dict(sorted(self._made.items()))

    def schema(self, kind: str, language: str, file: str) -> Schema:
        """Return the schema of a type as a file sees it."""
        return schema_of(kind, language, lambda name: self._reference(name, file))

    def _reference(self, name: str, file: str) -> Schema | None:
        model = self._find(name, file)
        if model is None or not self._has_fields(model):
            return None
        key = (model.file, model.name)
        if key not in self._names:
            self._names[key] = self._free(name)
            self._made[self._names[key]] = {}  # it may refer to itself
            self._made[self._names[key]] = self._object(model)
        return {"$ref": f"#/components/schemas/{self._names[key]}"}

    def _free(self, name: str) -> str:
        base = re.sub(r"[^A-Za-z0-9._-]", "_", name)[:100]
        taken, number = base, 2
        while taken in self._made:
            taken, number = f"{base}_{number}", number + 1
        return taken

    def _find(self, name: str, file: str) -> Model | None:
        """Return the class of the same file, or else the only one of that name."""
        known = self._known.get(name.rpartition(".")[2], [])
        here = [each for each in known if each.file == file]
        return here[0] if here else known[0] if len(known) == 1 else None

    def _has_fields(self, model: Model) -> bool:
        """Say whether a class's annotated members are a body's: all in Java, models in Python."""
        return model.language == "java" or any(
            base in _BASE for each in self._line(model) for base in each.bases
        )

    def _line(self, model: Model) -> list[Model]:
        """Return a class and those that it is derived from, each once."""
        found = [model]
        for at in found:
            above = [self._find(base, at.file) for base in at.bases]
            found += [each for each in above if each is not None and each not in found]
        return found

    def _object(self, model: Model) -> Schema:
        fields = {
            x.name: (x, each.file) for each in reversed(self._line(model)) for x in each.fields
        }
        properties = {
            seen(name): self.schema(each.type, model.language, file)
            for name, (each, file) in fields.items()
        }
        required = [seen(name) for name, (each, _) in fields.items() if each.required]
        return {
            "type": "object",
            "properties": properties,
            **({"required": required} if required else {}),
        }


def _line(text: str) -> str:
    return " ".join(seen(text).split())


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most].rstrip()}…"
