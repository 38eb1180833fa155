"""JSON schemas from types as Python and Java write them, and classes whose fields are known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.documents.routes import Model, ModelField
from coai_agents.specialists.documents.syntax import imports, qualified, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tree_sitter import Node

    from coai_agents.specialists.documents.routes import Schema
    from coai_agents.syntax.tree import SyntaxTree

_WRITTEN: Final = {
    "python": {
        "string": "str",
        "integer": "int",
        "number": "float Decimal",
        "boolean": "bool",
        "string binary": "bytes",
        "string date-time": "datetime",
        "string date": "date",
        "string time": "time",
        "string uuid": "UUID",
        "string email": "EmailStr",
        "string uri": "HttpUrl AnyUrl",
    },
    "java": {
        "string": "String char Character CharSequence",
        "integer": "byte short int Byte Short Integer BigInteger",
        "integer int64": "long Long",
        "number": "float double Float Double BigDecimal",
        "boolean": "boolean Boolean",
        "string date": "LocalDate",
        "string date-time": "Instant LocalDateTime OffsetDateTime ZonedDateTime",
        "string uuid": "UUID",
    },
}
"""A type of JSON schema, and its format, by the names that each language has for it."""


def _schema(words: str) -> Schema:
    kind, _, form = words.partition(" ")
    return {"type": kind, "format": form} if form else {"type": kind}


_PLAIN: Final = {
    language: {name: _schema(words) for words, names in known.items() for name in names.split()}
    for language, known in _WRITTEN.items()
}
_LISTS: Final = frozenset(
    (
        "list", "List", "set", "Set", "frozenset", "Sequence", "Iterable", "Collection",
        "ArrayList", "tuple", "Tuple",
    )
)  # fmt: skip
_MAPS: Final = frozenset(("dict", "Dict", "Mapping", "Map", "HashMap"))
_REQUIRED: Final = re.compile(r"@(?:NotNull|NotBlank|NotEmpty|NonNull)\b")

MOST_DEPTH: Final = 10
"""Of types in types."""


def nobody(_name: str) -> Schema | None:
    """Know no class."""
    return None


def is_plain(kind: str, language: str) -> bool:
    """Say whether a type is a string, a number or the like, or one that may be missing, or many."""
    schema = schema_of(kind, language)
    parts = schema.get("anyOf", [schema.get("items", schema)])
    return (
        bool(kind)
        and all("type" in each or "enum" in each for each in parts)
        and (schema.get("type") != "object")
    )


def unannotated(kind: str) -> tuple[str, str]:
    """Split Python's `Annotated[T, ...]` into the type and the rest."""
    head, inner = _generic(kind)
    if head != "Annotated" or not inner:
        return kind, ""
    return inner[0], ", ".join(inner[1:])


def schema_of(
    kind: str, language: str, known: Callable[[str], Schema | None] = nobody, depth: int = 0
) -> Schema:
    """Return the schema of a type; an empty one, which everything fits, where it is not known."""
    kind = unannotated(" ".join(kind.split()))[0].strip("\"'")
    if depth > MOST_DEPTH:
        return {}
    choices = _split(kind, "|")
    head, inner = _generic(kind)
    if head == "Optional" and inner:
        choices = [inner[0], "None"] if language == "python" else [inner[0]]
        if len(choices) == 1:
            return schema_of(inner[0], language, known, depth + 1)
    elif head == "Union":
        choices = inner
    if len(choices) > 1:
        return {"anyOf": [_choice(each, language, known, depth) for each in choices]}
    if kind.endswith("[]"):
        head, inner = "List", [kind[:-2]]
    return _simple(head, inner, language, known, depth)


def _choice(kind: str, language: str, known: Callable[[str], Schema | None], depth: int) -> Schema:
    return {"type": "null"} if kind == "None" else schema_of(kind, language, known, depth + 1)


