"""Strings that are put together, by `+`, `%` or `format`, as one template with holes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.refactoring.site import Offer, RefusalError, Site, bare
from coai_agents.specialists.refactoring.transforms.formats import formatted
from coai_agents.specialists.refactoring.transforms.parts import (
    Hole,
    Text,
    bracketed,
    python_literal,
    sign_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

_SUMS: Final = ("binary_operator", "binary_expression", "binary")
_LITERALS: Final = frozenset(
    {"string", "string_literal", "template_string", "encapsed_string",
     "interpolated_string_expression", "concatenated_string"}
)  # fmt: skip


def to_template(site: Site) -> Iterator[Offer]:
    """Write a string that is put together as one with holes."""
    if site.family in ("java", "go"):
        raise RefusalError("The language has no strings with holes.")
    for node in _outermost(site):
        if site.family == "python" and node.type in ("call", "binary_operator"):
            parts = formatted(site, node)
            if parts is not None:
                yield Offer("Convert to an f-string", (site.replaced(node, _python(parts)),))
                return
        parts = _joined(site, node) if node.type in _SUMS else None
        if parts is not None:
            text = _template(site, parts)
            note = (
                "It holds where every value is a string."
                if site.family in ("python", "ruby")
                else ""
            )
            title = "Convert to an f-string" if site.family == "python" else "Convert to a template"
            yield Offer(title, (site.replaced(node, text),), note=note)
            return
    raise RefusalError("There is no string here that is put together of texts and values.")


def _outermost(site: Site) -> list[Node]:
    found = list(site.nearest("call", *_SUMS))
    sums = [
        e
        for e in found
        if e.type in _SUMS
        and not (
            e.parent and e.parent.type in _SUMS and sign_of(site, e.parent) == sign_of(site, e)
        )
    ]
    calls = [e for e in found if e.type not in _SUMS]
    return (
        sorted([*sums, *calls], key=lambda e: (e.start_byte, -e.end_byte))
        if site.lines
        else [*sums, *calls]
    )


# --------------------------------------------------------------- concatenation


def _joined(site: Site, node: Node) -> list[Text | Hole] | None:
    """Return the parts of a concatenation; None if it has no literal or nothing but literals."""
    sign = "." if site.family == "php" else "+"
    operands = _operands(site, node, sign)
    if len(operands) < 2 or not any(each.type in _LITERALS for each in operands):  # noqa: PLR2004 - two sides
        return None
    if all(each.type in _LITERALS for each in operands):
        return None
    parts: list[Text | Hole] = []
    first = next(at for at, each in enumerate(operands) if each.type in _LITERALS)
    if first > 1 and site.family in ("javascript", "csharp"):
        # What stands before the first text is added up as numbers, if it is numbers.
        text = site.source.text[site.start(operands[0]) : site.end(operands[first - 1])]
        parts.append(Hole(text))
        operands = operands[first:]
    for each in operands:
        parts += _literal(site, each) if each.type in _LITERALS else [_hole(site, each)]
    return parts


def _operands(site: Site, node: Node, sign: str) -> list[Node]:
    """Return what one operator joins from left to right."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if node.type not in _SUMS or sign_of(site, node) != sign or left is None or right is None:
        return [node]
    return [*_operands(site, left, sign), right]


def _hole(site: Site, node: Node) -> Hole:
    inner = bare(node)
    text = site.text(inner)
    if "\n" in text:
        raise RefusalError("A value goes over several lines.")
    if site.family == "python":
        return _python_hole(site, inner)
    if site.family == "csharp" and ('"' in text or inner.type == "conditional_expression"):
        raise RefusalError(
            "A value has quotes or a choice in it, which older compilers do not take."
        )
    if site.family == "ruby" and (method := re.fullmatch(r"(.+)\.to_s", text)):
        return Hole(method[1])
    if site.family == "javascript" and (call := re.fullmatch(r"String\(([\w.$\[\]]+)\)", text)):
        return Hole(call[1])
    if site.family == "php":
        plain = inner.type in ("variable_name", "member_access_expression",
                               "member_call_expression", "subscript_expression")  # fmt: skip
        if not plain or not text.startswith("$") or '"' in text:
            raise RefusalError("PHP's strings have holes for variables and their members only.")
    return Hole(text)


