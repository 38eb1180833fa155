"""Routes as values, whichever framework they were registered with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

Schema = dict[str, Any]
"""A JSON schema, of the dialect of OpenAPI 3.1."""

METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
"""The methods that OpenAPI 3.1 has a place for, in its order."""

ANY: Final = ("get", "put", "post", "delete", "patch")
"""What a route for every method is written as; nobody documents the others by hand."""


@dataclass(frozen=True, slots=True)
class RouteParameter:
    """A parameter in the path or in the query."""

    name: str
    schema: Schema = field(default_factory=lambda: {"type": "string"})
    place: str = "path"
    required: bool = True


@dataclass(frozen=True, slots=True)
class Body:
    """What a request carries, as far as the handler declares it."""

    type: str
    """As the file writes it."""
    language: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Route:
    """One path and the methods that it is registered for."""

    framework: str
    methods: tuple[str, ...]
    path: str
    """With its parameters as `{name}`."""
    parameters: tuple[RouteParameter, ...]
    handler: str
    """The name of the function, or nothing where it has none."""
    summary: str = ""
    description: str = ""
    body: Body | None = None
    file: str = ""
    """Relative to the folder that was asked for."""
    line: int = 0
    """From 1."""


@dataclass(frozen=True, slots=True)
class Found:
    """The routes of a file, the classes that bodies may be of, and what could not be told."""

    routes: tuple[Route, ...] = ()
    models: tuple[Model, ...] = ()
    notes: tuple[str, ...] = ()

    def of(self, file: str) -> Found:
        """Return the same with the file's name in it."""
        return Found(
            tuple(replace(each, file=file) for each in self.routes),
            tuple(replace(each, file=file) for each in self.models),
            tuple(f"{file}:{each}" for each in self.notes),
        )


@dataclass(frozen=True, slots=True)
class Model:
    """A class whose fields a request's body has."""

    name: str
    language: str
    bases: tuple[str, ...]
    fields: tuple[ModelField, ...]
    file: str = ""


@dataclass(frozen=True, slots=True)
class ModelField:
    """A field of a class: its name, its type as the file writes it, whether it has to be there."""

    name: str
    type: str
    required: bool
