"""Types of what nodes give: read from a plan, held against values, and asked of a model.

They are few, and written as their own example: `text`, `number`, `boolean`, `any`, `pass | stop`
for one of some words, `[text]` for a list, and a mapping for an object with these fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeGuard

if TYPE_CHECKING:
    from pydantic import BaseModel

Json: TypeAlias = Any
"""What JSON can say: None, bool, int, float, str, and lists and mappings of these."""

Kind: TypeAlias = Literal["any", "text", "number", "integer", "boolean", "list", "object"]

EXPECTED: Final = (
    "text, number, integer, boolean, any, words with | between them, a list of one type, or a "
    "mapping of names to types"
)
MOST_DEPTH: Final = 8


def is_list(value: object) -> TypeGuard[list[Json]]:
    """Say whether a value of JSON is a list."""
    return isinstance(value, list)


def is_object(value: object) -> TypeGuard[dict[str, Json]]:
    """Say whether a value of JSON is an object."""
    return isinstance(value, dict)


@dataclass(frozen=True, slots=True)
class Type:
    """A type; `fields` of an object are all that it has to have."""

    kind: Kind
    item: Type | None = None
    fields: tuple[tuple[str, Type], ...] = ()
    words: tuple[str, ...] = ()
    """The only values of a text; none for any text."""

    def __str__(self) -> str:
        """Return it as a plan writes it."""
        if self.words:
            return " | ".join(self.words)
        if self.kind == "list":
            return f"[{self.item}]"
        if self.kind == "object":
            return "{" + ", ".join(f"{name}: {one}" for name, one in self.fields) + "}"
        return self.kind

    def field(self, name: str) -> Type | None:
        """Return the type of an object's field; None where it has none of that name."""
        return dict(self.fields).get(name)


ANY: Final = Type("any")
TEXT: Final = Type("text")
NUMBER: Final = Type("number")
BOOLEAN: Final = Type("boolean")
_SIMPLE: Final[dict[str, Type]] = {
    "any": ANY,
    "text": TEXT,
    "string": TEXT,
    "number": NUMBER,
    "integer": Type("integer"),
    "boolean": BOOLEAN,
}


def read_type(spec: Json, depth: int = 0) -> Type:
    """Read a type of a plan; raises ValueError, which says what was expected."""
    if depth > MOST_DEPTH:
        raise ValueError(f"a type of at most {MOST_DEPTH} levels was expected")
    if is_list(spec) and len(spec) == 1:
        return Type("list", item=read_type(spec[0], depth + 1))
    if is_object(spec) and spec and all(_is_name(name) for name in spec):
        return Type(
            "object", fields=tuple((name, read_type(one, depth + 1)) for name, one in spec.items())
        )
    if isinstance(spec, str):
        words = tuple(word.strip() for word in spec.split("|"))
        if len(words) == 1 and words[0] in _SIMPLE:
            return _SIMPLE[words[0]]
        if len(words) > 1 and all(words):
            return Type("text", words=words)
    raise ValueError(f"{EXPECTED} was expected")


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name.isidentifier()


def misfit(value: Json, wanted: Type, at: str = "it") -> str:
    """Say why a value is not of a type; empty where it is."""
    match wanted.kind:
        case "any":
            return ""
        case "list":
            if not is_list(value):
                return f"{at} is no list"
            assert wanted.item is not None
            inner = (misfit(one, wanted.item, f"{at}[{n}]") for n, one in enumerate(value))
            return next(filter(None, inner), "")
        case "object":
            if not is_object(value):
                return f"{at} is no object"
            missing = [name for name, _ in wanted.fields if name not in value]
            if missing:
                return f"{at} has no {missing[0]}"
            named = (misfit(value[name], one, f"{at}.{name}") for name, one in wanted.fields)
            return next(filter(None, named), "")
        case _:
            return _simple_misfit(value, wanted, at)


def _simple_misfit(value: Json, wanted: Type, at: str) -> str:
    right = {
        "text": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
    }[wanted.kind]
    if not right:
        return f"{at} is no {wanted.kind}"
    if wanted.words and value not in wanted.words:
        return f"{at} is none of {wanted}"
    return ""


def model_of(wanted: Type) -> type[BaseModel]:
    """Return an object type as the form that a model is asked to fill."""
    made = _annotation(wanted)
    assert isinstance(made, type)
    return made


def _annotation(wanted: Type) -> Any:  # noqa: ANN401 - what pydantic takes for a type
    from pydantic import ConfigDict, create_model  # noqa: PLC0415 - only where a form is wanted

    match wanted.kind:
        case "object":
            fields: dict[str, Any] = {name: (_annotation(one), ...) for name, one in wanted.fields}
            return create_model("Answer", __config__=ConfigDict(extra="ignore"), **fields)
        case "list":
            assert wanted.item is not None
            return list[_annotation(wanted.item)]
        case "text":
            return Literal[wanted.words] if wanted.words else str
        case _:
            simple = {"number": float, "integer": int, "boolean": bool, "any": Any}
            return simple[wanted.kind]