def _python_hole(site: Site, node: Node) -> Hole:
    if node.type == "call":
        called = site.text(node.child_by_field_name("function"))
        arguments = node.child_by_field_name("arguments")
        inner = [] if arguments is None else arguments.named_children
        forms = {"str": "!s", "repr": "!r", "ascii": "!a"}
        use = site.names.at(site.start(node))
        if called in forms and len(inner) == 1 and (use is None or use.binding is None):
            plain = inner[0].type not in (
                "list_splat",
                "keyword_argument",
                "dictionary_splat",
                "generator_expression",
            )
            if plain:
                return Hole(bracketed(site, inner[0]), forms[called])
    return Hole(bracketed(site, node))


def _literal(site: Site, node: Node) -> list[Text | Hole]:
    text = site.text(node)
    if site.family == "python":
        if node.type == "concatenated_string":
            return [part for each in node.named_children for part in _literal(site, each)]
        return python_literal(site, node)
    if any(
        "interpolat" in each.type or each.type == "template_substitution"
        for each in node.named_children
    ) or (node.type == "encapsed_string" and "$" in text):
        raise RefusalError("One of its texts has holes already.")
    if len(text) < 2 or text[:2] == '@"' or text[:3] == '"""' or "\n" in text:  # noqa: PLR2004 - quotes
        raise RefusalError("One of its texts is written in a way of its own.")
    raw = text[0] == "'" and site.family in ("php", "ruby")
    if text[0] not in "'\"`" or text[0] != text[-1]:
        raise RefusalError("One of its texts is written in a way of its own.")
    return [Text(text[1:-1], raw)]


# -------------------------------------------------------------------- writing


def _template(site: Site, parts: list[Text | Hole]) -> str:
    match site.family:
        case "python":
            return _python(parts)
        case "javascript":
            return "`" + "".join(_javascript(each) for each in parts) + "`"
        case "csharp":
            return '$"' + "".join(_csharp(each) for each in parts) + '"'
        case "ruby":
            return '"' + "".join(_ruby(each) for each in parts) + '"'
        case _:
            return '"' + "".join(_php(each) for each in parts) + '"'


def _python(parts: list[Text | Hole]) -> str:
    holes = "".join(each.written for each in parts if isinstance(each, Hole))
    texts = "".join(each.written for each in parts if isinstance(each, Text))
    if "\\" in holes or "\n" in holes or "#" in holes:
        raise RefusalError("A value has marks in it that older f-strings do not take.")
    free = [quote for quote in "\"'" if quote not in holes]
    if not free:
        raise RefusalError("A value has both kinds of quotes in it.")
    quote = next((each for each in free if not re.search(rf"(?<!\\){each}", texts)), free[0])
    written = ""
    for each in parts:
        if isinstance(each, Hole):
            if each.form == "f":
                written += each.written
                continue
            body = f" {each.written}" if each.written.startswith("{") else each.written
            written += f"{{{body}{each.form}}}"
        else:
            text = each.written.replace("{", "{{").replace("}", "}}")
            written += re.sub(rf"(?<!\\){quote}", f"\\\\{quote}", text)
    return f"f{quote}{written}{quote}"


def _javascript(part: Text | Hole) -> str:
    if isinstance(part, Hole):
        return f"${{{part.written}}}"
    if re.search(r"\\[0-9]", part.written):
        raise RefusalError("One of its texts has an octal escape, which templates do not take.")
    return part.written.replace("`", "\\`").replace("${", "\\${")


def _csharp(part: Text | Hole) -> str:
    if isinstance(part, Hole):
        return f"{{{part.written}}}"
    return part.written.replace("{", "{{").replace("}", "}}")


def _ruby(part: Text | Hole) -> str:
    if isinstance(part, Hole):
        return f"#{{{part.written}}}"
    return _unquoted(part).replace("#{", "\\#{")


def _php(part: Text | Hole) -> str:
    if isinstance(part, Hole):
        return f"{{{part.written}}}"
    text = _unquoted(part)
    return re.sub(r"(?<!\\)\$", r"\\$", text) if part.raw else text


def _unquoted(part: Text) -> str:
    """Return text from between single quotes as it stands between double ones."""
    if not part.raw:
        return part.written
    text = part.written.replace("\\'", "'")
    text = re.sub(r"\\(?!\\)", r"\\\\", text.replace("\\\\", "\\"))
    return text.replace('"', '\\"')
