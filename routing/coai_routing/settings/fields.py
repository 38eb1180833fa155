"""The settings as a tree of fields, read once from the model: what each is and what it takes.

The leaves of the tree are the settings themselves. A map (languages, custom endpoints) is a node
with entries of the user's own names.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast, get_args, get_origin

from pydantic import BaseModel, SecretStr, TypeAdapter

from coai_routing.settings.markers import Discreet, Expected, NamesPlace, Narrowing, Unit
from coai_routing.settings.schema import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic.fields import FieldInfo

M = TypeVar("M")

KeyPath = tuple[str, ...]
"""The way to a setting: `("completion", "max_tokens")`."""

ANY_NAME = "<name>"
"""What stands in a path for the name of a map's entry, where the entry is any."""


@dataclass(frozen=True, eq=False)
class Leaf:
    """One setting, or the entries of one map of settings."""

    path: KeyPath
    annotation: Any
    """The type with its bounds, without None."""
    default: Any
    required: bool
    """Whether it has no default; None is the default of others, and then `nullable` is true."""
    nullable: bool
    description: str
    unit: str | None
    expected: str
    discreet: bool
    """Whether a wrong value must not be repeated."""
    secret: bool
    narrowing: Narrowing[Any] | None
    """How an untrusted file may change it; of the whole map for the entries of one."""
    is_list: bool
    names_place: bool
    """Whether it names a file, a server or a variable: see `NamesPlace`."""

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """The validator of a value. It is made on first use, as most settings are never set."""
        return TypeAdapter(self.annotation)


@dataclass(frozen=True, eq=False)
class Branch:
    """A group of settings."""

    path: KeyPath
    model: type[BaseModel]
    description: str
    children: Mapping[str, Node]
    names: Mapping[str, str]
    """Every accepted spelling of a child's name, to its name."""

    def name_of(self, key: str, *, any_case: bool = False) -> str | None:
        """Return the child's name that a key spells, in capitals or not if `any_case`."""
        if not any_case:
            return self.names.get(key)
        spelled = key.lower()
        return next((name for known, name in self.names.items() if known.lower() == spelled), None)


@dataclass(frozen=True, eq=False)
class Entries:
    """A map from the user's own names to settings."""

    path: KeyPath
    description: str
    name: Leaf
    """What a name must be."""
    entry: Node
    expected: str


Node = Leaf | Branch | Entries


def dotted(path: Sequence[str]) -> str:
    """Return a path as TOML writes it: `completion.languages."c++"`."""
    return ".".join(
        part if re.fullmatch(r"[A-Za-z0-9_-]+|<name>", part) else json.dumps(part) for part in path
    )


def leaves(node: Node | None = None) -> Iterator[Leaf]:
    """Yield the settings under a node (all by default) in the order of their declaration."""
    node = node or settings_tree()
    match node:
        case Leaf():
            yield node
        case Branch():
            for child in node.children.values():
                yield from leaves(child)
        case Entries():
            yield from leaves(node.entry)


@cache
def settings_tree() -> Branch:
    """Return the tree of all settings."""
    return _branch((), Settings, "")


def _branch(path: KeyPath, model: type[BaseModel], description: str) -> Branch:
    children: dict[str, Node] = {}
    names: dict[str, str] = {}
    for name, field in model.model_fields.items():
        children[name] = _node((*path, name), field)
        names[name] = name
        if field.alias is not None:
            names[field.alias] = name
    return Branch(path, model, description or (model.__doc__ or ""), children, names)


def _node(path: KeyPath, field: FieldInfo) -> Node:
    annotation, markers = _plain(field.annotation)
    markers = [*field.metadata, *markers]
    description = field.description or ""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _branch(path, annotation, description)
    if get_origin(annotation) is dict:
        name_type, entry_type = get_args(annotation)
        entry_path = (*path, ANY_NAME)
        plain_entry, _ = _plain(entry_type)
        entry: Node
        if isinstance(plain_entry, type) and issubclass(plain_entry, BaseModel):
            entry = _branch(entry_path, plain_entry, "")
        else:
            entry = replace(
                _leaf(entry_path, entry_type, [], description=description),
                narrowing=_narrowing(markers),
            )
        name = _leaf(entry_path, name_type, [], description=description)
        expected = _first(markers, Expected)
        return Entries(
            path=path,
            description=description,
            name=name,
            entry=entry,
            expected=expected.text if expected else "a table",
        )
    leaf = _leaf(path, field.annotation, field.metadata, description=description)
    if field.is_required():
        return replace(leaf, required=True)
    return replace(leaf, default=field.get_default(call_default_factory=True))


def _leaf(
    path: KeyPath,
    annotated: object,
    outer_markers: Sequence[object],
    *,
    description: str,
) -> Leaf:
    plain, inner_markers = _plain(annotated)
    markers = [*outer_markers, *inner_markers]
    annotation = Annotated[plain, *markers] if markers else plain
    expected = _first(markers, Expected)
    unit = _first(markers, Unit)
    return Leaf(
        path=path,
        annotation=annotation,
        default=None,
        required=False,
        nullable=type(None) in get_args(annotated),
        description=description,
        unit=unit.name if unit else None,
        expected=expected.text if expected else _expectation(plain, markers),
        discreet=plain is SecretStr or _first(markers, Discreet) is not None,
        secret=plain is SecretStr,
        narrowing=_narrowing(markers),
        is_list=get_origin(plain) is tuple,
        names_place=_names_place(annotated) or _first(outer_markers, NamesPlace) is not None,
    )


def _names_place(annotated: object) -> bool:
    """Say whether a type, or the items of one, are marked as places."""
    markers = getattr(annotated, "__metadata__", ())
    inner = get_args(annotated)
    return _first(markers, NamesPlace) is not None or any(_names_place(each) for each in inner)


def _plain(annotated: object) -> tuple[Any, list[object]]:
    """Return a type without None and without its markers, and the markers."""
    markers: list[object] = []
    kind: Any = annotated
    while True:
        arguments = get_args(kind)
        if get_origin(kind) is Annotated:
            kind = arguments[0]
            markers.extend(arguments[1:])
        elif type(None) in arguments:
            (kind,) = (a for a in arguments if a is not type(None))
        else:
            return kind, markers


def _expectation(kind: object, markers: Sequence[object]) -> str:
    """Say in words what a type takes."""
    if kind is bool:
        return "true or false"
    if kind is int:
        least, most = bound(markers, "ge"), bound(markers, "le")
        return f"a whole number from {least} to {most}"
    if get_origin(kind) is Literal:
        *others, last = (json.dumps(choice) for choice in get_args(kind))
        return f"{', '.join(others)} or {last}"
    return "text that is not empty" if bound(markers, "min_length") else "text"


def bound(markers: Sequence[object], name: Literal["ge", "le", "min_length"]) -> int | None:
    """Return a bound that a type's markers state, under its name in `pydantic.Field`."""
    return next((getattr(m, name) for m in markers if hasattr(m, name)), None)


def _narrowing(markers: Sequence[object]) -> Narrowing[Any] | None:
    return cast("Narrowing[Any] | None", _first(markers, Narrowing))


def _first(markers: Sequence[object], kind: type[M]) -> M | None:
    return next((marker for marker in markers if isinstance(marker, kind)), None)
