"""A text that is built from literals and values, taken apart: the same for all languages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.fixes.site import COMMENTS, value_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from coai_agents.fixes.site import Site
    from coai_agents.source import Edit

_STRINGS: Final = frozenset(
    {
        "encapsed_string",
        "interpolated_string_expression",
        "interpreted_string_literal",
        "raw_string_literal",
        "string",
        "string_literal",
        "template_string",
        "verbatim_string_literal",
    }
)

_HOLES: Final = frozenset({"interpolation", "template_substitution"})

_SUMS: Final = frozenset({"binary_operator", "binary_expression", "binary"})

_OPENING: Final = re.compile(r"^[a-zA-Z@$]*(\"\"\"|'''|\"|'|`)")


_JOINS: Final = frozenset(
    {"os.path.join", "path.join", "path.resolve", "filepath.Join", "File.join", "Path.Combine"}
)
"""Functions that put a path together: what follows the first part may lead out of it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of literal text, or a hole in it that a value fills."""

    start: int
    end: int
    """For text what is between the quotes; for a hole all that stands for it."""
    value: Node | None = None
    """What fills the hole; None for text."""
    string: int = -1
    """The number of the literal that this is within; -1 for an operand."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A string as it is written: where it begins, and how it is opened and closed."""

    start: int
    end: int
    opening: str
    closing: str


@dataclass(frozen=True, slots=True)
class Built:
    """The parts of a text in their order."""

    parts: tuple[Part, ...]
    literals: tuple[Literal, ...]

    @property
    def holes(self) -> list[int]:
        """The places of the holes among the parts."""
        return [at for at, part in enumerate(self.parts) if part.value is not None]


def built(site: Site, node: Node) -> Built | None:
    """Take an expression apart; None if it is not made of literals and values only."""
    parts: list[Part] = []
    literals: list[Literal] = []
    if not _collect(site, node, parts, literals) or not literals:
        return None
    return Built(tuple(parts), tuple(literals))


def _collect(site: Site, node: Node, parts: list[Part], literals: list[Literal]) -> bool:
    kind = node.type
    if kind in ("parenthesized_expression", "concatenated_string", "parenthesized_statements"):
        inner = [each for each in node.named_children if each.type not in COMMENTS]
        return all(_collect(site, each, parts, literals) for each in inner)
    if kind in _SUMS:
        operator = site.text(node.child_by_field_name("operator"))
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if operator not in ("+", ".") or left is None or right is None:
            return False
        return all(_collect(site, each, parts, literals) for each in (left, right))
    if kind in _STRINGS:
        return _string(site, node, parts, literals)
    parts.append(Part(site.tree.start(node), site.tree.end(node), node))
    return True


def _string(site: Site, node: Node, parts: list[Part], literals: list[Literal]) -> bool:
    start, end = site.tree.start(node), site.tree.end(node)
    opened = _OPENING.match(site.text(node))
    if opened is None:
        return False
    number = len(literals)
    literals.append(Literal(start, end, opened[0], opened[1]))
    at = start + len(opened[0])
    for child in node.named_children:
        value = _filling(child)
        if value is None:
            continue
        first, last = site.tree.start(child), site.tree.end(child)
        text = site.source.text
        if node.type == "encapsed_string" and text[first - 1] == "{" and text[last] == "}":
            first, last = first - 1, last + 1
        parts.append(Part(at, first, None, number))
        parts.append(Part(first, last, value, number))
        at = last
    parts.append(Part(at, end - len(opened[1]), None, number))
    return True


def _filling(node: Node) -> Node | None:
    """Return the expression that a hole in a literal is filled with."""
    if node.type in ("variable_name", "subscript_expression", "member_access_expression"):
        return node
    if node.type not in _HOLES:
        return None
    inner = [each for each in node.named_children if each.type != "interpolation_brace"]
    return inner[0] if len(inner) == 1 else None