def _simple(
    head: str,
    inner: list[str],
    language: str,
    known: Callable[[str], Schema | None],
    depth: int,
) -> Schema:
    if head in _LISTS:
        items = schema_of(inner[0], language, known, depth + 1) if inner else {}
        return {"type": "array", "items": items}
    if head in _MAPS:
        values = schema_of(inner[-1], language, known, depth + 1) if inner else {}
        return {"type": "object", "additionalProperties": values}
    if head == "Literal":
        words = [re.fullmatch(r"([\"'])(.*)\1", each) for each in inner]
        return {"enum": [each[2] for each in words if each]} if words and all(words) else {}
    plain = _PLAIN[language].get(head)
    return dict(plain) if plain is not None else (known(head) or {})


def _generic(kind: str) -> tuple[str, list[str]]:
    """Split `a.List[T, U]` and `List<T, U>` into the last name and the types in it."""
    match = re.fullmatch(r"([\w.]+)\s*(?:\[(.*)\]|<(.*)>)?", kind.strip())
    if match is None or kind.endswith("[]"):
        return kind, []
    inside = match[2] or match[3] or ""
    return match[1].rpartition(".")[2], _split(inside, ",") if inside else []


def _split(text: str, at: str) -> list[str]:
    """Split at a character that is in no brackets."""
    parts, depth = [""], 0
    for each in text:
        depth += (each in "[<(") - (each in "]>)")
        if each == at and not depth:
            parts.append("")
        else:
            parts[-1] += each
    return [each.strip() for each in parts]


# ---------------------------------------------------------------------- classes


def models(tree: SyntaxTree) -> Iterator[Model]:
    """Yield the classes of a file that a request's body may be of."""
    language = tree.source.language
    if language not in _PLAIN:
        return
    known = imports(tree)
    for node in walk(tree.root):
        name = node.child_by_field_name("name")
        if name is None:
            continue
        if node.type == "class_definition":
            listed = node.child_by_field_name("superclasses")
            bases = () if listed is None else listed.named_children
            names = tuple(qualified(tree, each, known) or tree.text(each) for each in bases)
            yield Model(tree.text(name), language, names, tuple(_python_fields(tree, node)))
        elif node.type in {"class_declaration", "record_declaration"} and language == "java":
            above = node.child_by_field_name("superclass")
            bases = () if above is None else tuple(map(tree.text, above.named_children))
            yield Model(tree.text(name), language, bases, tuple(_java_fields(tree, node)))


def _python_fields(tree: SyntaxTree, node: Node) -> Iterator[ModelField]:
    body = node.child_by_field_name("body")
    for statement in () if body is None else body.named_children:
        inner = statement.named_children[0] if statement.named_child_count else statement
        name, kind = inner.child_by_field_name("left"), inner.child_by_field_name("type")
        if inner.type != "assignment" or name is None or kind is None:
            continue
        declared, value = tree.text(kind), inner.child_by_field_name("right")
        if tree.text(name).startswith("_") or "ClassVar" in declared:
            continue
        default = "..." if value is None else tree.text(value)
        required = default == "..." or bool(
            re.match(r"(?:\w+\.)?Field\(\s*(?:\.\.\.|\)|(?!default)\w+\s*=)", default)
            and not re.search(r"\bdefault(?:_factory)?\s*=", default)
        )
        yield ModelField(tree.text(name), declared, required)


def _java_fields(tree: SyntaxTree, node: Node) -> Iterator[ModelField]:
    parameters = node.child_by_field_name("parameters")
    body = node.child_by_field_name("body")
    if parameters is not None:
        members = parameters.named_children
    else:
        members = [] if body is None else body.named_children
    for each in members:
        kind = each.child_by_field_name("type")
        if each.type not in {"field_declaration", "formal_parameter"} or kind is None:
            continue
        head = tree.source.text[tree.start(each) : tree.start(kind)]
        if re.search(r"\b(?:static|transient)\b", head):
            continue
        declared = each.children_by_field_name("declarator") or [each]
        for one in declared:
            name = one.child_by_field_name("name")
            if name is not None:
                required = bool(_REQUIRED.search(head))
                yield ModelField(tree.text(name), tree.text(kind), required)
