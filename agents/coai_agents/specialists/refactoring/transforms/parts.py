"""The parts that a string with holes is made of: text as it is written, and values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coai_agents.specialists.refactoring.site import RefusalError, Site

if TYPE_CHECKING:
    from tree_sitter import Node


@dataclass(frozen=True, slots=True)
class Text:
    """Literal text as the file has it between quotes."""

    written: str
    raw: bool = False
    """Whether only the quote is escaped in it, as between PHP's and Ruby's single quotes."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A value in a text."""

    written: str
    form: str = ""
    """What follows the value in Python: `!r`, `:>5`."""


def sign_of(site: Site, node: Node) -> str:
    """Return an expression's operator; empty where it has none."""
    return site.text(node.child_by_field_name("operator"))


def bracketed(site: Site, node: Node) -> str:
    """Return a value as it may stand in an f-string: a colon or `!` in it would end it."""
    text = site.text(node)
    loose = node.type in ("lambda", "named_expression", "conditional_expression", "yield", "await")
    if loose and node.type != "await":
        return f"({text})"
    return text


def python_literal(site: Site, node: Node) -> list[Text | Hole]:
    """Return what a plain Python string is made of; raises `RefusalError` for other ones."""
    start = site.text(node.children[0])
    prefix = start.rstrip("\"'").lower()
    if prefix not in ("", "f", "u") or len(start) - len(prefix) != 1:
        raise RefusalError("One of its texts is raw, or bytes, or goes over several lines.")
    quote = start[-1]
    inner = site.text(node)[len(start) : -1]
    if prefix == "f":
        if quote in inner or "\\" in inner:
            raise RefusalError("One of its texts has holes and marks in it.")
        return [Hole(inner, "f")]
    return [Text(inner)]