def values_in(site: Site, node: Node, *, whole: bool = False) -> list[Node]:
    """Return the values that a text or a path is put together from, however that is done.

    With `whole`, of what is not put together, the node itself.
    """
    there = built(site, node)
    if there is not None:
        return [part.value for part in there.parts if part.value is not None]
    if node.type == "binary_operator" and site.text(node.child_by_field_name("operator")) == "%":
        right = node.child_by_field_name("right")
        if right is not None:
            return list(right.named_children) if right.type == "tuple" else [right]
    if node.type == "object":
        pairs = [each.child_by_field_name("value") for each in node.named_children]
        return [inner for each in pairs if each for inner in values_in(site, each, whole=whole)]
    if node.type == "type_conversion_expression":
        return [each for inner in node.named_children[1:] for each in values_in(site, inner)]
    if "call" in node.type or "invocation" in node.type:
        callee = site.callee(node)
        if callee.endswith((".format", "Sprintf", "sprintf", "String.format")):
            arguments = site.arguments(node)
            return [each.child_by_field_name("value") or each for each in arguments]
        if callee in _JOINS:
            return [
                inner
                for each in site.arguments(node)[1:]
                for inner in values_in(site, value_of(each), whole=True)
            ]
    return [node] if whole and node.type not in _STRINGS else []


def printed(site: Site, call: Node) -> list[Node]:
    """Return the values of a call that prints by a format, and of one that joins a path."""
    callee = site.callee(call)
    arguments = [value_of(each) for each in site.arguments(call)]
    if callee in ("fmt.Fprintf", "fmt.Printf"):
        return arguments[2:]
    return arguments[1:] if callee in _JOINS else []


def filled(site: Site, there: Built, placeholders: Sequence[str]) -> list[Edit] | None:
    """Return the edits that put placeholders where values were; None if that is not clear.

    Quotes around a hole go with it, literals that meet become one, and what is then no longer a
    template loses its mark. A comment on the way is never lost: then there are no edits.
    """
    edits: list[Edit] = []
    text = site.source.text
    parts = there.parts
    consumed = 0
    for place, at in zip(placeholders, there.holes, strict=True):
        before = parts[at - 1] if at else None
        if before is None or before.value is not None:
            return None
        behind = parts[at + 1] if at + 1 < len(parts) else None
        quoted = _quoted(text, before, behind)
        if quoted is None:
            return None
        edit = _filled_one(site, there, at, place, quote=int(quoted), floor=consumed)
        if edit is None:
            return None
        consumed = edit.span.end if edit.span is not None else 0
        edits.append(edit)
    return edits + _unmarked(site, there)


def _quoted(text: str, before: Part, behind: Part | None) -> bool | None:
    """Say whether a hole stands between quotes; None if on one side only."""
    opens = text[before.start : before.end].endswith("'")
    closes = behind is not None and text[behind.start : behind.end].startswith("'")
    return None if opens != closes else opens


def _filled_one(
    site: Site, there: Built, at: int, place: str, *, quote: int, floor: int
) -> Edit | None:
    hole, before = there.parts[at], there.parts[at - 1]
    start = max(before.end - quote, floor)
    if hole.string >= 0:
        return site.between(start, hole.end + quote, place)
    literal = there.literals[before.string]
    behind = there.parts[at + 1] if at + 1 < len(there.parts) else None
    text = site.source.text
    if behind is None or behind.value is not None:
        end, put = hole.end, place + literal.closing
    else:
        other = there.literals[behind.string]
        if (other.opening, other.closing) == (literal.opening, literal.closing):
            end, put = behind.start + quote, place
        elif quote:
            return None
        else:
            end, put = hole.end, place + literal.closing
    gone = text[start:end].replace(text[hole.start : hole.end], "")
    if "#" in gone or "//" in gone or "/*" in gone:
        return None
    return site.between(start, end, put)


def _unmarked(site: Site, there: Built) -> list[Edit]:
    """Return the edits that turn templates without holes into plain strings, in Python and C#."""
    edits: list[Edit] = []
    text = site.source.text
    inner = {part.string for part in there.parts if part.value is not None and part.string >= 0}
    for number in inner:
        literal = there.literals[number]
        whole = text[literal.start : literal.end]
        mark = next((each for each in literal.opening if each in "fF$"), "")
        if mark and "{{" not in whole and "}}" not in whole:
            at = literal.start + literal.opening.index(mark)
            edits.append(site.between(at, at + 1))
    return edits


def text_of(site: Site, there: Built) -> str:
    """Return the text with U+0000 for each hole."""
    text = site.source.text
    return "".join(
        "\0" if part.value is not None else text[part.start : part.end] for part in there.parts
    )
