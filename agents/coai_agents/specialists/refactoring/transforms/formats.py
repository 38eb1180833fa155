"""Values that `%` and `format` put into a text, as the parts of an f-string."""

from __future__ import annotations

import re
import string as string_module
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.refactoring.effects import Effect, effect
from coai_agents.specialists.refactoring.site import RefusalError, Site
from coai_agents.specialists.refactoring.transforms.parts import (
    Hole,
    Text,
    bracketed,
    python_literal,
    sign_of,
)

if TYPE_CHECKING:
    from tree_sitter import Node


_PERCENT: Final = re.compile(r"%(?:(%)|([-+ #0]*)(\d*)(\.\d+)?([srfeg]))")


def formatted(site: Site, node: Node) -> list[Text | Hole] | None:
    """Return the parts of `"..." % values` or `"...".format(values)`; None if it is neither."""
    if node.type == "call":
        function = node.child_by_field_name("function")
        text = None if function is None else function.child_by_field_name("object")
        name = "" if function is None else site.text(function.child_by_field_name("attribute"))
        if text is None or text.type != "string" or name != "format":
            return None
        return _by_format(site, node, _plain(site, text))
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if left is None or right is None or left.type != "string" or sign_of(site, node) != "%":
        return None
    return _by_percent(site, _plain(site, left), right)


def _plain(site: Site, node: Node) -> str:
    parts = python_literal(site, node)
    if len(parts) != 1 or not isinstance(parts[0], Text) or "\\N" in parts[0].written:
        raise RefusalError("Its text has holes already.")
    return parts[0].written


def _by_percent(site: Site, text: str, right: Node) -> list[Text | Hole]:
    values = right.named_children if right.type == "tuple" else [right]
    if right.type != "tuple" and right.type not in (
        "integer",
        "float",
        "string",
        "call",
        "binary_operator",
        "attribute",
        "identifier",
    ):
        raise RefusalError("What follows `%` may be several values.")
    if right.type in ("identifier", "attribute", "call", "subscript") and not _is_text_call(
        site, right
    ):
        raise RefusalError("What follows `%` may be a tuple.")
    if any(each.type == "list_splat" for each in values):
        raise RefusalError("How many values there are is not written.")
    parts: list[Text | Hole] = []
    at, taken = 0, 0
    for match in _PERCENT.finditer(text):
        parts.append(Text(text[at : match.start()]))
        at = match.end()
        if match[1]:
            parts.append(Text("%"))
            continue
        if taken >= len(values):
            raise RefusalError("It has more places than values.")
        parts.append(Hole(bracketed(site, values[taken]), _form(match)))
        taken += 1
    parts.append(Text(text[at:]))
    if "%" in "".join(e.written for e in parts if isinstance(e, Text) and e.written != "%"):
        raise RefusalError("It formats in a way that an f-string has no equal of.")
    if taken != len(values):
        raise RefusalError("It has fewer places than values.")
    return parts


def _is_text_call(site: Site, node: Node) -> bool:
    return node.type == "call" and site.text(node.child_by_field_name("function")) in (
        "str",
        "repr",
        "len",
        "int",
        "float",
    )


def _form(match: re.Match[str]) -> str:
    flags, width, precision, kind = match[2], match[3], match[4] or "", match[5]
    if kind in "sr":
        if flags.strip("-") or precision:
            raise RefusalError("It formats in a way that an f-string has no equal of.")
        side = "" if not width else f":{'<' if '-' in flags else '>'}{width}"
        return f"!{kind}{side}"
    if "#" in flags or " " in flags or "-" in flags:
        raise RefusalError("It formats in a way that an f-string has no equal of.")
    return f":{flags}{width}{precision}{kind}"


def _by_format(site: Site, call: Node, text: str) -> list[Text | Hole]:
    arguments = call.child_by_field_name("arguments")
    given = [] if arguments is None else arguments.named_children
    if any(
        each.type in ("list_splat", "dictionary_splat", "comment", "generator_expression")
        for each in given
    ):
        raise RefusalError("Which values there are is not written.")
    placed = [each for each in given if each.type != "keyword_argument"]
    named = {site.text(e.child_by_field_name("name")): e.child_by_field_name("value")
             for e in given if e.type == "keyword_argument"}  # fmt: skip
    parts: list[Text | Hole] = []
    used: list[Node] = []
    try:
        fields = list(string_module.Formatter().parse(text))
    except ValueError as error:
        raise RefusalError("Its text is no format.") from error
    count = 0
    for before, field, form, conversion in fields:
        parts.append(Text(before))
        if field is None:
            continue
        match = re.fullmatch(r"(\d+|[^\W\d]\w*|)((?:\.[^\W\d]\w*)*)", field)
        if match is None or (form and ("{" in form or "\\" in form)):
            raise RefusalError("It formats in a way that an f-string has no equal of.")
        key = match[1]
        if not key:
            key, count = str(count), count + 1
        value = placed[int(key)] if key.isdigit() and int(key) < len(placed) else named.get(key)
        if value is None:
            raise RefusalError("It has more places than values.")
        used.append(value)
        shown = f"!{conversion}" if conversion else ""
        shown += f":{form}" if form else ""
        body = bracketed(site, value)
        if match[2] and not re.fullmatch(r"[\w.]+", body):
            body = f"({body})"
        parts.append(Hole(body + match[2], shown))
    _evaluated_alike(site, [*placed, *filter(None, named.values())], used)
    return parts


def _evaluated_alike(site: Site, given: list[Node], used: list[Node]) -> None:
    ids = [each.id for each in used]
    if {each.id for each in given} != set(ids):
        raise RefusalError("Some of its values are shown nowhere.")
    order = [each.id for each in given]
    if ids != order and any(effect(site, each) >= Effect.STATE for each in given):
        raise RefusalError("Its values would be evaluated in another order, or more than once.")
